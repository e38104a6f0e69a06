package hazard

import "math"

// Half-lives in days and limits of the terms (model text, section 4).
const (
	priceHalfLife   = 60
	residueHalfLife = 60
	disputeHalfLife = 7
	resumeHalfLife  = 30
	deletedHalfLife = 30
	returnHalfLife  = 60
	failureHold     = 14
	failureHalfLife = 14
	priceLimit      = 1.5
	disputeLimit    = 3
	finalFailure    = 0.8
)

// failureWeight is the log-odds of 1, 2, … failed attempts on unpaid invoices.
var failureWeight = []float64{0, 1.9, 3.0, 3.4, 3.7, 3.95, 4.2}

// fading is a weight that loses half of itself every half-life.
type fading struct {
	weight float64
	at     int64
}

func (f fading) now(at int64, halfLife float64) float64 {
	if f.weight == 0 {
		return 0
	}
	return f.weight * math.Exp2(-float64(max(at-f.at, 0))/(Day*halfLife))
}

func (f *fading) add(weight float64, at int64, halfLife, limit float64) {
	f.weight = min(max(f.now(at, halfLife)+weight, -limit), limit)
	f.at = at
}

// Mood is what has happened to a customer, as far as it moves the chance of leaving. The zero value is a new customer.
type Mood struct {
	failures    int // on unpaid invoices
	final       bool
	lastFailure int64
	paused      bool
	residue     fading
	price       fading
	resumed     fading
	disputed    fading
	deleted     fading
	withdrawn   fading
	returned    fading
}

// Failed notes the next failed attempt; final when Stripe will not try again.
func (m *Mood) Failed(at int64, final bool) {
	m.failures++
	m.final = final
	m.lastFailure = at
}

// Settled notes that failures attempts are unpaid no more. While others stay unpaid nothing else changes.
func (m *Mood) Settled(at int64, failures int) {
	if failures == 0 {
		return
	}
	before, n := m.Dunning(at), m.failures
	m.failures = max(m.failures-failures, 0)
	m.final = false
	if m.failures > 0 {
		return
	}
	fresh := min(1.1+0.2*float64(min(n-1, 4)), 0.6*before)
	m.residue = fading{weight: max(fresh, m.residue.now(at, residueHalfLife)), at: at}
}

// PriceChanged notes a change of the monthly value.
func (m *Mood) PriceChanged(at int64, before, after float64) {
	if before <= 0 || after <= 0 {
		return
	}
	m.price.add(min(max(math.Log2(before/after), -priceLimit), priceLimit), at, priceHalfLife, priceLimit)
}

// Paused notes the start of a pause.
func (m *Mood) Paused() { m.paused = true }

// Resumed notes the end of a pause.
func (m *Mood) Resumed(at int64) {
	m.paused = false
	m.resumed = fading{0.4, at}
}

// Disputed notes a dispute.
func (m *Mood) Disputed(at int64) { m.disputed.add(2.2, at, disputeHalfLife, disputeLimit) }

// Deleted notes the end of one of several subscriptions.
func (m *Mood) Deleted(at int64) { m.deleted = fading{1.2, at} }

// Withdrew notes a withdrawn cancellation.
func (m *Mood) Withdrew(at int64) { m.withdrawn = fading{0.9, at} }

// Returned notes a new subscription after the last one had ended: what was unpaid then is over.
func (m *Mood) Returned(at int64) { *m = Mood{returned: fading{0.8, at}} }

// Failures is how many attempts on unpaid invoices have failed.
func (m *Mood) Failures() int { return m.failures }

// Dunning is the log-odds of what is unpaid.
func (m *Mood) Dunning(at int64) float64 { return dunning(m.failures, m.final, at-m.lastFailure) }

// DunningOf is the log-odds right after failure n.
func DunningOf(n int, final bool) float64 { return dunning(n, final, 0) }

func dunning(n int, final bool, age int64) float64 {
	if n == 0 {
		return 0
	}
	weight := failureWeight[min(n, len(failureWeight)-1)]
	if final {
		weight += finalFailure
	}
	if days := float64(age) / Day; days > failureHold {
		weight *= math.Exp2(-(days - failureHold) / failureHalfLife)
	}
	return weight
}

// Terms is the log-odds of everything that has happened.
func (m *Mood) Terms(at int64) float64 { return m.Dunning(at) + m.Lasting(at) }

// Lasting is Terms without what is unpaid.
func (m *Mood) Lasting(at int64) float64 {
	sum := m.disputed.now(at, disputeHalfLife) + m.deleted.now(at, deletedHalfLife) +
		m.withdrawn.now(at, returnHalfLife) + m.returned.now(at, returnHalfLife)
	if m.failures == 0 {
		sum += m.residue.now(at, residueHalfLife)
	}
	if s := m.price.now(at, priceHalfLife); s > 0 {
		sum += 0.9 * s
	} else {
		sum += 0.6 * s
	}
	if m.paused {
		return sum + 1.3
	}
	return sum + m.resumed.now(at, resumeHalfLife)
}
