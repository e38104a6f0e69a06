package offline

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

// Signals are all signals of the input, live and test, without e-mail addresses and names.
func (in *Input) Signals() []signal.Signal {
	all := scoring.Ordered(append(append([]signal.Signal{}, in.Live...), in.Test...))
	for i := range all {
		if p := all[i].Person; p != nil {
			all[i].Person = &signal.Person{ProfileID: p.ProfileID, CustomerCreated: p.CustomerCreated}
		}
	}
	return all
}

// PrintSignals writes a line a signal.
func PrintSignals(w io.Writer, signals []signal.Signal) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TIME\tCUSTOMER\tSIGNAL\tABOUT\tDETAIL\tID")
	for i := range signals {
		s := &signals[i]
		about, detail := describe(s)
		row(table, moment(s.Created), s.Customer, string(s.Kind), about, detail, s.ID)
	}
	return table.Flush()
}

// row writes cells, with a dash for an empty one. Ids come from the input, so control characters are taken out.
func row(w io.Writer, cells ...string) {
	for i, cell := range cells {
		cells[i] = cmp.Or(strings.Map(printable, cell), "-")
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

func printable(r rune) rune {
	if strconv.IsPrint(r) {
		return r
	}
	return -1
}

func moment(t int64) string { return time.Unix(t, 0).UTC().Format(time.RFC3339) }

// describe names what a signal is about and says the most of it in a few words.
func describe(s *signal.Signal) (about, detail string) {
	switch {
	case s.Dispute != nil:
		return s.Dispute.ID, s.Dispute.Status
	case s.Invoice != nil:
		return s.Invoice.ID, invoiceDetail(s.Kind, s.Invoice)
	case s.Subscription != nil:
		return s.Subscription.ID, subscriptionDetail(s.Subscription)
	default:
		return "", ""
	}
}

func invoiceDetail(kind signal.Kind, i *signal.Invoice) string {
	due := money(float64(i.AmountDue), i.Currency) + " due"
	switch {
	case kind == signal.PaymentFailed:
		attempt := ""
		if i.AttemptCount > 0 {
			attempt = fmt.Sprintf("attempt %d, ", i.AttemptCount)
		}
		if i.NextAttempt == nil {
			return attempt + "no further planned, " + due
		}
		return attempt + "next " + moment(*i.NextAttempt) + ", " + due
	case kind == signal.PaymentSucceeded && i.OutOfBand:
		return "paid outside Stripe"
	case kind == signal.PaymentSucceeded:
		return money(float64(i.AmountPaid), i.Currency) + " paid"
	default:
		return due
	}
}

func subscriptionDetail(s *signal.Subscription) string {
	value := "value unknown"
	if s.MRR != nil {
		value = money(*s.MRR, s.Currency) + " a month"
	}
	if s.PreviousMRR != nil {
		value = money(*s.PreviousMRR, s.Currency) + " to " + value
	}
	if s.Status != "" {
		value += ", " + s.Status
	}
	return value
}

// money writes an amount in minor units. Some currencies have none, and some three digits of them.
func money(minor float64, currency string) string {
	digits := 2
	switch currency {
	case "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf":
		digits = 0
	case "bhd", "jod", "kwd", "omr", "tnd":
		digits = 3
	}
	scale := [...]float64{0: 1, 2: 100, 3: 1000}[digits]
	return strings.TrimSpace(strconv.FormatFloat(minor/scale, 'f', digits, 64) + " " + strings.ToUpper(currency))
}
