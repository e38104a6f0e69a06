package signal

import "math"

const (
	// daysPerMonth is the mean month of the Gregorian calendar, for plans billed by the day or week.
	daysPerMonth    = 365.2425 / 12
	secondsPerDay   = 86400
	secondsPerMonth = daysPerMonth * secondsPerDay
)

// rate is what one price charges: the common ground of prices, plans and invoice lines.
type rate struct {
	id       string
	currency string
	// unit is the amount of one unit in minor units; unknown for tiered prices.
	unit   decimal
	months float64
	// recurring is false for one-time prices, which are no part of a monthly value.
	recurring bool
	metered   bool
	transform *transformObject
}

func (p *priceObject) rate() rate {
	r := rate{id: p.ID, currency: p.Currency, unit: p.UnitAmountDecimal, transform: p.Transform}
	if !r.unit.Known {
		r.unit = p.UnitAmount
	}
	if p.BillingScheme == "tiered" {
		r.unit = decimal{}
	}
	if p.Recurring != nil {
		r.recurring = true
		r.months = intervalMonths(p.Recurring.Interval, p.Recurring.IntervalCount)
		r.metered = p.Recurring.UsageType == "metered"
	}
	return r
}

func (p *planObject) rate() rate {
	r := rate{
		id: p.ID, currency: p.Currency, unit: p.AmountDecimal, months: intervalMonths(p.Interval, p.IntervalCount),
		recurring: true, metered: p.UsageType == "metered", transform: p.Transform,
	}
	if !r.unit.Known {
		r.unit = p.Amount
	}
	if p.BillingScheme == "tiered" {
		r.unit = decimal{}
	}
	return r
}

// intervalMonths is the length of a billing interval in months; 0 when it is unknown.
func intervalMonths(interval string, count int64) float64 {
	if count <= 0 {
		count = 1
	}
	switch interval {
	case "day":
		return float64(count) / daysPerMonth
	case "week":
		return float64(count) * 7 / daysPerMonth
	case "month":
		return float64(count)
	case "year":
		return float64(count) * 12
	default:
		return 0
	}
}

// periodMonths is the billing interval that a period's length shows: whole months where it is close to some.
func periodMonths(start, end int64) float64 {
	if start <= 0 || end <= start {
		return 0
	}
	months := float64(end-start) / secondsPerMonth
	if whole := math.Round(months); whole >= 1 && math.Abs(months-whole) < 0.12 {
		return whole
	}
	return months
}

// monthly is the rate's value a month for a quantity. It is unknown without a unit amount or an interval.
func (r rate) monthly(quantity decimal) (float64, bool) {
	if !r.unit.Known || r.months <= 0 {
		return 0, false
	}
	units := 1.0
	if quantity.Known {
		units = quantity.Value
	}
	if t := r.transform; t != nil && t.DivideBy > 0 {
		units /= t.DivideBy
		if t.Round == "up" {
			units = math.Ceil(units)
		} else {
			units = math.Floor(units)
		}
	}
	value := r.unit.Value * units / r.months
	return value, finite(value) && value >= 0
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// rate is the item's price; a payload of 2020 carries a plan beside it, an older one the plan alone.
func (i *itemObject) rate() (rate, bool) {
	switch {
	case i.Price != nil:
		return i.Price.rate(), true
	case i.Plan != nil:
		return i.Plan.rate(), true
	default:
		return rate{}, false
	}
}

// value is what a list of items or lines is worth a month.
type value struct {
	currency string
	// known sums the known prices; complete says that there was at least one and no unknown one beside metered ones.
	known    float64
	count    int
	unknown  bool
	months   float64
	largest  float64
	mixed    bool
	periodTo int64
}

// add takes in one recurring price. Metered usage is no fixed monthly value: it is left out, not counted as unknown.
func (v *value) add(r rate, quantity decimal, discounts []discountObject, at, periodEnd int64) {
	if v.currency == "" {
		v.currency = r.currency
	}
	if r.currency != "" && r.currency != v.currency {
		v.mixed = true
		return
	}
	amount, ok := r.monthly(quantity)
	ok = ok && !r.metered
	if ok {
		amount = discounted(amount, r.months, discounts, v.currency, at)
		v.known += amount
		v.count++
	} else if !r.metered {
		v.unknown = true
	}
	if v.months == 0 || (ok && amount > v.largest) {
		v.months, v.periodTo = r.months, periodEnd
	}
	v.largest = max(v.largest, amount)
}

// mrr is the value after the subscription's own discounts; nil when a price is unknown.
func (v *value) mrr(discounts []discountObject, at int64) *float64 {
	if v.count == 0 || v.unknown {
		return nil
	}
	total := discounted(v.known, v.months, discounts, v.currency, at)
	if !finite(total) {
		return nil
	}
	return &total
}

// value sums a subscription's current items, or its plan where an old payload lists no items.
func (s *subscriptionObject) value(at int64) value {
	v := value{currency: s.Currency, unknown: s.Items.HasMore}
	for i := range s.Items.Data {
		item := &s.Items.Data[i]
		if r, ok := item.rate(); ok && r.recurring {
			v.add(r, item.Quantity, item.Discounts, at, item.CurrentPeriodEnd)
		}
	}
	if len(s.Items.Data) == 0 && s.Plan != nil {
		v.add(s.Plan.rate(), s.Quantity, nil, at, 0)
	}
	return v
}

// value sums an invoice's lines that renew a subscription; prorations and one-off lines are no monthly value.
func (i *invoiceObject) value(at int64) value {
	v := value{currency: i.Currency, unknown: i.Lines.HasMore}
	for n := range i.Lines.Data {
		line := &i.Lines.Data[n]
		if r, ok := line.rate(); ok {
			v.add(r, line.Quantity, nil, at, line.Period.End)
			v.periodTo = max(v.periodTo, line.Period.End)
		}
	}
	return v
}

func (l *lineObject) rate() (rate, bool) {
	renews := l.Type == "subscription" && !l.Proration
	if item := l.Parent.Item; item != nil {
		renews = !item.Proration
	}
	if !renews {
		return rate{}, false
	}
	switch {
	case l.Price != nil:
		r := l.Price.rate()
		return r, r.recurring
	case l.Plan != nil:
		return l.Plan.rate(), true
	case l.Pricing != nil:
		return rate{
			currency: l.Currency, unit: l.Pricing.UnitAmountDecimal, months: periodMonths(l.Period.Start, l.Period.End),
			recurring: true,
		}, true
	default:
		return rate{}, false
	}
}
