package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/internal/report"
)

func (p *plugin) matchesCommand() *cobra.Command {
	var s scope
	var query report.MatchQuery
	var format output
	cmd := &cobra.Command{
		Use:   "matches",
		Short: "List which of your profiles customers are, and decide where it is not certain",
		Long: `Lists the matches that wait for a decision, or those of another state. A match below the minimum confidence never feeds a
score; what you decide stands over rematches and new addresses, until you decide otherwise or the profile is deleted.`,
		Example: `  # what waits for a decision, with both addresses
  kubectl kustiq matches -o wide

  # everything that is matched, for a script
  kubectl kustiq matches --state matched --all -o json

  kubectl kustiq matches approve cus_NffrFeUfNV2Hib
  kubectl kustiq matches reassign cus_NffrFeUfNV2Hib p-1002`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := cmd.Flags().GetBool("all")
			if err != nil {
				return err
			}
			workspace, api, err := p.reach(cmd.Context(), s)
			if err != nil {
				return err
			}
			query.Mode = s.mode()
			page, err := api.Matches(cmd.Context(), workspace, query)
			for next := page.Next; err == nil && all && next != ""; {
				var more report.Matches
				query.After = next
				more, err = api.Matches(cmd.Context(), workspace, query)
				page.Matches, page.Next, next = append(page.Matches, more.Matches...), more.Next, more.Next
			}
			if err != nil {
				return err
			}
			if done, err := format.document(cmd.OutOrStdout(), page); done || err != nil {
				return err
			}
			return report.MatchTable(cmd.OutOrStdout(), page, format.wide())
		},
	}
	cmd.PersistentFlags().StringVarP(&s.workspace, "workspace", "w", "", "name of the Workspace (default: the only one of the namespace)")
	cmd.PersistentFlags().BoolVar(&s.test, "test", false, testUsage)
	cmd.Flags().StringVar(&query.State, "state", "review", "review, matched or unmatched")
	cmd.Flags().IntVar(&query.Limit, "limit", 50, "matches to list, 1 to 200")
	cmd.Flags().Bool("all", false, "all pages")
	format.addTo(cmd, "json", "yaml", "wide")
	p.complete(cmd, "state", "review", "matched", "unmatched")
	cmd.AddCommand(
		p.decideCommand(&s, "approve", "Say that a customer is the proposed profile"),
		p.decideCommand(&s, "reject", "Say that a customer is not the proposed profile"),
		p.decideCommand(&s, "reassign", "Say which profile a customer is"),
		p.decideCommand(&s, "withdraw", "Take a decision back"))
	return cmd
}

func (p *plugin) decideCommand(s *scope, decision, short string) *cobra.Command {
	use, example, args := decision+" CUSTOMER...", "  kubectl kustiq matches "+decision+" cus_NffrFeUfNV2Hib", cobra.MinimumNArgs(1)
	if decision == "reassign" {
		use, example, args = "reassign CUSTOMER PROFILE", example+" p-1002", cobra.ExactArgs(2)
	}
	var seen string
	var format output
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			if seen != "" && len(args) != 1 {
				return errors.New("--profile speaks of one customer only")
			}
			workspace, api, err := p.reach(cmd.Context(), *s)
			if err != nil {
				return err
			}
			asked := report.Decide{Decision: decision, Profile: seen}
			if decision == "reassign" {
				asked.Profile, args = args[1], args[:1]
			}
			var decided []report.Decided
			for _, customer := range args {
				done, err := api.Decide(cmd.Context(), workspace, customer, s.mode(), asked)
				if err != nil {
					return fmt.Errorf("%s: %w", customer, err)
				}
				decided = append(decided, done)
				printf(format.notes(cmd), "%s: %s, now %s\n", report.Printable(done.Customer), done.From.Words(), done.To.Words())
			}
			_, err = documents(&format, cmd.OutOrStdout(), decided)
			return err
		},
	}
	if decision == "approve" || decision == "reject" {
		cmd.Flags().StringVar(&seen, "profile", "", "the profile that you saw: nothing is decided when it is another one by now")
	}
	format.addTo(cmd, "json", "yaml")
	return cmd
}
