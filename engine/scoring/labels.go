package scoring

import (
	"math"
	"strconv"
	"time"
)

func number(n int) string { return strconv.Itoa(n) }

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

func (d dunning) label() string {
	on := "an unpaid invoice"
	if d.invoices > 1 {
		on = number(d.invoices) + " unpaid invoices"
	}
	label := counted(d.failures, "failed payment", "failed payments") + " on " + on
	if d.final {
		label += ", no further attempt planned"
	}
	return label
}

func (r residual) label() string {
	return "Paid after " + counted(r.Failures, "failed payment", "failed payments")
}

func (m *moves) label(t int64) string {
	percent := number(round(100 * (1 - math.Exp2(-math.Abs(m.Last)))))
	lost := m.at(t, priceHalfLife) > 0
	switch {
	case lost && m.Last > 0:
		return "Downgraded, " + percent + " % less a month"
	case lost:
		return "An earlier downgrade, partly made up for"
	case m.Last < 0:
		return "Upgraded to a higher monthly value"
	default:
		return "An earlier upgrade, partly taken back"
	}
}

func (c *curve) pauseLabel() string {
	switch {
	case c.pause.held:
		return "Subscription paused"
	case c.pause.coefficient == coefPaused:
		return "Subscription ended while paused"
	default:
		return "Resumed after a pause"
	}
}

func (c *curve) deletedLabel() string {
	if c.churned {
		return "Last subscription ended"
	}
	return "Ended one of several subscriptions"
}

func (s *State) endLabel() string {
	var last int64
	for i := range s.m.Subscriptions {
		if sub := &s.m.Subscriptions[i]; sub.live() {
			last = max(last, sub.PeriodEnd)
		}
	}
	if last == 0 {
		return "Cancellation scheduled"
	}
	return "Cancellation scheduled, the period ends on " + time.Unix(last, 0).UTC().Format("2 January 2006")
}

// label tells what the usual risk is that of.
func (b *baseline) label(t int64) string {
	label := "Usual risk for a " + planName(b.months) + " plan"
	if start, end := b.term(t); b.weight > 0 && end > 0 {
		if left := int(float64(end-t) / day); float64(end-t) <= b.scaled(renewalTwo) {
			return label + ", " + counted(left, "day", "days") + " before renewal"
		}
		return label + ", " + counted(int(max(0, float64(t-start))/day), "day", "days") + " into its term"
	}
	if b.start == 0 {
		return label
	}
	return label + " after " + counted(int(b.tenureDays(t)), "day", "days")
}

func planName(months float64) string {
	switch {
	case months == 1:
		return "monthly"
	case months == 3:
		return "quarterly"
	case months == 6:
		return "half-yearly"
	case months == 12:
		return "yearly"
	case months < 1:
		return counted(max(1, round(months*monthSeconds/day)), "day", "day")
	default:
		return counted(round(months), "month", "month")
	}
}

// basis of the baseline: monthly and yearly figures are measured, what lies between is assumed, as are the weeks after a
// renewal.
func (b *baseline) basis(t int64) string {
	if b.weight > 0 && b.weight < 1 {
		return BasisPrior
	}
	if b.weight == 1 {
		if p := b.termChurn(t); p == churnRenewedUnpaid || p == churnRenewed {
			return BasisPrior
		}
	}
	return BasisData
}
