package scoring

import "time"

// Features are what a fit needs of a customer at an instant. While the customer is not Committed, η is
// Offset + Params.Intercept + Σ Values·weights.
type Features struct {
	// Paying is whether the customer has ever paid: others are no rows of a panel.
	Paying bool
	// Committed is whether the customer has left, or is about to: every subscription ended or ends with its period.
	Committed bool
	// Offset is the baseline without the workspace's intercept, in log-odds.
	Offset float64
	// Values are the terms at weights of 1; that of a term that lowers the risk is negative.
	Values [CoefficientCount]float64
}

// Features reads a state at an instant, to the second. Signals newer than the instant count as happening at it.
func (s *State) Features(now time.Time) Features {
	t := now.Unix()
	c := s.curve(t, Params{})
	f := Features{Paying: c.paidFrom <= t, Committed: s.Committed()}
	if !f.Paying || f.Committed {
		return f
	}
	f.Offset = c.base.logOdds(t)
	x := &f.Values
	if n := c.dunning.failures; n > 0 {
		held := c.dunning.held(t)
		x[coefDunning+min(n, dunningLevels)-1] = held
		if c.dunning.final {
			x[coefFinal] = held
		}
	} else {
		x[coefResidual] = c.residual.at(t) / residualBase
	}
	if sum := c.priceSum(t); sum > 0 {
		x[coefPriceDown] = sum
	} else {
		x[coefPriceUp] = sum
	}
	x[coefDispute] = c.disputeSum(t) / disputeWeight
	for _, i := range [...]*impulse{&c.pause, &c.deleted, &c.withdrawn, &c.returned} {
		if i.coefficient != 0 {
			x[i.coefficient] = i.unit(t)
		}
	}
	return f
}

// Committed reports whether every subscription has ended or ends with its period. It is false before the first begins.
func (s *State) Committed() bool {
	started, staying := false, false
	for i := range s.m.Subscriptions {
		sub := &s.m.Subscriptions[i]
		started = started || sub.Started
		staying = staying || (sub.live() && !sub.Ending)
	}
	return started && !staying
}
