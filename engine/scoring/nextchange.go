package scoring

import (
	"math"
	"slices"
)

// horizon caps how far ahead a next change is sought: a day, after which everybody is evaluated anyway.
const (
	horizon = 86400
	// sampled is the step where rising and falling terms overlap and a stretch need not be monotone.
	sampled = 3600
)

// nextChange is the first whole second after now at which the standing differs, at most a day ahead. Between the
// instants at which something jumps, each term moves in one direction, so that comparing both ends of a stretch and
// bisecting finds the change; where directions mix, the stretch is cut into hours.
func (c *curve) nextChange(now int64, is standing) int64 {
	var buffer [64]int64
	low := now
	for _, high := range c.stops(now, buffer[:0]) {
		step := high - low
		if c.mixed(low) {
			step = sampled
		}
		for low < high {
			next := min(low+step, high)
			if c.differs(next, is) {
				return c.bisect(low, next, is)
			}
			low = next
		}
	}
	return now + horizon
}

func (c *curve) differs(t int64, is standing) bool {
	then, _, _, _ := c.standing(t)
	return then != is
}

// bisect finds the first second that differs, given that low does not and high does.
func (c *curve) bisect(low, high int64, is standing) int64 {
	for high-low > 1 {
		middle := low + (high-low)/2
		if c.differs(middle, is) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// stops are the seconds around each jump within the horizon, ascending, and the horizon itself.
func (c *curve) stops(now int64, into []int64) []int64 {
	var jumps [16]float64
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

// mixed is whether some terms rise while others fall from t on.
func (c *curve) mixed(t int64) bool {
	rising := c.base.rising(t) || c.price.Sum < 0
	falling := c.base.falling(t) || c.price.Sum > 0 || c.dispute.Sum != 0 || c.residual.Amount != 0 ||
		c.dunning.failures > 0 || c.pause.weight != 0 || c.deleted.weight != 0 || c.withdrawn.weight != 0 ||
		c.returned.weight != 0
	return rising && falling
}
