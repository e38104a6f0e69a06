package scoring

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
)

// Outcome is what an evaluation comes to.
type Outcome struct {
	Score int     `json:"score"`
	Tier  Tier    `json:"tier"`
	P30   float64 `json:"p30"`
	// Segment is whether the customer belongs to the at-risk segment.
	Segment bool `json:"at_risk"`
}

// Outcome of the evaluation.
func (e Evaluation) Outcome() Outcome {
	return Outcome{Score: e.Score, Tier: e.Tier, P30: e.P30, Segment: e.Segment}
}

// WhatIf is a score under something that has not happened.
type WhatIf struct {
	// Name is stable: one of invoices_paid, payment_fails_again, cancellation_withdrawn, resumed, price_restored, quiet_7d.
	Name string `json:"name"`
	// Label says it in words: "the open invoice is paid now".
	Label  string  `json:"label"`
	Before Outcome `json:"before"`
	After  Outcome `json:"after"`
}

// quietDays is how far ahead a customer is looked at of whom nothing is heard.
const quietDays = 7

// WhatIfs evaluates, at an instant, what would become of the score under each thing that may happen to this customer.
// Each is applied to a copy of the state as its signal would be, and evaluated anew. Those that change neither score
// nor tier are left out. It fails only for a state that cannot be copied.
func (s *State) WhatIfs(now time.Time, p Params) ([]WhatIf, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("copy a state: %w", err)
	}
	before := Evaluate(s, now, p).Outcome()
	whatIfs := []WhatIf{}
	add := func(name, label string, after Outcome) {
		if after.Score != before.Score || after.Tier != before.Tier {
			whatIfs = append(whatIfs, WhatIf{Name: name, Label: label, Before: before, After: after})
		}
	}
	if before.Tier != Churned && before.Tier != Unscored {
		for _, c := range s.possible(max(now.Unix(), s.m.Mark.Created)) {
			changed := &State{}
			if err := json.Unmarshal(raw, changed); err != nil {
				return nil, err
			}
			for i := range c.signals {
				changed.apply(&c.signals[i])
			}
			add(c.name, c.label, Evaluate(changed, now, p).Outcome())
		}
	}
	quiet := Evaluate(s, now.AddDate(0, 0, quietDays), p).Outcome()
	add("quiet_7d", "nothing happens for "+number(quietDays)+" days", quiet)
	return whatIfs, nil
}

// possibility is something that may happen now, as the signals that would tell of it.
type possibility struct {
	name, label string
	signals     []signal.Signal
}

// possible lists what may happen at t to a customer in this state.
func (s *State) possible(t int64) (all []possibility) {
	add := func(name, label string, signals ...signal.Signal) {
		if len(signals) > 0 {
			all = append(all, possibility{name, label, signals})
		}
	}
	pays, fails := s.openInvoices(t)
	settled := "the open invoice is paid now"
	if len(pays) > 1 {
		settled = "all " + number(len(pays)) + " open invoices are paid now"
	}
	add("invoices_paid", settled, pays...)
	add("payment_fails_again", "the payment fails once more now", fails...)
	var stays, resumes []signal.Signal
	leaving := true
	for i := range s.m.Subscriptions {
		sub := &s.m.Subscriptions[i]
		leaving = leaving && (sub.Ending || !sub.live())
		if sub.live() && sub.Ending {
			stays = append(stays, subscriptionAt(signal.CancelWithdrawn, t, signal.Subscription{ID: sub.ID}))
		}
		if sub.live() && sub.Paused {
			resumes = append(resumes, subscriptionAt(signal.SubscriptionResumed, t, signal.Subscription{ID: sub.ID}))
		}
	}
	if leaving { // a scheduled end beside a subscription that stays does not count until it comes
		add("cancellation_withdrawn", "the cancellation is taken back now", stays...)
	}
	add("resumed", "the subscription is resumed now", resumes...)
	add("price_restored", "the downgrade is taken back now", s.restored(t)...)
	return all
}

// openInvoices returns the payments of all unpaid failed invoices, and one more failure of the one that failed last;
// none where Stripe plans no further attempt.
func (s *State) openInvoices(t int64) (pays, fails []signal.Signal) {
	var last *invoice
	for _, inv := range s.m.failed {
		if !inv.unpaidFailure() {
			continue
		}
		pays = append(pays, signal.Signal{Kind: signal.PaymentSucceeded, Created: t, Provenance: signal.FromEvent,
			Invoice: &signal.Invoice{ID: inv.ID, OutOfBand: true}})
		if last == nil || inv.lastFailure() >= last.lastFailure() {
			last = inv
		}
	}
	if last == nil || last.Final {
		return pays, nil
	}
	again := signal.Invoice{ID: last.ID, NextAttempt: &t}
	if last.Highest > 0 {
		again.AttemptCount = last.Highest + 1
	}
	return pays, []signal.Signal{{Kind: signal.PaymentFailed, Created: t, Provenance: signal.FromEvent, Invoice: &again}}
}

// restored is the upgrade that takes the last downgrade back; nothing where no downgrade weighs any more.
func (s *State) restored(t int64) []signal.Signal {
	sub, moves := s.main(), &s.m.Price
	if sub == nil || !sub.live() || sub.MRR <= 0 || moves.Last <= 0 || moves.at(t, priceHalfLife) <= 0 {
		return nil
	}
	now, restored := sub.MRR, sub.MRR*math.Exp2(moves.Last)
	return []signal.Signal{subscriptionAt(signal.SubscriptionUpgraded, t,
		signal.Subscription{ID: sub.ID, PreviousMRR: &now, MRR: &restored})}
}

func subscriptionAt(kind signal.Kind, t int64, sub signal.Subscription) signal.Signal {
	return signal.Signal{Kind: kind, Created: t, Provenance: signal.FromEvent, Subscription: &sub}
}

// Change is what the newest churn or recovery event did to a score, at its own instant.
type Change struct {
	// Signal is the newest of the event's signals.
	Signal signal.Signal
	Before Outcome
	After  Outcome
}

// LastChange folds a customer's signals up to the newest event that can move a score, without it and with it; ok is
// false when there is none.
func LastChange(signals []signal.Signal, p Params) (c Change, ok bool) {
	ordered := Ordered(signals)
	last := len(ordered) - 1
	for last >= 0 && !moving(&ordered[last]) {
		last--
	}
	if last < 0 {
		return Change{}, false
	}
	c.Signal = ordered[last]
	first := last // of the signals of the same event
	for first > 0 && moving(&ordered[first-1]) && eventOf(&ordered[first-1]) == eventOf(&c.Signal) {
		first--
	}
	at := time.Unix(c.Signal.Created, 0)
	c.Before = Evaluate(Fold(ordered[:first]), at, p).Outcome()
	c.After = Evaluate(Fold(ordered[:last+1]), at, p).Outcome()
	return c, true
}

// moving is whether a signal can move a score by itself.
func moving(sig *signal.Signal) bool {
	return !isContext(sig) && sig.Kind != signal.SubscriptionObserved
}
