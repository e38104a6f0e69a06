package scoring

import (
	"math"
	"slices"
)

// horizon caps how far ahead a next change is sought: a day, after which everybody is evaluated anyway.
const horizon = 86400

// sample is a curve at one instant.
type sample struct {
	t      int64
	values [termCount]float64
	eta    float64
	// active is the sum of the churn terms in force.
	active float64
	standing
}

func (c *curve) sample(t int64) sample {
	s := sample{t: t}
	s.standing, s.values, s.eta, _ = c.evaluate(t)
	s.active = c.active(&s.values)
	return s
}

// nextChange is the first whole second after now at which the standing differs, at most a day ahead.
//
// Between the instants at which something jumps, each term moves in one direction only, so the sum of the terms' own
// differences bounds how far η can stray inside a stretch. Where the bound rules a change out, the stretch is skipped;
// elsewhere it is halved, which ends at the exact second.
func (c *curve) nextChange(now int64, is standing) int64 {
	var buffer [64]int64
	low := c.sample(now)
	for _, stop := range c.stops(now, buffer[:0]) {
		if stop == low.t {
			continue
		}
		high := c.sample(stop)
		if at, found := c.firstChange(&low, &high, is); found {
			return at
		}
		low = high
	}
	return now + horizon
}

// firstChange finds the first second in (low, high] whose standing differs; low's does not.
func (c *curve) firstChange(low, high *sample, is standing) (int64, bool) {
	if high.standing == is && steady(low, high) {
		return 0, false
	}
	if high.t-low.t == 1 {
		return high.t, high.standing != is
	}
	middle := c.sample(low.t + (high.t-low.t)/2)
	if middle.standing == is {
		if at, found := c.firstChange(low, &middle, is); found {
			return at, true
		}
		return c.firstChange(&middle, high, is)
	}
	return c.firstChange(low, &middle, is)
}

// steady is whether nothing can have changed between two samples of one standing.
func steady(low, high *sample) bool {
	switch low.tier {
	case Leaving, Churned, Unscored:
		return true
	}
	stray, active := 0.0, 0.0
	for i := range low.values {
		if i == termCancel { // it makes up for the others and moves no further than they do
			continue
		}
		moved := math.Abs(high.values[i] - low.values[i])
		stray += moved
		if i != termBaseline {
			active += moved
		}
	}
	if low.tier == Critical {
		return criticalScore(probability(low.eta-stray)) == criticalScore(probability(low.eta+stray))
	}
	return normalScore(low.eta-stray) == normalScore(low.eta+stray) &&
		(low.active-active >= atRiskTerms) == (low.active+active >= atRiskTerms)
}

// stops are the seconds around each jump within the horizon, ascending, and the horizon itself.
func (c *curve) stops(now int64, into []int64) []int64 {
	var jumps [20]float64
	list := c.base.jumps(jumps[:0])
	if c.dunning.failures > 0 {
		list = append(list, float64(c.dunning.last+dunningHold))
	}
	if c.criticalUntil > 0 {
		list = append(list, float64(c.criticalUntil))
	}
	if c.paidFrom != never {
		list = append(list, float64(c.paidFrom))
	}
	end := now + horizon
	for _, jump := range list {
		at := int64(math.Floor(jump))
		for _, stop := range [...]int64{at - 1, at, at + 1} {
			if stop > now && stop < end {
				into = append(into, stop)
			}
		}
	}
	into = append(into, end)
	slices.Sort(into)
	return into
}
