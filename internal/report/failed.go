package report

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// failureWords say what stood in the way of an event, by the reason it is listed with.
var failureWords = map[string]string{
	"unattributed": "no customer: its charge has none",
	"processing":   "could not be scored in any try",
	"undecodable":  "not as Stripe documents it",
	"gone":         "Stripe no longer has it (30 days)",
	"disconnected": "its connection is gone",
	"unreachable":  "Stripe could not be asked in any try",
}

// FailureWords are the words for a reason; a reason of a newer version stands for itself.
func FailureWords(reason string) string {
	if words, ok := failureWords[reason]; ok {
		return words
	}
	return Printable(reason)
}

// FailedTable writes failed events as a table; a wide one has accounts and when the events happened, too.
func FailedTable(w io.Writer, failed Failed, wide bool) error {
	if len(failed.Events) == 0 {
		_, err := fmt.Fprintf(w, "No failed events in %s.\n", Printable(failed.Workspace))
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	title := "EVENT\tTYPE\tMODE\tTRIES\tFAILED\tREASON"
	if wide {
		title += "\tACCOUNT\tHAPPENED"
	}
	fmt.Fprintln(table, title)
	for _, e := range failed.Events {
		mode := "test"
		if e.Livemode {
			mode = "live"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s", Printable(e.Event), orUnknown(Printable(e.Type)), mode, e.Attempts,
			Ago(e.FailedAt, failed.AsOf), FailureWords(e.Reason))
		if wide {
			fmt.Fprintf(table, "\t%s\t%s", orUnknown(Printable(e.Account)), Ago(e.Created, failed.AsOf))
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}
