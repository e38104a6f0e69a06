package scoring

import "math"

// The terms of η, in the order of their sum.
const (
	termBaseline = iota
	termDunning
	termResidual
	termPrice
	termPause
	termDispute
	termDeleted
	termWithdrawn
	termReturned
	// termCancel depends on the sum of the others and comes last.
	termCancel
	termCount
)

// impulse holds, or halves since an instant.
type impulse struct {
	// coefficient weighs it; 0 is that of no impulse and says that there is none.
	coefficient int
	from        int64
	halfLife    float64
	held        bool
	evidence    string
}

// unit is the impulse at a weight of 1.
func (i *impulse) unit(t int64) float64 {
	switch {
	case i.coefficient == 0:
		return 0
	case i.held:
		return 1
	default:
		return halved(t-i.from, i.halfLife)
	}
}

// curve is everything about a state that its score needs at any instant, so that a search through time is cheap.
type curve struct {
	w             *Weights
	base          baseline
	dunning       dunning
	criticalUntil int64
	residual      residual
	price         decay
	dispute       decay
	pause         impulse
	deleted       impulse
	withdrawn     impulse
	returned      impulse
	// paidFrom is when the customer counts as having paid; never while it has not.
	paidFrom         int64
	leaving, churned bool
	// atRisk is the score from which a customer is.
	atRisk int
}

// values are the terms at an instant; η is their sum in order.
func (c *curve) values(t int64) (v [termCount]float64, eta float64) {
	v[termBaseline] = c.base.logOdds(t)
	v[termDunning] = c.dunning.weight(c.w, t)
	if c.dunning.failures == 0 {
		v[termResidual] = c.residual.at(t) * (c.w[coefResidual] / residualBase)
	}
	v[termPrice] = c.priceTerm(t)
	v[termPause] = c.impulse(&c.pause, t)
	v[termDispute] = c.disputeSum(t) * (c.w[coefDispute] / disputeWeight)
	v[termDeleted] = c.impulse(&c.deleted, t)
	v[termWithdrawn] = c.impulse(&c.withdrawn, t)
	v[termReturned] = c.impulse(&c.returned, t)
	for _, term := range v {
		eta += term
	}
	switch {
	case c.churned:
		// Likewise to the highest odds; at least an end and a scheduled one weigh together, which it takes the place of, or
		// having come back.
		eta -= v[termDeleted]
		v[termDeleted] = max(logit(highestP30)-eta, c.w[coefDeleted]+max(c.w[coefWithdrawn], c.w[coefReturned]))
		eta += v[termDeleted]
	case c.leaving:
		// It raises the rest to the odds of leaving. It weighs at least what a withdrawal leaves, so that taking the
		// cancellation back never raises the score.
		v[termCancel] = max(logit(leavingP30)-eta, c.w[coefWithdrawn])
		eta += v[termCancel]
	}
	return v, eta
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

func (c *curve) impulse(i *impulse, t int64) float64 { return c.w[i.coefficient] * i.unit(t) }

// priceSum is the net change of price in doublings, losses positive.
func (c *curve) priceSum(t int64) float64 {
	return clip(c.price.at(t, priceHalfLife), -priceClip, priceClip)
}

func (c *curve) priceTerm(t int64) float64 {
	sum := c.priceSum(t)
	if sum > 0 {
		return c.w[coefPriceDown] * sum
	}
	return c.w[coefPriceUp] * sum
}

// disputeSum is the disputes' weight under the prior.
func (c *curve) disputeSum(t int64) float64 { return min(c.dispute.at(t, disputeHalfLife), disputeMax) }

// active sums the churn terms in force. What a recovery leaves behind is none: who has paid, resumed, stayed or come
// back is at risk only as far as the score says so.
func (c *curve) active(v *[termCount]float64) float64 {
	sum := v[termDunning] + max(v[termPrice], 0) + v[termDispute] + v[termDeleted] + v[termCancel]
	if c.pause.coefficient == coefPaused {
		sum += v[termPause]
	}
	return sum
}

// standing is what an order of customers and a list of those at risk depend on.
type standing struct {
	tier    Tier
	score   int
	segment bool
}

// evaluate gives the standing at an instant, the terms, η and p30.
func (c *curve) evaluate(t int64) (s standing, v [termCount]float64, eta, p30 float64) {
	if c.paidFrom > t {
		return standing{tier: Unscored}, v, 0, 0
	}
	v, eta = c.values(t)
	p30 = probability(eta)
	switch {
	case c.churned:
		return standing{tier: Churned, score: scoreChurned}, v, eta, p30
	case t <= c.criticalUntil:
		return standing{Critical, criticalScore(p30), true}, v, eta, p30
	case c.leaving:
		return standing{Leaving, scoreLeaving, true}, v, eta, leavingP30
	}
	score := normalScore(eta)
	return standing{Normal, score, score >= c.atRisk || c.active(&v) >= atRiskTerms}, v, eta, p30
}

func probability(eta float64) float64 { return clip(1/(1+math.Exp(-eta)), lowestP30, highestP30) }

func criticalScore(p30 float64) int { return lowestCritical + round(criticalSpan*p30) }

func normalScore(eta float64) int {
	return int(clip(float64(round(scoreAtEven+pointsPerLogOdds*eta)), 0, highestNormal))
}

func round(x float64) int { return int(math.Floor(x + 0.5)) }
