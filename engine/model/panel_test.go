package model

import (
	"reflect"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

// told is a monthly customer who paid first at a time, and then what else is given.
func told(id string, start int64, more ...signal.Signal) []signal.Signal {
	l := &life{world: &world{}, person: person{id: id}, months: 1, mrr: 4900, start: start}
	l.begin()
	return append(l.signals, more...)
}

func about(id string, kind signal.Kind, at int64) signal.Signal {
	return signal.Signal{ID: id + string(kind) + time.Unix(at, 0).UTC().String(), Kind: kind, Created: at, Provenance: signal.FromEvent, Customer: id,
		Subscription: &signal.Subscription{ID: "sub_" + id, Status: "active", IntervalMonths: 1}}
}

// landmarks lists the rows as landmark and label.
func landmarks(p *Panel) (out []string) {
	p.each(p.all(), func(r *row, _ []cell) {
		text := timeOf(r.landmark).Format("01-02")
		if r.churned() {
			text += " left"
		}
		out = append(out, text)
	})
	return out
}

var asOf = time.Date(2026, 1, 29, 0, 0, 0, 0, time.UTC) // a Thursday, as landmarks are

func before(days int64) int64 { return asOf.Unix() - days*day }

func TestRowsAreWhoCouldLeave(t *testing.T) {
	ended := about("cus_1", signal.SubscriptionDeleted, before(35))
	ended.Subscription.Status = "canceled"
	for name, c := range map[string]struct {
		signals []signal.Signal
		want    []string
	}{
		"a paying customer": {told("cus_1", before(50)), []string{"12-11", "12-18", "12-25"}},
		"from the first landmark after its beginning, with outcomes that are known": {told("cus_1", before(38)), []string{"12-25"}},
		"too young": {told("cus_1", before(29)), nil},
		"ended":     {told("cus_1", before(60), ended), []string{"12-04 left", "12-11 left", "12-18 left"}},
		"leaving":   {told("cus_1", before(60), about("cus_1", signal.CancelScheduled, before(43)), ended), []string{"12-04 left", "12-11 left"}},
		"a landmark knows what happened at its own instant": {told("cus_1", before(60), about("cus_1", signal.CancelScheduled, before(42))),
			[]string{"12-04 left", "12-11 left"}},
		"a cancellation more than 30 days later": {told("cus_1", before(60), about("cus_1", signal.CancelScheduled, before(10))),
			[]string{"12-04", "12-11", "12-18", "12-25 left"}},
		"30 days to the second": {told("cus_1", before(50), about("cus_1", signal.CancelScheduled, before(49-30))), []string{"12-11 left", "12-18 left", "12-25 left"}},
		"a second more":         {told("cus_1", before(50), about("cus_1", signal.CancelScheduled, before(49-30)+1)), []string{"12-11", "12-18 left", "12-25 left"}},
		"withdrawn, and left again": {told("cus_1", before(60), about("cus_1", signal.CancelScheduled, before(55)),
			about("cus_1", signal.CancelWithdrawn, before(45)), about("cus_1", signal.CancelScheduled, before(3))),
			[]string{"12-04 left", "12-18", "12-25"}},
		"never paid": {told("cus_1", before(60))[:1], nil},
		"a failed sign-up": {[]signal.Signal{{ID: "evt_1", Kind: signal.PaymentFailed, Created: before(60), Customer: "cus_1",
			Invoice: &signal.Invoice{ID: "in_1", Subscription: "sub_1", BillingReason: "subscription_create", AttemptCount: 1, Created: before(60)}}}, nil},
		"after the instant nothing is known": {told("cus_1", before(50), about("cus_1", signal.CancelScheduled, before(-1))), []string{"12-11", "12-18", "12-25"}},
		"nothing":                            {nil, nil},
	} {
		p := NewPanel(asOf)
		p.Add("cus_1", c.signals)
		if got := landmarks(p); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A panel's row is what a score is: the terms of a live evaluation at that instant, over the signals up to it.
func TestARowIsTheScoreAtItsInstant(t *testing.T) {
	people := agreed(3, 1).populate(60)
	p := panelOf(people)
	byID := map[string][]signal.Signal{}
	for i := range people {
		byID[people[i].id] = people[i].signals
	}
	published, rows := prior(), 0
	p.each(p.all(), func(r *row, cells []cell) {
		var known []signal.Signal
		for _, s := range byID[p.customers[r.customer]] {
			if s.Created <= landmarkAt(r.landmark) {
				known = append(known, s)
			}
		}
		e := scoring.Evaluate(scoring.Fold(known), timeOf(r.landmark), scoring.Prior())
		if got := published.eta(r, cells); got-e.Eta > 1e-4 || e.Eta-got > 1e-4 {
			t.Fatalf("%s at %s: %v, the score's is %v", p.customers[r.customer], timeOf(r.landmark), got, e.Eta)
		}
		rows++
	})
	if rows < 500 {
		t.Errorf("%d rows", rows)
	}
}

func TestOldHistoryIsLeftOut(t *testing.T) {
	p := NewPanel(asOf)
	p.Add("cus_1", told("cus_1", before(2000)))
	if s := p.all(); s.days() < 723 || s.days() > 730 || p.Rows() > 105 {
		t.Errorf("%d days, %d rows", s.days(), p.Rows())
	}
	rows, customers, churns := p.counts(p.all())
	if rows != p.Rows() || customers != 1 || churns != 0 {
		t.Errorf("%d rows, %d customers, %d churns", rows, customers, churns)
	}
}

func TestChurnsCountOnce(t *testing.T) {
	p := NewPanel(asOf)
	p.Add("cus_1", told("cus_1", before(60), about("cus_1", signal.CancelScheduled, before(43))))
	p.Add("cus_2", told("cus_2", before(60), about("cus_2", signal.CancelScheduled, before(43))))
	p.Add("cus_3", told("cus_3", before(10)))
	rows, customers, churns := p.counts(p.all())
	if rows != 4 || customers != 2 || churns != 2 {
		t.Errorf("%d rows, %d customers, %d churns", rows, customers, churns)
	}
}
