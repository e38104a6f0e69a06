package main

import (
	"context"
	"errors"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/keys"
)

// storeFlags say where the scores are.
type storeFlags struct{ dsn, file string }

func (f *storeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dsn, "store", "", "DSN of the score store without a password: sqlite:///path/to/file.db or postgres://…")
	cmd.Flags().StringVar(&f.file, "store-file", "", "file with the DSN of the score store, which may hold a password")
}

// read returns the DSN.
func (f *storeFlags) read(cmd *cobra.Command) (string, error) {
	switch {
	case f.dsn == "" && f.file == "":
		return "", missing(need{"store-file", "", "a file with the DSN of the score store, or the DSN itself by --store"})
	case f.dsn != "" && f.file != "":
		return "", errors.New("--store and --store-file are both given: leave one out")
	case f.file != "":
		return readSecret("store-file", f.file)
	case cmd.Flags().Changed("store") && hasPassword(f.dsn):
		return "", errors.New("--store holds a password, which every user of the machine can see: put the DSN into a file and give that by --store-file")
	}
	return f.dsn, nil
}

func hasPassword(dsn string) bool {
	parsed, err := url.Parse(dsn)
	if err != nil {
		return false // the store will refuse it
	}
	_, set := parsed.User.Password()
	return set || parsed.Query().Has("password")
}

func newEngineCommand() *cobra.Command {
	var flags roleFlags
	var onBus busFlags
	var scores storeFlags
	var keysDir string
	var allowed networks
	cmd := &cobra.Command{
		Use:   "engine",
		Short: "Run the engine, which turns signals into scores",
		Long: `Runs the engine of one region: it takes signals from the bus, folds them into customers, scores these and stores them.
One engine works on SQLite, any number on PostgreSQL.

It also sends churn events to the receivers that Workspaces name, by https and never to an address inside.

It reaches the bus, the store and these receivers. Of the keysets it needs bus and identity.` + environmentHelp,
		Example: `  kustiq engine --region EU --bus-url nats://kustiq-bus:4222 --bus-token-file /etc/kustiq/bus/token \
    --keys-dir /etc/kustiq/keys --store-file /etc/kustiq/store/dsn`,
		Args: cobra.NoArgs, PreRunE: fromEnvironment,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := onBus.check(); err != nil {
				return err
			}
			if err := missing(needKeysDir(keysDir)); err != nil {
				return err
			}
			dsn, err := scores.read(cmd)
			if err != nil {
				return err
			}
			return runRole(cmd, flags, newMetrics(), func(r *role) error { return r.startEngine(onBus, keysDir, dsn, allowed) })
		},
	}
	onBus.add(cmd)
	addKeysDir(cmd, &keysDir)
	scores.add(cmd)
	allowed.add(cmd)
	flags.add(cmd)
	return cmd
}

func (r *role) startEngine(onBus busFlags, keysDir, dsn string, allowed networks) error {
	set, err := r.openKeys(keys.Folder(keysDir), keys.Bus, keys.Identity)
	if err != nil {
		return err
	}
	scores, err := store.Open(r.ctx, store.Options{DSN: dsn, Vault: set.Identity, Clock: r.clock, Logger: r.log})
	if err != nil {
		return err
	}
	r.atEnd(scores.Close)
	r.checks = append(r.checks, func(ctx context.Context) bool { return scores.Ping(ctx) == nil })
	b, err := r.openBus("engine", onBus)
	if err != nil {
		return err
	}
	engine, err := r.newEngine(b, scores, set, allowed)
	if err != nil {
		return err
	}
	r.runOnBus("engine", engine.Run)
	return r.runFitter(scores)
}
