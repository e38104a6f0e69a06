package scoring

import (
	"slices"

	"github.com/kustiq/kustiq/engine/signal"
)

const (
	reasonCreate = "subscription_create"
	// forgetFailures is how long after its last failure a paid invoice still matters: a Critical window may end 28 days
	// ago and reaches 14 days further back.
	forgetFailures = criticalAge + criticalWindow
	// forgetInvoices bounds the state: a paid or never attempted invoice is forgotten this long after its last news.
	// What Stripe tells of a payment twice, as an event and in a list, is seconds apart.
	forgetInvoices = 90 * 86400
	// forgetEvery is how many invoices are added between two looks for what to forget.
	forgetEvery = 16
)

// invoice is what is remembered of one invoice. Once paid it is never unpaid.
type invoice struct {
	ID           string    `json:"-"`
	Subscription string    `json:"subscription,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	Created      int64     `json:"created,omitempty"`
	PaidAt       int64     `json:"paid_at,omitempty"`
	Attempts     []attempt `json:"attempts,omitempty"`
	// Highest is the highest attempt count seen; attempts may have been missed.
	Highest int `json:"highest,omitempty"`
	// Final says that Stripe plans no attempt after the highest one.
	Final      bool `json:"final,omitempty"`
	FinalCount int  `json:"final_count,omitempty"`
	// PaidBefore says that the customer had paid something before this invoice first failed.
	PaidBefore bool `json:"paid_before,omitempty"`
}

// attempt is one failed payment.
type attempt struct {
	// Count is Stripe's attempt count; 0 where the source does not know it.
	Count int    `json:"count,omitempty"`
	At    int64  `json:"at"`
	ID    string `json:"id"`
	// Source ranks where the time comes from; lower is better.
	Source uint8 `json:"source,omitempty"`
}

const (
	sourceEvent = iota
	sourceObject
	sourceInferred
)

func sourceOf(p signal.Provenance) uint8 {
	switch p {
	case signal.FromInference:
		return sourceInferred
	case signal.FromListed:
		return sourceObject
	default:
		return sourceEvent
	}
}

// signup reports whether the invoice is a first payment that failed: a failed signup, not dunning.
func (i *invoice) signup() bool { return i.Reason == reasonCreate && !i.PaidBefore }

func (i *invoice) unpaidFailure() bool { return i.PaidAt == 0 && !i.signup() }

// record adds a failed attempt unless it is known: the same count, or the same second without a count.
func (i *invoice) record(sig *signal.Signal) {
	a := attempt{Count: sig.Invoice.AttemptCount, At: sig.Created, ID: sig.ID, Source: sourceOf(sig.Provenance)}
	// A charge knows neither its attempt count nor whether another attempt is planned.
	if a.Count >= i.FinalCount && (a.Count > 0 || a.Source == sourceEvent) {
		i.Final, i.FinalCount = sig.Invoice.NextAttempt == nil, a.Count
	}
	i.Highest = max(i.Highest, a.Count)
	for n := range i.Attempts {
		known := &i.Attempts[n]
		if known.Count != a.Count || (a.Count == 0 && known.At != a.At) {
			continue
		}
		if a.Source < known.Source {
			*known = a
		}
		return
	}
	i.Attempts = append(i.Attempts, a)
}

// class tells three views of the same attempts apart: counted by an event, seen as a charge, and inferred.
func (a *attempt) class() int {
	switch {
	case a.Count == 0:
		return 1
	case a.Source == sourceInferred:
		return 2
	default:
		return 0
	}
}

// view picks the attempts to count: those of the class that knows most, and inferred ones only without others. An
// attempt may appear as an event and as a charge some time apart, so the classes are never added up.
func (i *invoice) view() (class, count int) {
	var counts [3]int
	for n := range i.Attempts {
		counts[i.Attempts[n].class()]++
	}
	switch {
	case counts[0] >= counts[1] && counts[0] > 0:
		return 0, counts[0]
	case counts[1] > 0:
		return 1, counts[1]
	default:
		return 2, counts[2]
	}
}

// failures is n: the distinct attempts, or the highest count where some were missed.
func (i *invoice) failures() int {
	_, count := i.view()
	return max(count, i.Highest)
}

// lastFailure is the newest known time; an inferred one only when there is no other.
func (i *invoice) lastFailure() int64 {
	var known, inferred int64
	for n := range i.Attempts {
		a := &i.Attempts[n]
		if a.class() == 2 {
			inferred = max(inferred, a.At)
		} else {
			known = max(known, a.At)
		}
	}
	if known > 0 {
		return known
	}
	return inferred
}

// failure is one distinct failed payment in time.
type failure struct {
	at     int64
	unpaid bool
}

// appendFailures lists the distinct failures since an instant. Where attempts were missed, the invoice's creation stands
// for them.
func (i *invoice) appendFailures(into []failure, since int64) []failure {
	class, seen := i.view()
	for n := range i.Attempts {
		if a := &i.Attempts[n]; a.class() == class && a.At >= since {
			into = append(into, failure{at: a.At, unpaid: i.PaidAt == 0})
		}
	}
	if i.Highest > seen && i.Created > 0 && i.Created >= since {
		into = append(into, failure{at: i.Created, unpaid: i.PaidAt == 0})
	}
	return into
}

// learnInvoice takes over an invoice's facts and gives its record.
func (s *State) learnInvoice(facts *signal.Invoice) *invoice {
	inv := s.m.Invoices[facts.ID]
	if inv == nil {
		if s.m.Invoices == nil {
			s.m.Invoices = map[string]*invoice{}
		}
		s.forgetInvoices(facts.Created)
		inv = &invoice{ID: facts.ID}
		s.m.Invoices[facts.ID] = inv
	}
	if inv.Subscription == "" {
		inv.Subscription = facts.Subscription
	}
	if inv.Reason == "" {
		inv.Reason = facts.BillingReason
	}
	inv.Created = earliest(inv.Created, facts.Created)
	s.m.Tenure = earliest(s.m.Tenure, facts.Created)
	if facts.Subscription != "" {
		s.subscription(facts.Subscription).learnInvoice(facts)
	}
	return inv
}

func (s *State) fail(sig *signal.Signal) {
	inv := s.learnInvoice(sig.Invoice)
	if len(inv.Attempts) == 0 {
		inv.PaidBefore = s.m.FirstPaid != 0
		s.forget(sig.Created)
		s.m.failed = append(s.m.failed, inv)
	}
	inv.record(sig)
}

// forgetInvoices keeps the state from growing with history. It depends on nothing but the signals so far, so a rebuild
// forgets the same ones.
func (s *State) forgetInvoices(now int64) {
	if n := len(s.m.Invoices); n < 2*forgetEvery || n%forgetEvery != 0 {
		return
	}
	for id, inv := range s.m.Invoices {
		settled := inv.PaidAt != 0 || len(inv.Attempts) == 0
		if settled && now-max(inv.PaidAt, inv.Created, inv.lastFailure()) > forgetInvoices {
			delete(s.m.Invoices, id)
		}
	}
}

// forget drops the paid invoices whose failures can no longer matter, so that the list does not grow with history.
func (s *State) forget(now int64) {
	s.m.failed = slices.DeleteFunc(s.m.failed, func(inv *invoice) bool {
		return inv.PaidAt != 0 && now-inv.lastFailure() > forgetFailures
	})
}

// pay settles an invoice. It is a recovery when the invoice had failed and counted as dunning.
func (s *State) pay(sig *signal.Signal) {
	inv := s.learnInvoice(sig.Invoice)
	if inv.PaidAt != 0 {
		return
	}
	if len(inv.Attempts) > 0 && inv.unpaidFailure() {
		s.m.Residual.recover(s.dunning(), sig)
	}
	inv.PaidAt = sig.Created
	if s.m.FirstPaid == 0 {
		s.m.FirstPaid = sig.Created
	}
	if inv.Subscription != "" {
		s.subscription(inv.Subscription).paid(sig)
	}
}

// residual is what remains of the worst recovered episode. All episodes halve at the same pace, so whichever is worst
// once stays it, and one is enough to remember.
type residual struct {
	Amount   float64 `json:"amount"`
	At       int64   `json:"at"`
	Failures int     `json:"failures"`
	Evidence string  `json:"evidence"`
}

func (r *residual) at(t int64) float64 { return r.Amount * halved(t-r.At, residualHalfLife) }

// recover notes a payment. What an older, worse episode left is capped by the dunning that ends now: otherwise a
// payment could raise the score that it should lower.
func (r *residual) recover(d dunning, sig *signal.Signal) {
	before := d.weight(&priorWeights, sig.Created) // a fit weighs the residual, which therefore is in the prior's terms
	fresh := min(residualBase+residualStep*float64(min(d.failures-1, residualSteps)), residualShare*before)
	old := r.at(sig.Created)
	switch {
	case fresh >= old:
		*r = residual{Amount: fresh, At: sig.Created, Failures: d.failures, Evidence: sig.ID}
	case old > before:
		r.Amount, r.At = before, sig.Created
	}
}
