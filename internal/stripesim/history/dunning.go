package history

import (
	"github.com/kustiq/kustiq/internal/stripesim/hazard"
	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

// Schedule is when Stripe tries to collect, counted from the first attempt.
var Schedule = []int64{0, 3 * day, 5 * day, 7 * day}

// Next is when Stripe tries again after some failed attempts, the first of which was at an instant; 0 for never.
func Next(first int64, attempts int) int64 {
	if attempts >= len(Schedule) {
		return 0
	}
	return first + Schedule[attempts]
}

const (
	// lateDays is how long it takes at most that somebody pays whom Stripe has stopped to ask.
	lateDays = 9
	// settled is how long dunning lasts at most.
	settled = 7*day + (lateDays+1)*day
	// quiet is how far before End a customer fails only once: the four weeks in which two failures make an emergency,
	// and the two weeks before those.
	quiet = 45 * day
)

// catchUp lets everything happen that is due until an instant, in order.
func (l *life) catchUp(until int64) {
	for {
		p, at := l.nextDue()
		if p == nil || at > until {
			break
		}
		l.due(at, p)
	}
	kept := l.disputes[:0]
	for _, d := range l.disputes {
		if d.closeAt > until {
			kept = append(kept, d)
			continue
		}
		status := "lost"
		if l.rng.Float64() < 0.4 {
			status = "won"
		}
		l.a.CloseDispute(d.closeAt, d.d, status)
	}
	l.disputes = kept
}

// nextDue finds the plan that something is due for first.
func (l *life) nextDue() (first *plan, at int64) {
	for _, p := range l.plans {
		if !p.s.Live() {
			continue
		}
		for _, t := range []int64{p.s.PeriodEnd, p.withdrawAt, p.resumeAt, p.retryAt, p.lateAt} {
			if t != 0 && (first == nil || t < at) {
				first, at = p, t
			}
		}
	}
	return first, at
}

func (l *life) due(at int64, p *plan) {
	switch at {
	case p.withdrawAt:
		p.withdrawAt = 0
		_, _ = l.a.Withdraw(at, p.s)
	case p.resumeAt:
		p.resumeAt = 0
		_, _ = l.a.Resume(at, p.s)
	case p.retryAt:
		p.retryAt = 0
		l.retry(at, p)
	case p.lateAt:
		p.lateAt = 0
		l.a.Pay(at, p.s.Latest)
	default:
		l.renew(at, p)
	}
}

// renew ends a period: the subscription with it if so planned, else the next one is invoiced and collected.
func (l *life) renew(at int64, p *plan) {
	if p.s.CancelAtPeriodEnd {
		l.a.End(at, p.s, "cancellation_requested")
		return
	}
	final := min(at+hour, l.end)
	inv := l.a.Renew(at, final, p.s)
	switch {
	case inv == nil: // paused
	case inv.AmountDue() > 0 && l.rng.Float64() < l.failing && l.mayFail(final):
		p.failed = final
		l.fail(final, p, inv)
	default:
		l.a.Pay(final, inv)
	}
}

// mayFail keeps a customer from failing on several invoices shortly before End.
func (l *life) mayFail(at int64) bool {
	return at < l.end-quiet || l.lastFailure == 0 || at-l.lastFailure > quiet
}

func (l *life) fail(at int64, p *plan, inv *ledger.Invoice) {
	l.lastFailure = at
	p.retryAt = Next(p.failed, inv.AttemptCount+1)
	l.a.Fail(at, inv, p.retryAt, Decline(l.rng))
}

// retry is a later attempt. The chances are chosen so that whoever has n failures leaves with the chance that the
// hazard gives to n failures: leaving here means that all attempts fail and nobody pays afterwards.
func (l *life) retry(at int64, p *plan) {
	inv := p.s.Latest
	eta := l.eta(at) + l.c.Mood.Lasting(at)
	n := inv.AttemptCount
	fails := chance(eta, n) / chance(eta, n+1)
	if l.mustRecover(p) || l.rng.Float64() >= fails {
		l.a.Pay(at, inv)
		return
	}
	l.fail(at, p, inv)
	if p.retryAt != 0 {
		return
	}
	if l.rng.Float64() < chance(eta, n+1) {
		l.a.GiveUp(at, inv)
		return
	}
	p.lateAt = at + day + l.rng.Int64N(lateDays*day)
}

// chance is that of leaving after n failed attempts.
func chance(eta float64, n int) float64 {
	return hazard.P30(eta + hazard.DunningOf(n, n >= len(Schedule)))
}

// mustRecover is so when dunning could last beyond End, or could leave an unpaid invoice behind beside a subscription
// that goes on.
func (l *life) mustRecover(p *plan) bool {
	if p.failed+settled > l.end {
		return true
	}
	return p.failed > l.end-quiet && (len(l.livePlans()) > 1 || l.secondAt != 0)
}
