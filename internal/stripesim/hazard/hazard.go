// Package hazard owns the truth by which simulated customers leave: the chance of a cancellation within 30 days, from
// tenure or the renewal at hand, moved by what happened to the customer lately. The figures are those of the agreed
// model. They stand here again, written from its text, so that a fault in the product's scoring cannot hide in the data
// that the scoring is tried on; for the same reason this package must not know the product's packages.
package hazard

import "math"

// Day is the number of seconds in a day; all times of this package are unix seconds.
const Day = 24 * 60 * 60

// shift moves the published figures to the level of an ordinary account (model text, section 3).
const shift = -0.45

// point is the chance of leaving within 30 days at a tenure in days.
type point struct{ days, p float64 }

// monthly is measured; between two points it is linear in log(1+days), outside it is flat.
var monthly = []point{
	{3, .1248}, {18, .1590}, {45, .1421}, {75, .1179}, {135, .0974}, {225, .0790}, {310, .0668}, {372, .0627},
	{467, .0587}, {630, .0532}, {900, .0476},
}

// Facts place a customer before anything has happened.
type Facts struct {
	// Months is the length of the plan's interval.
	Months float64
	// Tenure and ToRenewal are in days.
	Tenure, ToRenewal float64
	// TermPaid says that the current term's invoice is paid.
	TermPaid bool
}

// Baseline returns the log-odds of leaving within 30 days when nothing has happened.
func Baseline(f Facts) float64 {
	p := monthlyP(f.Tenure)
	if f.Months > 1 {
		p = termP(f)
	}
	return math.Log(p/(1-p)) + shift
}

func monthlyP(days float64) float64 {
	first, last := monthly[0], monthly[len(monthly)-1]
	switch {
	case days <= first.days:
		return first.p
	case days >= last.days:
		return last.p
	}
	i := 1
	for monthly[i].days < days {
		i++
	}
	a, b := monthly[i-1], monthly[i]
	share := (math.Log1p(days) - math.Log1p(a.days)) / (math.Log1p(b.days) - math.Log1p(a.days))
	return a.p + share*(b.p-a.p)
}

const annualMidTerm = .0145

// termP is the chance on a plan with terms: customers leave around renewals. Windows scale with the term's length.
func termP(f Facts) float64 {
	scale := f.Months / 12
	term := 365.25 * scale
	switch {
	case f.Tenure <= 7*scale:
		return .0428
	case f.Tenure <= 30*scale:
		return .0229
	case f.ToRenewal <= 7*scale:
		return .255
	case f.ToRenewal <= 30*scale:
		return .148
	case f.ToRenewal <= 60*scale:
		return .041
	case f.Tenure > term && term-f.ToRenewal <= 30*scale && f.TermPaid:
		return .05
	case f.Tenure > term && term-f.ToRenewal <= 30*scale:
		return .15
	}
	share := min(math.Log(f.Months)/math.Log(12), 1)
	return monthlyP(f.Tenure)*(1-share) + annualMidTerm*share
}

// P30 turns log-odds into the chance within 30 days.
func P30(eta float64) float64 { return min(max(1/(1+math.Exp(-eta)), 0.002), 0.97) }

// Within turns a chance within 30 days into one within some days.
func Within(p30, days float64) float64 { return 1 - math.Pow(1-p30, days/30) }
