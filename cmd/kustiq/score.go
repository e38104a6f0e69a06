package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/engine/offline"
)

func newScoreCommand() *cobra.Command {
	var file, instant string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "score --events FILE --at TIME",
		Short: "Score the customers in a file of raw Stripe events",
		Long: `Score every customer in a file of raw Stripe events of one account as of an instant, the riskiest first.

Events after the instant are left out: the scores are those that were known then. Test events are left out where there
are live ones. A dispute names only its charge; its customer is taken from the invoice and charge events in the file.
The points of a reason are on the score's scale, where ten points double the odds of churn. With --json every term is
printed with its weight, what the weight rests on ("data" or "prior"), and the events behind it. The terms sum to eta.

The input is read as by "kustiq classify"; listed objects are taken to be as they were at the instant.`,
		Example: `  kustiq score --events events.ndjson --at 2026-05-01T12:00:00Z
  kustiq score --events - --at 2026-05-01T12:00:00Z --json < events.ndjson | jq '.[] | select(.at_risk) | .customer'`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := time.Parse(time.RFC3339, instant)
			if err != nil {
				return fmt.Errorf("--at must be a time such as 2026-05-01T12:00:00Z, not %q", instant)
			}
			in, err := readEvents(cmd, file, at.Unix())
			if err != nil {
				return err
			}
			scores, left := in.Scores(at)
			left.Report(cmd.ErrOrStderr())
			if asJSON {
				err = offline.PrintJSON(cmd.OutOrStdout(), scores)
			} else {
				err = offline.PrintScores(cmd.OutOrStdout(), scores)
			}
			if err != nil {
				return err
			}
			return in.Err()
		},
	}
	eventFlags(cmd, &file, &asJSON)
	cmd.Flags().StringVar(&instant, "at", "", "instant to score at, in RFC 3339; the file's events up to it count")
	if err := cmd.MarkFlagRequired("at"); err != nil {
		panic(err) // only for a flag that does not exist
	}
	return cmd
}
