package stripesim

import (
	"fmt"
	"time"

	"github.com/kustiq/kustiq/internal/stripesim/hazard"
)

const step = 7 * day

// dunning is when Stripe tries a failed payment again, counted from the first attempt.
var dunning = []int64{0, 3 * day, 5 * day, 7 * day}

// How often things happen.
const (
	failureRate     = 0.05  // of renewals
	recoveryRate    = 0.45  // of later attempts
	changeRate      = 0.012 // price changes a week
	pauseRate       = 0.002 // a week
	disputeRate     = 0.0008
	withdrawRate    = 0.12 // of scheduled cancellations
	immediateRate   = 0.3  // of cancellations
	upgradeFraction = 0.6  // of price changes
)

// life is one generated subscription as time passes.
type life struct {
	*generator
	sub  *subscription
	mood hazard.Mood
}

func (l *life) updated(at int64, previous obj) {
	l.event("customer.subscription.updated", at, func() obj { return l.sub.render(l.a) }, previous)
}

// pass lets time go by until a moment within the current period, a week at a time.
func (l *life) pass(until int64) {
	s := l.sub
	for at := s.periodStart + l.rng.Int64N(step); at < until && s.live(); at += step {
		switch u := l.rng.Float64(); {
		case s.pausedAt != 0:
			if at-s.pausedAt > 20*day {
				l.resume(at)
			}
			continue
		case s.cancelAtPeriodEnd:
			if u < withdrawRate/4 {
				l.withdraw(at)
			}
			continue
		case u < changeRate:
			l.change(at)
		case u < changeRate+pauseRate:
			l.pause(at)
		case u < changeRate+pauseRate+disputeRate && s.latest.status == "paid":
			l.dispute(at)
		}
		if l.rng.Float64() < hazard.Within(l.chance(at), 7) {
			l.cancel(at)
		}
	}
}

// chance is the truth: the probability that this customer cancels within 30 days.
func (l *life) chance(at int64) float64 {
	s := l.sub
	facts := hazard.Facts{
		Months: 1, Tenure: float64(at-s.created) / float64(day), ToRenewal: float64(s.periodEnd-at) / float64(day),
		TermPaid: s.latest.status == "paid",
	}
	if s.interval() == "year" {
		facts.Months = 12
	}
	return hazard.P30(hazard.Baseline(facts) + l.mood.Terms(at))
}

// renew ends the period: the subscription ends if that was scheduled, else the next period is billed.
func (l *life) renew() {
	s := l.sub
	if s.cancelAtPeriodEnd {
		l.endNow(s.periodEnd)
		return
	}
	l.bill(s.periodEnd, "subscription_cycle")
}

// bill opens a period, invoices it and tries to collect.
func (l *life) bill(at int64, reason string) {
	s := l.sub
	previous := obj{
		"current_period_start": s.periodStart, "current_period_end": s.periodEnd,
		"items": s.renderItems(l.a, s.items), // Stripe lists items at renewals, without a change of price
	}
	s.periodStart, s.periodEnd = at, nextPeriod(at, s.interval())
	inv := l.a.newInvoice(s, at, reason)
	l.event("invoice.finalized", at, func() obj { return inv.render(l.a) }, nil)
	if reason == "subscription_cycle" {
		l.updated(at, previous)
		if l.rng.Float64() < failureRate {
			l.collect(inv)
			return
		}
	}
	inv.attempts = 1
	l.paid(inv, at)
}

// collect tries a failing payment on Stripe's schedule, until it is paid, given up or End is reached.
func (l *life) collect(inv *invoice) {
	for n, after := range dunning {
		at := inv.created + after
		if at > l.end {
			return
		}
		inv.attempts = n + 1
		// An invoice that would stay open with two attempts lately is paid instead: see Generate.
		open := n > 0 && inv.created+dunning[len(dunning)-1] > l.end
		if n > 0 && (open || l.rng.Float64() < recoveryRate) {
			l.paid(inv, at)
			return
		}
		l.fail(inv, at, n)
	}
	inv.status, inv.uncollectible = "uncollectible", inv.created+dunning[len(dunning)-1]
	l.endNow(inv.uncollectible)
}

