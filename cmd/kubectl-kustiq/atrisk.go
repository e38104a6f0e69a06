package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/report"
)

func (p *plugin) atRiskCommand() *cobra.Command {
	var s scope
	var query report.AtRiskQuery
	var format output
	cmd := &cobra.Command{
		Use:   "at-risk",
		Short: "List the customers most likely to leave",
		Example: `  # the Workspace of the current namespace
  kubectl kustiq at-risk

  # the ten that need a call today, in all namespaces
  kubectl kustiq at-risk -A --tier Critical --limit 10

  # one by name, or by e-mail address
  kubectl kustiq at-risk --search "nordlicht gmbh"

  # for a script
  kubectl kustiq at-risk -n kustiq-demo -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if query.Limit < 1 || query.Limit > 200 {
				return errors.New("--limit must be between 1 and 200")
			}
			workspaces, err := p.workspaces(cmd.Context(), s)
			if err != nil {
				return err
			}
			query.Mode = s.mode()
			pages := make([]report.AtRisk, 0, len(workspaces))
			for _, w := range workspaces {
				api, err := p.api(w)
				if err != nil {
					return err
				}
				page, err := api.AtRisk(cmd.Context(), key(w), query)
				if err != nil {
					return fmt.Errorf("%s: %w", key(w), err)
				}
				pages = append(pages, page)
			}
			if done, err := documents(&format, cmd.OutOrStdout(), pages); done || err != nil {
				return err
			}
			return printPages(cmd.OutOrStdout(), pages, format.wide())
		},
	}
	cmd.Flags().StringVarP(&s.workspace, "workspace", "w", "", "name of the Workspace (default: all of the namespace)")
	cmd.Flags().BoolVarP(&s.all, "all-namespaces", "A", false, "Workspaces of all namespaces")
	cmd.Flags().BoolVar(&s.test, "test", false, testUsage)
	cmd.Flags().IntVar(&query.Limit, "limit", 20, "customers to list for each Workspace, 1 to 200")
	cmd.Flags().StringVar(&query.Tier, "tier", "", "only Critical, Leaving or Normal")
	cmd.Flags().StringVar(&query.Interval, "interval", "", "only customers who pay by the month, year or other")
	cmd.Flags().StringVar(&query.Reason, "reason", "", "only those whose risk this term raises most, e.g. open_dunning")
	cmd.Flags().Float64Var(&query.MinMRRMinor, "min-mrr-minor", 0, "only those of at least that much a month, in minor units of their currency")
	cmd.Flags().StringVar(&query.Search, "search", "", "an e-mail address, the beginning of an id (cus_…) or of the name's words")
	p.complete(cmd, "tier", "Critical", "Leaving", "Normal")
	p.complete(cmd, "interval", "month", "year", "other")
	format.addTo(cmd, "json", "yaml", "wide")
	return cmd
}

func printPages(w io.Writer, pages []report.AtRisk, wide bool) error {
	for i, page := range pages {
		if i > 0 {
			printf(w, "\n")
		}
		if len(pages) > 1 {
			printf(w, "%s\n", page.Workspace)
		}
		write := report.AtRiskTable
		if wide {
			write = report.AtRiskWide
		}
		if err := write(w, page); err != nil {
			return err
		}
	}
	return nil
}

func (p *plugin) explainCommand() *cobra.Command {
	var s scope
	var format output
	cmd := &cobra.Command{
		Use:   "explain CUSTOMER",
		Short: "Say why a customer has the score it has",
		Example: `  kubectl kustiq explain cus_NffrFeUfNV2Hib

  # with all of the evidence
  kubectl kustiq explain cus_NffrFeUfNV2Hib -o wide
  kubectl kustiq explain cus_NffrFeUfNV2Hib -n kustiq-demo -w acme -o yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			workspace, err := p.one(cmd.Context(), s)
			if err != nil {
				return err
			}
			api, err := p.api(workspace)
			if err != nil {
				return err
			}
			detail, err := api.Customer(cmd.Context(), key(workspace), args[0])
			if err != nil {
				return err
			}
			if done, err := format.document(cmd.OutOrStdout(), detail); done || err != nil {
				return err
			}
			return report.Explain(cmd.OutOrStdout(), detail, format.wide())
		},
	}
	cmd.Flags().StringVarP(&s.workspace, "workspace", "w", "", "name of the Workspace (default: the only one of the namespace)")
	format.addTo(cmd, "json", "yaml", "wide")
	return cmd
}
