package browser

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/kustiq/kustiq/engine/signal"
)

const (
	daySeconds = 24 * 60 * 60
	// pastDays is how long the showcase's engine has run.
	pastDays = 60
)

// subject is one customer of the showcase with all that ever happens to it.
type subject struct {
	id, name, email string
	signals         []signal.Signal
}

// writer makes up one customer's history.
type writer struct {
	*subject
	random   *rand.Rand
	sub      signal.Subscription
	mrr      float64
	invoices int
}

// subjects makes up n customers up to an instant in unix seconds. The same call makes the same ones.
func subjects(n int, end int64) []*subject {
	random := rand.New(rand.NewPCG(7, 11))
	first := []string{"Alder", "Birch", "Cobalt", "Dune", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper", "Kestrel", "Lumen", "Marble", "Nordic", "Opal", "Pine"}
	second := []string{"Analytics", "Bakery", "Cloud", "Design", "Energy", "Foods", "Games", "Health", "Insurance", "Labs", "Logistics", "Media", "Robotics", "Studio", "Travel", "Works"}
	out := make([]*subject, n)
	for i := range out {
		name := first[random.IntN(len(first))] + " " + second[random.IntN(len(second))]
		w := &writer{random: random, subject: &subject{
			id: fmt.Sprintf("cus_%08X%04d", random.Uint32(), i), name: name,
			email: "billing@" + strings.ToLower(strings.ReplaceAll(name, " ", "-")) + ".example",
		}}
		w.live(i, end)
		slices.SortStableFunc(w.signals, func(a, b signal.Signal) int { return int(a.Created - b.Created) })
		out[i] = w.subject
	}
	return out
}

// live writes a history: some years or weeks of paying, and for some customers a trouble near the end.
func (w *writer) live(i int, end int64) {
	prices := []float64{4900, 9900, 19900, 49900, 129900}
	w.mrr = prices[w.random.IntN(len(prices))]
	currency := "eur"
	if i%9 == 4 {
		currency = "usd"
	}
	interval, term := 1.0, int64(30)
	if i%5 == 2 {
		interval, term = 12, 365
	}
	start := end - int64(30+w.random.IntN(700))*daySeconds - int64(w.random.IntN(daySeconds))
	w.sub = signal.Subscription{ID: "sub_" + w.id[4:], Status: "active", Currency: currency, Start: start, IntervalMonths: interval}
	w.tell(start, signal.CustomerCreated, func(s *signal.Signal) {
		s.Person = &signal.Person{Name: w.name, Email: w.email, CustomerCreated: start}
	})
	w.about(start, signal.SubscriptionObserved)
	if i%12 >= 7 && i%12 <= 9 {
		w.leave(i, start, end, term)
		return
	}
	at := start
	for ; at < end-term*daySeconds; at += term * daySeconds {
		w.sub.CurrentPeriodEnd = at + term*daySeconds
		w.paid(at, 1)
	}
	w.sub.CurrentPeriodEnd = at + term*daySeconds
	day := func(most int) int64 { return end - int64(w.random.IntN(most*daySeconds)) }
	switch i % 12 {
	case 0, 1, 2: // failed at renewal; most pay in the end
		at = day(2 * pastDays)
		w.failed(at, 1, 3)
		if w.random.IntN(3) > 0 && at+3*daySeconds < end {
			w.failed(at+3*daySeconds, 2, 5)
		}
		if paid := at + int64(4+w.random.IntN(9))*daySeconds; paid < end && w.random.IntN(4) > 0 {
			w.paid(paid, 3)
		}
	case 3:
		before := w.mrr
		w.mrr *= .4
		w.sub.PreviousMRR = &before
		w.about(day(90), signal.SubscriptionDowngraded)
	case 4:
		w.sub.CancelAtPeriodEnd, w.sub.CurrentPeriodEnd = true, end+int64(1+w.random.IntN(25))*daySeconds
		w.about(day(25), signal.CancelScheduled)
	case 5:
		if i%24 == 5 {
			w.sub.Paused = true
			w.about(day(20), signal.SubscriptionPaused)
		}
	case 6:
		if i%36 == 6 {
			w.tell(day(20), signal.DisputeCreated, func(s *signal.Signal) { s.Dispute = &signal.Dispute{ID: "dp_" + w.id[4:], Status: "needs_response"} })
		}
	}
}

// leave writes the history of somebody who has left by the end: every other one did not pay before.
func (w *writer) leave(i int, start, end, term int64) {
	gone := start + 40*daySeconds + w.random.Int64N(max(1, end-start-40*daySeconds))
	for at := start; at < gone; at += term * daySeconds {
		w.sub.CurrentPeriodEnd = at + term*daySeconds
		w.paid(at, 1)
	}
	if i%2 == 0 {
		w.failed(gone-9*daySeconds, 1, 3)
		w.failed(gone-6*daySeconds, 2, 5)
	}
	w.sub.Status, w.sub.EndedAt = "canceled", gone
	w.about(gone, signal.SubscriptionDeleted)
}

func (w *writer) tell(at int64, kind signal.Kind, with func(*signal.Signal)) {
	id := fmt.Sprintf("evt_1%013X%04d", w.random.Uint64()>>12, len(w.signals))
	s := signal.Signal{ID: id, EventID: id, Kind: kind, Created: at, Provenance: signal.FromEvent, Customer: w.id}
	with(&s)
	w.signals = append(w.signals, s)
}

func (w *writer) about(at int64, kind signal.Kind) {
	sub, mrr := w.sub, w.mrr
	sub.MRR = &mrr
	w.tell(at, kind, func(s *signal.Signal) { s.Subscription = &sub })
}

func (w *writer) invoice(attempt int) *signal.Invoice {
	return &signal.Invoice{
		ID: fmt.Sprintf("in_%s%03d", w.id[4:], w.invoices), Subscription: w.sub.ID, BillingReason: "subscription_cycle", Currency: w.sub.Currency,
		AttemptCount: attempt, AmountDue: int64(w.mrr * w.sub.IntervalMonths), IntervalMonths: w.sub.IntervalMonths,
	}
}

func (w *writer) paid(at int64, attempt int) {
	if attempt == 1 {
		w.invoices++
	}
	in := w.invoice(attempt)
	in.AmountPaid, in.PaidAt, in.Created = in.AmountDue, at, at
	w.tell(at, signal.PaymentSucceeded, func(s *signal.Signal) { s.Invoice = in })
}

func (w *writer) failed(at int64, attempt int, again int64) {
	if attempt == 1 {
		w.invoices++
	}
	in, next := w.invoice(attempt), at+again*daySeconds
	in.NextAttempt, in.Created = &next, at-3600
	w.tell(at, signal.PaymentFailed, func(s *signal.Signal) { s.Invoice = in })
}
