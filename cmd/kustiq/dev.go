//go:build !image

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// devOptions are the flags of kustiq dev.
type devOptions struct {
	dataDir, scenario, store                string
	dashboardAddr, receiverAddr, stripeAddr string
	once                                    bool
	customers                               int
	seed                                    uint64
	streamPerMinute                         float64
	logLevel                                slog.Level
	out                                     io.Writer
	// allowed networks may be sent churn events.
	allowed networks
}

const (
	scenarioDemo  = "demo"
	scenarioEmpty = "empty"
)

func newDevCommand() *cobra.Command {
	opts := devOptions{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run every role in one process, with a control plane and a simulated Stripe",
		Long: `Runs operator, receiver, worker, engine, dashboard and bus in one process on loopback, on a real etcd and
kube-apiserver, against a simulated Stripe. The demo connects an account through Stripe's consent page, reads 30 days
of its history, lets one customer's payment fail twice, and shows who is about to leave.

The simulated Stripe keeps nothing, so a start in the same data folder begins anew. The folder then holds:
  dev.env     KUBECONFIG, DASHBOARD_URL, RECEIVER_URL, STRIPE_URL, WEBHOOK_SECRET_LIVE, WEBHOOK_SECRET_TEST,
              ACCOUNT_ID and STORE_DSN, for "source"
  logs/       what each part has to say`,
		Example: `  # the demo, until Ctrl-C
  kustiq dev --data-dir .kustiq

  # the demo up to the at-risk table, then stop
  kustiq dev --data-dir .kustiq --once

  # your own resources on an account that nobody has connected yet
  kustiq dev --data-dir .kustiq --scenario empty`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.out = cmd.OutOrStdout()
			opts.freePorts(cmd)
			return runDev(cmd.Context(), opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.dataDir, "data-dir", ".kustiq", "folder for everything that is kept; emptied at the start if kustiq dev made it")
	flags.StringVar(&opts.scenario, "scenario", scenarioDemo, "demo: connect the account and act; empty: install nothing but the CRDs")
	flags.StringVar(&opts.store, "store", "", "score store, e.g. postgres://user@127.0.0.1/kustiq (default: SQLite in the data folder)")
	flags.BoolVar(&opts.once, "once", false, "run the demo to the at-risk table, print it and exit 0")
	flags.StringVar(&opts.dashboardAddr, "dashboard-addr", "127.0.0.1:8080", "address of the dashboard; port 0 takes a free one")
	flags.StringVar(&opts.receiverAddr, "receiver-addr", "127.0.0.1:8081", "address of the webhook receiver")
	flags.StringVar(&opts.stripeAddr, "stripe-addr", "127.0.0.1:8082", "address of the simulated Stripe")
	flags.IntVar(&opts.customers, "customers", 200, "customers of the demo account")
	flags.Uint64Var(&opts.seed, "seed", 1, "seed of the demo account's history")
	flags.Float64Var(&opts.streamPerMinute, "events-per-minute", 30, "live events of the demo account after its story; 0 for none")
	opts.allowed.add(cmd)
	flags.TextVar(&opts.logLevel, "log-level", slog.LevelInfo, "least level in logs/kustiq.log: DEBUG, INFO, WARN or ERROR")
	return cmd
}

// freePorts lets --once run beside a kustiq dev that holds the usual ports.
func (o *devOptions) freePorts(cmd *cobra.Command) {
	if !o.once {
		return
	}
	for name, addr := range map[string]*string{
		"dashboard-addr": &o.dashboardAddr, "receiver-addr": &o.receiverAddr, "stripe-addr": &o.stripeAddr,
	} {
		if !cmd.Flags().Changed(name) {
			*addr = "127.0.0.1:0"
		}
	}
}

func (o devOptions) validate() error {
	switch {
	case o.scenario != scenarioDemo && o.scenario != scenarioEmpty:
		return fmt.Errorf("--scenario %q is unknown: use demo or empty", o.scenario)
	case o.once && o.scenario != scenarioDemo:
		return errors.New("--once runs the demo: leave --scenario out")
	case o.customers < 1:
		return errors.New("--customers must be at least 1")
	case o.dataDir == "":
		return errors.New("--data-dir must name a folder")
	}
	return nil
}

// runDev starts everything, plays the scenario, and stops everything it started before it returns.
func runDev(ctx context.Context, opts devOptions) (err error) {
	if err := opts.validate(); err != nil {
		return err
	}
	if opts.dataDir, err = filepath.Abs(opts.dataDir); err != nil {
		return err
	}
	release, err := claimDataDir(opts.dataDir)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stack, err := startStack(ctx, opts)
	if err != nil {
		return errors.Join(err, stack.stop(cancel))
	}
	err = stack.play(ctx)
	if stopErr := stack.stop(cancel); err == nil {
		err = stopErr
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(opts.out, "stopped")
		return nil
	}
	return err
}

// marker names the file that tells a folder made by kustiq dev from one that holds somebody's work.
const marker = "kustiq-dev"

// claimDataDir empties a folder of an earlier run and keeps a second kustiq dev out of it.
func claimDataDir(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read data folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, marker)); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s holds files that kustiq dev did not make: choose another --data-dir", dir)
	}
	release, err = lockFile(filepath.Join(dir, marker), "kustiq dev")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if entry.Name() == marker {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			release()
			return nil, fmt.Errorf("empty data folder: %w", err)
		}
	}
	return release, nil
}