func (l *life) fail(inv *invoice, at int64, n int) {
	s := l.sub
	inv.nextAttempt = 0
	if n+1 < len(dunning) {
		inv.nextAttempt = inv.created + dunning[n+1]
	}
	l.a.newCharge(inv, at, true)
	l.mood.Failed(at, inv.nextAttempt == 0)
	l.event("invoice.payment_failed", at, func() obj { return inv.render(l.a) }, nil)
	if s.status != "past_due" {
		s.status = "past_due"
		l.updated(at, obj{"status": "active"})
	}
}

func (l *life) paid(inv *invoice, at int64) {
	l.a.newCharge(inv, at, false)
	inv.status, inv.paidAt, inv.nextAttempt = "paid", at, 0
	l.mood.Settled(at, l.mood.Failures())
	l.event("invoice.payment_succeeded", at, func() obj { return inv.render(l.a) }, nil)
	if l.sub.status == "past_due" {
		l.sub.status = "active"
		l.updated(at, obj{"status": "past_due"})
	}
}

// change moves the subscription to a dearer or a cheaper plan.
func (l *life) change(at int64) {
	s := l.sub
	direction := -1
	if l.rng.Float64() < upgradeFraction {
		direction = 1
	}
	before := s.total()
	previous, ok := s.move(l.a, l.plans[s.interval()], direction)
	if !ok {
		return
	}
	l.mood.PriceChanged(at, float64(before), float64(s.total()))
	l.updated(at, previous)
}

func (l *life) pause(at int64) {
	l.sub.pausedAt = at
	l.mood.Paused()
	l.updated(at, obj{"pause_collection": nil})
}

func (l *life) resume(at int64) {
	l.sub.pausedAt = 0
	l.mood.Resumed(at)
	l.updated(at, obj{"pause_collection": obj{"behavior": "void", "resumes_at": nil}})
}

func (l *life) dispute(at int64) {
	d := l.a.newDispute(l.sub.latest.charge, at)
	l.mood.Disputed(at)
	l.event("charge.dispute.created", at, func() obj { return d.render(l.a) }, nil)
}

func (l *life) cancel(at int64) {
	l.sub.canceledAt = at
	if l.rng.Float64() < immediateRate {
		l.endNow(at)
		return
	}
	l.sub.cancelAtPeriodEnd = true
	l.updated(at, obj{"cancel_at_period_end": false, "cancel_at": nil, "canceled_at": nil})
}

func (l *life) withdraw(at int64) {
	s := l.sub
	previous := obj{"cancel_at_period_end": true, "cancel_at": s.periodEnd, "canceled_at": s.canceledAt}
	s.cancelAtPeriodEnd, s.canceledAt = false, 0
	l.mood.Withdrew(at)
	l.updated(at, previous)
}

func (l *life) endNow(at int64) {
	l.sub.status, l.sub.endedAt = "canceled", at
	if l.sub.canceledAt == 0 {
		l.sub.canceledAt = at
	}
	l.event("customer.subscription.deleted", at, func() obj { return l.sub.render(l.a) }, nil)
}

// nextPeriod is when a period that starts at a moment ends.
func nextPeriod(at int64, interval string) int64 {
	t := time.Unix(at, 0).UTC()
	if interval == "year" {
		return t.AddDate(1, 0, 0).Unix()
	}
	return t.AddDate(0, 1, 0).Unix()
}

func (a *Account) newInvoice(s *subscription, at int64, reason string) *invoice {
	inv := &invoice{
		id: a.newID("in_"), sub: s, items: append([]item(nil), s.items...), percentOff: s.percentOff, created: at,
		periodStart: s.periodStart, periodEnd: s.periodEnd, amount: s.total(), status: "open", reason: reason,
		number: fmt.Sprintf("%s-%04d", s.customer.id[len(s.customer.id)-7:], len(a.invoices.all)+1),
	}
	s.latest = inv
	a.invoices.add(inv.id, inv)
	return inv
}

func (a *Account) newCharge(inv *invoice, at int64, failed bool) {
	c := &charge{id: a.newID("ch_"), intent: a.newID("pi_"), invoice: inv, created: at, amount: inv.amount, failed: failed}
	inv.charge = c
	a.charges.add(c.id, c)
}

func (a *Account) newDispute(c *charge, at int64) *dispute {
	d := &dispute{id: a.newID("dp_"), charge: c, created: at, status: "needs_response"}
	c.disputed = true
	a.disputes.add(d.id, d)
	return d
}
