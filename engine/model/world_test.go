package model

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/stripesim/hazard"
)

// world is a workspace whose customers leave by a known truth: package hazard's, as it is or changed by the workspace's
// own level and by how much more or less open dunning and everything else weigh there.
type world struct {
	random          *rand.Rand
	level           float64
	dunning, events float64
	from, to        int64
}

// end is the present of every world.
var end = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// agreed is a world that follows the truth as it is.
func agreed(seed uint64, years float64) *world {
	return &world{random: rand.New(rand.NewPCG(seed, 5)), dunning: 1, events: 1,
		from: end.Unix() - int64(years*365*day), to: end.Unix()}
}

// odd is a world with a truth of its own.
func odd(seed uint64, years float64) *world {
	w := agreed(seed, years)
	w.level = hazardSpread * w.random.NormFloat64()
	w.dunning = 0.3 + 1.2*w.random.Float64()
	w.events = 0.2 + 1.6*w.random.Float64()
	return w
}

// hazardSpread is how much workspaces' levels of churn differ, in log-odds.
const hazardSpread = 0.6

// person is one customer: what Stripe told, and the truth at each landmark.
type person struct {
	id      string
	signals []signal.Signal
	truth   map[int32]float64
}

// life is a person as time passes, a day at a time.
type life struct {
	*world
	person
	mood                 hazard.Mood
	months               float64
	start, periodStart   int64
	periodEnd            int64
	mrr                  float64
	paused               int64
	ending, gone, unpaid bool
	attempts, invoices   int
	nextAttempt          int64
	disputes             int
}

// populate makes n customers.
func (w *world) populate(n int) []person {
	out := make([]person, n)
	for i := range out {
		l := &life{world: w, person: person{id: fmt.Sprintf("cus_%05d", i), truth: map[int32]float64{}}, months: 1, mrr: 4900}
		if w.random.Float64() < 0.2 {
			l.months = 12
		}
		l.start = (w.from + int64(w.random.Float64()*0.9*float64(w.to-w.from))) / day * day
		l.begin()
		for at := l.start + day; at < w.to && !l.gone; at += day {
			l.live(at)
		}
		out[i] = l.person
	}
	return out
}

// panelOf lays out people up to the end of their world.
func panelOf(people []person) *Panel {
	p := NewPanel(end)
	for i := range people {
		p.Add(people[i].id, people[i].signals)
	}
	return p
}

func (l *life) tell(kind signal.Kind, at int64) *signal.Signal {
	id := fmt.Sprintf("evt_%s_%d", l.id, len(l.signals))
	l.signals = append(l.signals, signal.Signal{ID: id, EventID: id, Kind: kind, Created: at, Provenance: signal.FromEvent, Customer: l.id})
	return &l.signals[len(l.signals)-1]
}

func (l *life) sub(kind signal.Kind, at int64) *signal.Subscription {
	mrr := l.mrr
	facts := &signal.Subscription{ID: "sub_" + l.id, Status: "active", Currency: "usd", Start: l.start, MRR: &mrr, IntervalMonths: l.months,
		CurrentPeriodEnd: l.periodEnd, CancelAtPeriodEnd: l.ending, Paused: l.paused != 0}
	l.tell(kind, at).Subscription = facts
	return facts
}

func (l *life) invoice(kind signal.Kind, at int64) *signal.Invoice {
	reason := "subscription_cycle"
	if l.invoices == 1 {
		reason = "subscription_create"
	}
	facts := &signal.Invoice{ID: fmt.Sprintf("in_%s_%d", l.id, l.invoices), Subscription: "sub_" + l.id, BillingReason: reason, Currency: "usd",
		AmountDue: 4900, Created: l.periodStart}
	l.tell(kind, at).Invoice = facts
	return facts
}

func (l *life) begin() {
	l.tell(signal.CustomerCreated, l.start).Person = &signal.Person{CustomerCreated: l.start}
	l.period(l.start)
	l.sub(signal.SubscriptionObserved, l.start)
	l.pay(l.start)
}

