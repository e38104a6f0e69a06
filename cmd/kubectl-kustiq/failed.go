package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/report"
)

func (p *plugin) failedCommand() *cobra.Command {
	var s scope
	var format output
	cmd := &cobra.Command{
		Use:   "failed",
		Short: "List events that never became a score, and why",
		Long: `Lists the events of a Workspace that never became a score, the newest first.
None of their content is kept: kubectl kustiq redrive fetches them from Stripe once more.`,
		Example: `  kubectl kustiq failed
  kubectl kustiq failed -n kustiq-demo -w acme -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			workspace, err := p.one(cmd.Context(), s)
			if err != nil {
				return err
			}
			api, err := p.api(workspace)
			if err != nil {
				return err
			}
			failed, err := api.Failed(cmd.Context(), key(workspace))
			if err != nil {
				return err
			}
			if done, err := format.document(cmd.OutOrStdout(), failed); done || err != nil {
				return err
			}
			return report.FailedTable(cmd.OutOrStdout(), failed, format.wide())
		},
	}
	cmd.Flags().StringVarP(&s.workspace, "workspace", "w", "", "name of the Workspace (default: the only one of the namespace)")
	format.addTo(cmd, "json", "yaml", "wide")
	return cmd
}

func (p *plugin) redriveCommand() *cobra.Command {
	var s scope
	var all bool
	var format output
	cmd := &cobra.Command{
		Use:   "redrive EVENT...",
		Short: "Fetch failed events from Stripe once more",
		Long: `Has failed events fetched from Stripe and taken as if they had just come. An event that becomes a score leaves the list of
kubectl kustiq failed; one that does not stays in it. Stripe keeps events for 30 days.`,
		Example: `  kubectl kustiq redrive evt_1OaZc2
  kubectl kustiq redrive --all -n kustiq-demo -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == !all {
				return errors.New("name the events, or give --all: kubectl kustiq failed lists them")
			}
			workspace, err := p.one(cmd.Context(), s)
			if err != nil {
				return err
			}
			api, err := p.api(workspace)
			if err != nil {
				return err
			}
			done, err := api.Redrive(cmd.Context(), key(workspace), report.Redrive{Events: args, All: all})
			if err != nil {
				return err
			}
			printed, err := format.document(cmd.OutOrStdout(), done)
			if err != nil {
				return err
			}
			if !printed {
				printRedriven(cmd.OutOrStdout(), cmd.ErrOrStderr(), done)
			}
			if len(done.Unknown) > 0 {
				return fmt.Errorf("not listed as failed: %v", done.Unknown)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&s.workspace, "workspace", "w", "", "name of the Workspace (default: the only one of the namespace)")
	cmd.Flags().BoolVar(&all, "all", false, "all events that are listed as failed")
	format.addTo(cmd, "json", "yaml")
	return cmd
}

func printRedriven(out, hints io.Writer, done report.Redriven) {
	printf(out, "%d of %d events are being fetched from Stripe\n", len(done.Asked), len(done.Asked)+len(done.Unknown)+len(done.Listed))
	if len(done.Listed) > 0 {
		printf(hints, "%d were read from lists, not as events: kubectl kustiq replay reads them again\n", len(done.Listed))
	}
}
