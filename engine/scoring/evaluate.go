package scoring

import (
	"cmp"
	"slices"
	"time"
)

// Evaluate scores a state at an instant, to the second. Signals newer than the instant count as happening at it.
func Evaluate(s *State, now time.Time, p Params) Evaluation {
	t := now.Unix()
	c := s.curve(t, p)
	standing, values, eta, p30 := c.evaluate(t)
	e := Evaluation{
		Eta: eta, P30: p30, Score: standing.score, Tier: standing.tier, Segment: standing.segment,
		IntervalMonths: c.base.months, TenureDays: c.base.tenureDays(t), ModelVersion: p.Version,
		LastSignalAt: s.m.LastSignal, NextChangeAt: time.Unix(c.nextChange(t, standing), 0).UTC(),
	}
	e.MRR, e.Currency = s.revenue()
	e.Terms = []Term{}
	if standing.tier != Unscored {
		e.Terms = s.terms(&c, &values, t, &p)
	}
	return e
}

// curve gathers what the score needs. It is built once an evaluation and then asked at several instants.
func (s *State) curve(now int64, p Params) curve {
	c := curve{
		w: p.weights(), base: newBaseline(s.tenureStart(), s.main(), now, p.Intercept), dunning: s.dunning(), residual: s.m.Residual,
		price: s.m.Price.decay, dispute: s.m.Disputes.decay, pause: s.paused(), deleted: s.deleted(),
		withdrawn: s.withdrawn(), returned: s.returned(), paidFrom: s.paidFrom(), atRisk: p.atRisk(),
	}
	c.criticalUntil = s.criticalUntil(c.dunning)
	started, live, ending := 0, 0, 0
	for i := range s.m.Subscriptions {
		sub := &s.m.Subscriptions[i]
		if sub.Started {
			started++
		}
		if sub.live() {
			live++
			if sub.Ending {
				ending++
			}
		}
	}
	c.churned = started > 0 && live == 0
	c.leaving = live > 0 && ending == live
	return c
}

func (s *State) tenureStart() int64 {
	start := s.m.Tenure
	for i := range s.m.Subscriptions {
		start = earliest(start, s.m.Subscriptions[i].Start)
	}
	return start
}

// main is the subscription that sets the baseline: the live one of highest value; nil when none is known.
func (s *State) main() *subscription {
	var best *subscription
	for i := range s.m.Subscriptions {
		sub := &s.m.Subscriptions[i]
		if !sub.Started {
			continue
		}
		if best == nil || compareMain(sub, best) < 0 {
			best = sub
		}
	}
	return best
}

func compareMain(a, b *subscription) int {
	if a.live() != b.live() {
		if a.live() {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.MRR, a.MRR), cmp.Compare(a.ID, b.ID))
}

// revenue sums the live subscriptions in the currency of the main one.
func (s *State) revenue() (mrr float64, currency string) {
	main := s.main()
	if main == nil {
		return 0, ""
	}
	for i := range s.m.Subscriptions {
		if sub := &s.m.Subscriptions[i]; sub.live() && sub.Currency == main.Currency {
			mrr += sub.MRR
		}
	}
	return mrr, main.Currency
}

// paidFrom is when the customer counts as paying: at once after a payment, or after an invoice that only a paying
// customer gets; otherwise when a subscription's own state shows it.
func (s *State) paidFrom() int64 {
	if s.m.FirstPaid != 0 {
		return 0
	}
	from := int64(never)
	for i := range s.m.Subscriptions {
		if sub := &s.m.Subscriptions[i]; !s.signupFailed(sub.ID) {
			from = min(from, sub.assumedPaidFrom())
		}
	}
	for _, inv := range s.m.failed {
		if s.showsPayer(inv) {
			return 0
		}
	}
	return from
}

func (s *State) signupFailed(subscription string) bool {
	return slices.ContainsFunc(s.m.failed, func(inv *invoice) bool {
		return inv.Subscription == subscription && inv.signup() && inv.PaidAt == 0
	})
}

// showsPayer is whether a failed invoice is of a later period than the first: whoever is billed again has paid before,
// unless the earlier period was a trial. Payloads from before billing reasons (2018) count as such.
func (s *State) showsPayer(inv *invoice) bool {
	switch inv.Reason {
	case "subscription_cycle", "subscription_update", "subscription_threshold", "subscription":
	case "":
		if inv.Highest == 0 {
			return false
		}
	default:
		return false
	}
	for i := range s.m.Subscriptions {
		sub := &s.m.Subscriptions[i]
		if sub.ID == inv.Subscription && sub.TrialEnd > 0 {
			return inv.Created >= sub.TrialEnd+int64(0.9*sub.months()*monthSeconds)
		}
	}
	return true
}
