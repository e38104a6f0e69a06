package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/model"
	"github.com/kustiq/kustiq/engine/offline"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/report"
)

// evaluation is what "kustiq eval" is asked for.
type evaluation struct {
	panel, events, workspace string
	at, out, keysDir         string
	testMode, asJSON         bool
	seed                     uint64
	scores                   storeFlags
}

func newEvalCommand() *cobra.Command {
	var e evaluation
	cmd := &cobra.Command{
		Use:   "eval (--panel FILE | --events FILE --at TIME | --workspace NAMESPACE/NAME)",
		Short: "Fit a model to a history, and test it against the prior",
		Long: `Fit the model's weights to a history and test them on its newest 60 days, as the engine does every night. Printed are
the test's figures, what stood in the way of the fitted weights, the calibration, and all weights.

The history is a panel: customers as they stood every seven days, and when each of them left. It is made from a file of
raw Stripe events, as read by "kustiq classify", or from a workspace in the store; --panel-out also writes it to a file,
from which the evaluation can be reproduced anywhere, to the last digit. A panel names customers by their Stripe ids and
holds nothing else that is personal.

The resamplings of the customers are drawn from --seed. A model card names the seed of its test.`,
		Example: `  kustiq eval --events events.ndjson --at 2026-05-01T00:00:00Z --panel-out panel.ndjson
  kustiq eval --panel panel.ndjson
  kustiq eval --panel panel.ndjson --json | jq .test.fitted.auc
  kustiq eval --workspace acme/production --store-file /etc/kustiq/store/dsn --keys-dir /etc/kustiq/keys --panel-out panel.ndjson`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE:         func(cmd *cobra.Command, _ []string) error { return e.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&e.panel, "panel", "", "file with a panel; - for standard input")
	flags.StringVar(&e.events, "events", "", "file of raw Stripe events of one account; - for standard input")
	flags.StringVar(&e.workspace, "workspace", "", "workspace in the store, as namespace/name")
	flags.StringVar(&e.at, "at", "", "instant that the history is known up to, in RFC 3339; for a workspace it is now unless given")
	flags.StringVar(&e.out, "panel-out", "", "file to write the panel to")
	flags.BoolVar(&e.testMode, "test-mode", false, "read the workspace's test data, not its live data")
	flags.StringVar(&e.keysDir, "keys-dir", "", "folder into which the Secret "+keys.SecretName+" is mounted, to open the store")
	flags.Uint64Var(&e.seed, "seed", 1, "seed of the resamplings")
	flags.BoolVar(&e.asJSON, "json", false, "print the model card as JSON")
	e.scores.add(cmd)
	cmd.MarkFlagsOneRequired("panel", "events", "workspace")
	cmd.MarkFlagsMutuallyExclusive("panel", "events", "workspace")
	cmd.MarkFlagsMutuallyExclusive("panel", "at")
	return cmd
}

func (e *evaluation) run(cmd *cobra.Command) (err error) {
	panel, unread, err := e.read(cmd)
	if err != nil {
		return err
	}
	if e.out != "" {
		if err := writePanel(e.out, panel); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "wrote %d rows to %s\n", panel.Rows(), e.out)
	}
	card := model.Decide(panel, model.Current{}, true, e.seed).Card
	if e.asJSON {
		lines := json.NewEncoder(cmd.OutOrStdout())
		lines.SetIndent("", "  ")
		err = lines.Encode(card)
	} else {
		err = report.ModelCardText(cmd.OutOrStdout(), card)
	}
	return errors.Join(err, unread)
}

// read makes the panel. unread is not nil when a part of the events could not be used.
func (e *evaluation) read(cmd *cobra.Command) (panel *model.Panel, unread, err error) {
	switch {
	case e.panel != "":
		panel, err = readPanel(cmd, e.panel)
		return panel, nil, err
	case e.events != "" && e.at == "":
		return nil, nil, errors.New("--at is needed with --events: the instant that the events are complete up to")
	}
	at := clock.RealClock{}.Now()
	if e.at != "" {
		if at, err = time.Parse(time.RFC3339, e.at); err != nil {
			return nil, nil, fmt.Errorf("--at must be a time such as 2026-05-01T00:00:00Z, not %q", e.at)
		}
	}
	if e.workspace != "" {
		panel, err = e.readWorkspace(cmd, at)
		return panel, nil, err
	}
	in, err := readEvents(cmd, e.events, at.Unix())
	if err != nil {
		return nil, nil, err
	}
	return panelOf(cmd, in, at), in.Err(), nil
}

func readPanel(cmd *cobra.Command, file string) (*model.Panel, error) {
	var from io.Reader = cmd.InOrStdin()
	if file != standardInput {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("open the panel: %w", err)
		}
		defer f.Close()
		from = f
	}
	return model.ReadPanel(from)
}

// panelOf adds customers in the order of their ids, as the store has them.
func panelOf(cmd *cobra.Command, in *offline.Input, at time.Time) *model.Panel {
	histories, left := in.Histories(at)
	left.Report(cmd.ErrOrStderr())
	panel := model.NewPanel(at)
	for _, customer := range slices.Sorted(maps.Keys(histories)) {
		panel.Add(customer, histories[customer])
	}
	return panel
}

func (e *evaluation) readWorkspace(cmd *cobra.Command, at time.Time) (_ *model.Panel, err error) {
	if err := missing(needKeysDir(e.keysDir)); err != nil {
		return nil, err
	}
	dsn, err := e.scores.read(cmd)
	if err != nil {
		return nil, err
	}
	set, err := keys.Load(cmd.Context(), keys.Folder(e.keysDir), keys.OpenKMS, keys.Identity)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(cmd.Context(), store.Options{
		DSN: dsn, Vault: set.Identity, Clock: clock.RealClock{}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	scope := store.Scope{Workspace: e.workspace, Livemode: !e.testMode}
	panel, err := model.Read(cmd.Context(), s, scope, at, func(int, int) error { return nil })
	if err != nil {
		return nil, err
	}
	if n, err := s.CustomerCount(cmd.Context(), scope); err != nil || n == 0 {
		return nil, errors.Join(err, fmt.Errorf("the store holds no customers of workspace %s in this mode", e.workspace))
	}
	return panel, nil
}

func writePanel(file string, panel *model.Panel) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the panel: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return panel.Write(f)
}
