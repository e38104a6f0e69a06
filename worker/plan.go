package worker

import (
	"fmt"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

const (
	day = 24 * time.Hour
	// eventsReach is how far back Stripe lists events (API reference, "List all events").
	eventsReach = 30 * day
	// eventsMargin keeps the oldest events from vanishing between the start and the page that asks for them.
	eventsMargin = time.Hour
	// invoiceReach is how long before a happening its invoice may have been made: Stripe's longest retry schedule is
	// two months.
	invoiceReach = 60 * day
)

// section is one list to be read to its end. Its name is the resource of the API and the key of its checkpoint.
type section struct {
	name   string
	params stripeapi.ListParams
	// happened bounds what becomes a signal among the listed objects; events are bounded by the list itself.
	happened signal.ObjectOptions
}

// plan lists what a backfill has to read, in order. It depends on nothing but the task and the instant it first
// started, so that a resumed run continues exactly the same lists.
//
// What happened within the reach of Stripe's events is read as events, since those are what live delivery would have
// brought. Customers and subscriptions are read in full, as the state of now. What happened before is concluded from
// invoices, charges and disputes. The two ranges meet without overlapping; only a subscription's end is told by both.
// since, in unix seconds, leaves out what happened before; 0 leaves out nothing.
func plan(window string, since int64, until, started time.Time) ([]section, error) {
	from, err := windowStart(window, until)
	if err != nil {
		return nil, err
	}
	if later := time.Unix(since, 0); since > 0 && later.After(from) {
		from = later
	}
	recent := started.Add(-eventsReach + eventsMargin)
	if recent.Before(from) {
		recent = from
	}
	if recent.Sub(from) <= 2*eventsMargin {
		// The month's far end: an hour of it is not worth three more lists.
		from = recent
	}
	if recent.After(until) {
		recent = until.Add(time.Second)
	}
	end := until.Unix()
	before := signal.ObjectOptions{From: unix(from), Until: recent.Unix() - 1}
	var sections []section
	if recent.Unix() <= end {
		sections = append(sections, section{name: "events", params: stripeapi.ListParams{
			Types: signal.EventTypes(), CreatedGTE: recent.Unix(), CreatedLTE: end,
		}})
	}
	sections = append(sections,
		section{name: "customers", params: stripeapi.ListParams{CreatedLTE: end}, happened: signal.ObjectOptions{Until: end}},
		section{name: "subscriptions", params: stripeapi.ListParams{Status: "all", CreatedLTE: end},
			happened: signal.ObjectOptions{From: before.From, Until: end}})
	if from.Equal(recent) {
		return sections, nil
	}
	created := stripeapi.ListParams{CreatedGTE: before.From, CreatedLTE: before.Until}
	invoices, charges, disputes := created, created, created
	if before.From > 0 {
		invoices.CreatedGTE = from.Add(-invoiceReach).Unix()
	}
	charges.Expand = []string{"data.invoice"}
	disputes.Expand = []string{"data.charge"}
	return append(sections,
		section{name: "invoices", params: invoices, happened: before},
		section{name: "charges", params: charges, happened: before},
		section{name: "disputes", params: disputes, happened: before},
	), nil
}

// windowStart is zero for all time.
func windowStart(window string, until time.Time) (time.Time, error) {
	switch window {
	case "30d":
		return until.Add(-30 * day), nil
	case "90d":
		return until.Add(-90 * day), nil
	case "AllTime":
		return time.Time{}, nil
	}
	return time.Time{}, fmt.Errorf("worker: unknown backfill window %q", window)
}

// unix gives 0, which means unbounded, for the zero time.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
