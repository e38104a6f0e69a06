package main

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/report"
)

func (p *plugin) eraseCommand() *cobra.Command {
	var s scope
	var asked report.Erase
	var test, yes bool
	var timeout time.Duration
	var format output
	cmd := &cobra.Command{
		Use:   "erase",
		Short: "Erase an account's data, or a whole Workspace's, and say what was removed",
		Long: `Removes customers, identities, signals and scores from the store; of a whole Workspace its profiles, its decisions and its
data key, too. It cannot be undone. Your Workspaces and StripeConnections stay: events that come afterwards are scored
again, so delete or suspend the connection first.`,
		Example: `  # everything of the only Workspace of the namespace
  kubectl kustiq erase -n kustiq-demo

  # the test data of one account, without a question
  kubectl kustiq erase -w acme --account acct_1Nv0FGQ9RKHgCVdK --test --yes -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if test && asked.Account == "" {
				return errors.New("--test speaks of an account: give --account, or leave it out to erase the whole Workspace")
			}
			w, err := p.one(cmd.Context(), s)
			if err != nil {
				return err
			}
			api, err := p.api(w)
			if err != nil {
				return err
			}
			if !yes && !confirmed(cmd, w.Name, asked.Account) {
				return errors.New("nothing was erased")
			}
			asked.Confirm, asked.Livemode = w.Name, asked.Account != "" && !test
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			erasure, err := api.Erase(ctx, key(w), asked)
			if err != nil {
				return err
			}
			erasure, err = awaitErasure(ctx, api, key(w), erasure)
			if err != nil {
				return err
			}
			if done, err := format.document(cmd.OutOrStdout(), erasure); done || err != nil {
				return err
			}
			return report.ErasureText(cmd.OutOrStdout(), erasure)
		},
	}
	cmd.Flags().StringVarP(&s.workspace, "workspace", "w", "", "name of the Workspace (default: the only one of the namespace)")
	cmd.Flags().StringVar(&asked.Account, "account", "", "only this account, acct_…, in live mode")
	cmd.Flags().BoolVar(&test, "test", false, "the account's test mode instead")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait for the report; the erasure goes on without")
	format.addTo(cmd, "json", "yaml")
	return cmd
}

// confirmed asks for the Workspace's name.
func confirmed(cmd *cobra.Command, workspace, account string) bool {
	what := "everything of the Workspace, with its profiles and its data key"
	if account != "" {
		what = "account " + account
	}
	printf(cmd.ErrOrStderr(), "This erases %s, for good. Type %s to go on: ", what, workspace)
	line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	return strings.TrimSpace(line) == workspace
}

// awaitErasure returns the report, as it stands when the time is over.
func awaitErasure(ctx context.Context, api *report.Client, workspace string, e report.Erasure) (report.Erasure, error) {
	for {
		found, err := api.Erasure(ctx, workspace, e.ID)
		if err != nil && ctx.Err() == nil {
			return e, err
		}
		if err == nil {
			e = found
		}
		if !e.DoneAt.IsZero() || pause(ctx, pollEvery) != nil {
			return e, nil
		}
	}
}
