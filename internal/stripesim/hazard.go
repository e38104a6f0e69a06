package stripesim

import "math"

// The truth that generated accounts follow: the probability of a cancellation within 30 days, by tenure or by days to
// renewal, moved by what happened lately. The figures are those of the agreed model's measured baseline; they stand here
// again, so that a fault in the engine cannot hide in the data it is tested on.
var monthlyHazard = []struct{ days, p float64 }{
	{3, .1248}, {18, .1590}, {45, .1421}, {75, .1179}, {135, .0974}, {225, .0790}, {310, .0668}, {372, .0627},
	{467, .0587}, {630, .0532}, {900, .0476},
}

// hazardShift moves the published figures, which count every kind of churn, to voluntary cancellation.
const hazardShift = -0.45

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

func monthlyBaseline(days float64) float64 {
	first, last := monthlyHazard[0], monthlyHazard[len(monthlyHazard)-1]
	if days <= first.days {
		return first.p
	}
	for i := 1; i < len(monthlyHazard); i++ {
		a, b := monthlyHazard[i-1], monthlyHazard[i]
		if days <= b.days {
			share := (math.Log1p(days) - math.Log1p(a.days)) / (math.Log1p(b.days) - math.Log1p(a.days))
			return a.p + share*(b.p-a.p)
		}
	}
	return last.p
}

func annualBaseline(tenureDays, daysToRenewal float64) float64 {
	switch {
	case tenureDays <= 7:
		return .0428
	case tenureDays <= 30:
		return .0229
	case daysToRenewal <= 7:
		return .255
	case daysToRenewal <= 30:
		return .148
	case daysToRenewal <= 60:
		return .041
	}
	return .0145
}

// past is what moves a customer's hazard. Times are unix seconds, 0 for never.
type past struct {
	openFailures           int
	lastFailure, recovered int64
	changedAt              int64
	changedBy              float64 // log2 of old over new
	disputedAt             int64
	pausedNow              bool
}

// hazard is the probability of a cancellation within 30 days.
func (p past) hazard(s *subscription, now int64) float64 {
	since := func(t int64) float64 { return float64(now-t) / float64(day) }
	base := monthlyBaseline(since(s.created))
	if s.interval() == "year" {
		base = annualBaseline(since(s.created), -since(s.periodEnd))
	}
	eta := logit(base) + hazardShift
	if p.openFailures > 0 {
		eta += 1.9 + 0.7*math.Min(float64(p.openFailures-1), 3)
	} else if p.recovered != 0 {
		eta += 1.1 * math.Exp2(-since(p.recovered)/60)
	}
	if p.changedAt != 0 {
		weight := 0.9
		if p.changedBy < 0 {
			weight = 0.6
		}
		eta += weight * p.changedBy * math.Exp2(-since(p.changedAt)/60)
	}
	if p.disputedAt != 0 {
		eta += 2.2 * math.Exp2(-since(p.disputedAt)/7)
	}
	if p.pausedNow {
		eta += 1.3
	}
	return 1 / (1 + math.Exp(-eta))
}

// within turns a probability for 30 days into one for a number of days.
func within(p30, days float64) float64 { return 1 - math.Pow(1-p30, days/30) }
