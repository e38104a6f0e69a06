package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kustiq/kustiq/engine/offline"
)

// standardInput is the file name that means it.
const standardInput = "-"

func newClassifyCommand() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "classify --events FILE",
		Short: "Print the signals in a file of raw Stripe events",
		Long: `Print the signals that Kustiq takes from raw Stripe events of one account, in the order in which they count.

The input holds one event a line; a file with one pretty-printed event, an array, or a Stripe list of events is read
too. Customers, subscriptions, invoices, charges and disputes as Stripe lists them are read as well, and give what they
tell of the past. The order of the input does not matter, and what is there twice counts once. An event that cannot be
used is told on the error output by its position, the others are still printed, and the command then fails. E-mail
addresses, names and everything else that signals do not carry are not printed.`,
		Example: `  kustiq classify --events events.ndjson
  stripe events list --limit 100 | kustiq classify --events -
  stripe invoices list --limit 100 | kustiq classify --events -
  kustiq classify --events events.ndjson --json | jq -r '.[] | select(.kind == "invoice.payment_failed") | .customer'`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := readEvents(cmd, file, 0)
			if err != nil {
				return err
			}
			if asJSON {
				err = offline.PrintJSON(cmd.OutOrStdout(), in.Signals())
			} else {
				err = offline.PrintSignals(cmd.OutOrStdout(), in.Signals())
			}
			if err != nil {
				return err
			}
			return in.Err()
		},
	}
	eventFlags(cmd, &file, &asJSON)
	return cmd
}

func eventFlags(cmd *cobra.Command, file *string, asJSON *bool) {
	cmd.Flags().StringVar(file, "events", "", "file of raw Stripe events, one JSON object a line; - for standard input")
	cmd.Flags().BoolVar(asJSON, "json", false, "print a JSON array instead of a table")
	if err := cmd.MarkFlagRequired("events"); err != nil {
		panic(err) // only for a flag that does not exist
	}
}

// readEvents reads a file or standard input and tells of bad events on the error output.
func readEvents(cmd *cobra.Command, file string, listedAt int64) (*offline.Input, error) {
	var from io.Reader = cmd.InOrStdin()
	if file != standardInput {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("open events: %w", err)
		}
		defer f.Close()
		from = f
	}
	in, err := offline.Read(from, listedAt)
	if err != nil {
		return nil, err
	}
	in.Report(cmd.ErrOrStderr())
	return in, nil
}
