package scoring

import (
	"cmp"
	"math"
	"time"
)

const monthSeconds = 365.2425 / 12 * day

// monthlyKnots are the published monthly churn by tenure in days, after log(1+days); between them it is linear in that.
var monthlyKnots = func() (knots [11]struct{ x, p float64 }) {
	for i, k := range [11][2]float64{
		{3, .1248}, {18, .1590}, {45, .1421}, {75, .1179}, {135, .0974}, {225, .0790}, {310, .0668}, {372, .0627},
		{467, .0587}, {630, .0532}, {900, .0476},
	} {
		knots[i].x, knots[i].p = math.Log1p(k[0]), k[1]
	}
	return knots
}()

// The monthly curve rises until risingUntil and falls after it, both in days of tenure.
const (
	flatUntil   = 3.0
	risingUntil = 18.0
)

// monthlyChurn is the 30-day churn of a monthly plan at a tenure in days.
func monthlyChurn(days float64) float64 {
	x := math.Log1p(max(days, 0))
	last := len(monthlyKnots) - 1
	if x <= monthlyKnots[0].x {
		return monthlyKnots[0].p
	}
	for i := 1; i <= last; i++ {
		if b := monthlyKnots[i]; x <= b.x {
			a := monthlyKnots[i-1]
			return a.p + (b.p-a.p)*(x-a.x)/(b.x-a.x)
		}
	}
	return monthlyKnots[last].p
}

// Windows of a yearly plan in days, and its 30-day churn in them. They scale with the interval. (data, but for the
// weeks after a renewal, which are assumed.)
const (
	firstWeek, firstMonth                    = 8, 31
	renewalWeek, renewalMonth                = 7, 30
	renewalTwo, renewedMonth                 = 60, 30
	churnFirstWeek, churnFirstMonth          = .0428, .0229
	churnRenewalWeek, churnRenewal           = .255, .148
	churnRenewalTwo, churnMidTerm            = .041, .0145
	churnRenewedUnpaid, churnRenewed         = .15, .05
	startSlack                               = 2 * 86400
	paidSlack                                = 86400
	monthsPerYear                    float64 = 12
)

// baseline is the risk of a customer without any signal: of tenure, and for longer plans of the renewal.
type baseline struct {
	shift float64 // baselineShift and the workspace's intercept
	start int64   // of tenure; 0 when unknown
	// months is the billing interval and weight how far it is from a monthly to a yearly plan, by its logarithm.
	months, weight float64
	// subStart, trialEnd, termStart and termEnd are those of the subscription; all 0 for a monthly plan or when unknown.
	subStart, trialEnd, termStart, termEnd int64
	lastPaid                               int64
}

func newBaseline(start int64, sub *subscription, now int64, intercept float64) baseline {
	b := baseline{shift: baselineShift + intercept, start: start, months: 1}
	if sub == nil {
		return b
	}
	b.months = sub.months()
	b.weight = clip(math.Log(b.months)/math.Log(monthsPerYear), 0, 1)
	if b.weight == 0 {
		return b
	}
	b.subStart, b.trialEnd, b.lastPaid = cmp.Or(sub.Start, start), sub.TrialEnd, sub.LastPaid
	switch end := cmp.Or(sub.PeriodEnd, sub.TrialEnd); {
	case end > 0:
		b.termEnd = end
		b.termStart = addMonths(end, -b.months)
	case b.subStart > 0:
		b.termStart = b.subStart
		b.termEnd = addMonths(b.subStart, b.months)
	}
	// A renewal that was not heard of is taken to have happened: its end would have been.
	for b.termEnd > 0 && b.termEnd <= now {
		b.termStart, b.termEnd = b.termEnd, addMonths(b.termEnd, b.months)
	}
	return b
}

// addMonths is by the calendar for whole months.
func addMonths(t int64, months float64) int64 {
	if whole := math.Trunc(months); whole == months && math.Abs(months) < 1200 {
		return time.Unix(t, 0).UTC().AddDate(0, int(whole), 0).Unix()
	}
	return t + int64(months*monthSeconds)
}

func (b *baseline) tenureDays(t int64) float64 {
	if b.start == 0 || t <= b.start {
		return 0
	}
	return float64(t-b.start) / day
}

// logOdds is ℓ at an instant: the probability's log-odds, shifted. Intervals between a month and a year lie between
// both plans by the logarithm of their length.
func (b *baseline) logOdds(t int64) float64 {
	p := 0.0
	if b.weight < 1 {
		p += (1 - b.weight) * monthlyChurn(b.tenureDays(t))
	}
	if b.weight > 0 {
		p += b.weight * b.termChurn(t)
	}
	return math.Log(p/(1-p)) + b.shift
}

// scaled converts a window's days into seconds of this plan.
func (b *baseline) scaled(days float64) float64 { return days * day * b.months / monthsPerYear }

func (b *baseline) term(t int64) (start, end int64) {
	if b.termEnd > 0 && t >= b.termEnd {
		return b.termEnd, addMonths(b.termEnd, b.months)
	}
	return b.termStart, b.termEnd
}

// begun is when the first term begins. A trial is a period of its own before it.
func (b *baseline) begun(t int64) int64 {
	if t < b.trialEnd {
		return b.subStart
	}
	return max(b.subStart, b.trialEnd)
}

// termChurn is the 30-day churn of a yearly plan, its windows scaled to the interval: the first match wins.
func (b *baseline) termChurn(t int64) float64 {
	start, end := b.term(t)
	if end == 0 {
		return churnMidTerm
	}
	begun := b.begun(t)
	first := begun > 0 && start <= begun+startSlack
	since, left := float64(t-start), float64(end-t)
	if first {
		since = float64(t - begun)
	}
	switch {
	case first && since < b.scaled(firstWeek):
		return churnFirstWeek
	case first && since < b.scaled(firstMonth):
		return churnFirstMonth
	case left <= b.scaled(renewalWeek):
		return churnRenewalWeek
	case left <= b.scaled(renewalMonth):
		return churnRenewal
	case left <= b.scaled(renewalTwo):
		return churnRenewalTwo
	case !first && since < b.scaled(renewedMonth) && b.lastPaid < start-paidSlack:
		return churnRenewedUnpaid
	case !first && since < b.scaled(renewedMonth):
		return churnRenewed
	default:
		return churnMidTerm
	}
}

// jumps lists the instants at which the baseline may jump, or turn from rising to falling.
func (b *baseline) jumps(into []float64) []float64 {
	if b.weight < 1 && b.start > 0 {
		into = append(into, float64(b.start)+flatUntil*day, float64(b.start)+risingUntil*day)
	}
	if b.termEnd == 0 {
		return into
	}
	if trial := float64(b.trialEnd); b.trialEnd > 0 {
		into = append(into, trial, trial+b.scaled(firstWeek), trial+b.scaled(firstMonth))
	}
	start, sub, end := float64(b.termStart), float64(b.subStart), float64(b.termEnd)
	return append(into, end, sub+b.scaled(firstWeek), sub+b.scaled(firstMonth), start+b.scaled(renewedMonth),
		end-b.scaled(renewalWeek), end-b.scaled(renewalMonth), end-b.scaled(renewalTwo),
		end+b.scaled(renewedMonth), end+b.scaled(firstWeek))
}