func (l *life) period(at int64) {
	l.invoices++
	l.periodStart, l.periodEnd = at, time.Unix(at, 0).UTC().AddDate(0, int(l.months), 0).Unix()
}

func (l *life) pay(at int64) {
	facts := l.invoice(signal.PaymentSucceeded, at)
	facts.AmountPaid, facts.PaidAt = 4900, at
	l.mood.Settled(at, l.mood.Failures())
	l.unpaid, l.attempts = false, 0
}

func (l *life) fail(at int64) {
	l.unpaid = true
	l.attempts++
	facts := l.invoice(signal.PaymentFailed, at)
	facts.AttemptCount = l.attempts
	if l.attempts < 4 {
		l.nextAttempt = at + 3*day
		facts.NextAttempt = &l.nextAttempt
	} else {
		l.nextAttempt = 0
	}
	l.mood.Failed(at, l.attempts >= 4)
}

// p30 is the truth.
func (l *life) p30(at int64) float64 {
	facts := hazard.Facts{Months: l.months, Tenure: float64(at-l.start) / day, ToRenewal: float64(l.periodEnd-at) / day, TermPaid: !l.unpaid}
	return hazard.P30(hazard.Baseline(facts) + l.level + l.dunning*l.mood.Dunning(at) + l.events*l.mood.Lasting(at))
}

// live is one day. Things happen at midnight, as landmarks are, and customers decide at noon.
func (l *life) live(at int64) {
	switch {
	case at >= l.periodEnd && l.ending:
		l.sub(signal.SubscriptionDeleted, at).Status = "canceled"
		l.gone = true
		return
	case at >= l.periodEnd && l.unpaid:
		l.periodEnd = at + 30*day // billing rests while an invoice is unpaid
	case at >= l.periodEnd:
		l.period(at)
		if l.random.Float64() < 0.06 {
			l.fail(at)
		} else {
			l.pay(at)
		}
	case l.unpaid && l.nextAttempt != 0 && at >= l.nextAttempt:
		if l.random.Float64() < 0.45 {
			l.pay(at)
		} else {
			l.fail(at)
		}
	case l.unpaid && l.random.Float64() < 0.02:
		l.pay(at)
	}
	l.happen(at)
	if at%week == 0 {
		l.truth[int32(at/week)] = l.p30(at)
	}
	l.decide(at)
}

func (l *life) happen(at int64) {
	switch u := l.random.Float64(); {
	case l.ending:
	case l.paused != 0:
		if at-l.paused > 25*day {
			l.paused = 0
			l.mood.Resumed(at)
			l.sub(signal.SubscriptionResumed, at)
		}
	case u < 0.002:
		l.reprice(at)
	case u < 0.0026:
		l.paused = at
		l.mood.Paused()
		l.sub(signal.SubscriptionPaused, at)
	case u < 0.0029:
		l.disputes++
		l.mood.Disputed(at)
		l.tell(signal.DisputeCreated, at).Dispute = &signal.Dispute{ID: fmt.Sprintf("dp_%s_%d", l.id, l.disputes), Status: "needs_response"}
	}
}

func (l *life) reprice(at int64) {
	before, kind := l.mrr, signal.SubscriptionUpgraded
	l.mrr *= 1.5
	if l.random.Float64() < 0.4 {
		l.mrr, kind = before/2, signal.SubscriptionDowngraded
	}
	l.mood.PriceChanged(at, before, l.mrr)
	l.sub(kind, at).PreviousMRR = &before
}

// decide is where people leave by the truth, or take it back.
func (l *life) decide(at int64) {
	at += day / 2
	if l.ending {
		if l.random.Float64() < 0.008 {
			l.ending = false
			l.mood.Withdrew(at)
			l.sub(signal.CancelWithdrawn, at)
		}
		return
	}
	if l.random.Float64() >= hazard.Within(l.p30(at), 1) {
		return
	}
	if l.random.Float64() < 0.3 {
		l.sub(signal.SubscriptionDeleted, at).Status = "canceled"
		l.gone = true
		return
	}
	l.ending = true
	l.sub(signal.CancelScheduled, at)
}
