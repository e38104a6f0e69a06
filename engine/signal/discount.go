package signal

// discountObject is a coupon in force. Since 2024 a list of discounts may hold bare ids, which tell nothing.
type discountObject struct {
	Coupon *couponObject
	End    int64
}

type couponObject struct {
	PercentOff decimal
	AmountOff  decimal
	Currency   string
	Duration   string
}

// discounts are those on the whole subscription: the list of newer payloads, or the single one of older ones.
func (s *subscriptionObject) discounts() []discountObject { return oneOrMany(s.Discount, s.Discounts) }

func (i *invoiceObject) discounts() []discountObject { return oneOrMany(i.Discount, i.Discounts) }

func oneOrMany(one *discountObject, many []discountObject) []discountObject {
	for i := range many {
		if many[i].Coupon != nil {
			return many
		}
	}
	if one != nil {
		return []discountObject{*one}
	}
	return nil
}

// effect is what the discounts in force at an instant do to a monthly value: keep times it, less off, and never below
// nothing. A fixed amount is taken off each invoice, hence once an interval. A coupon for a single invoice does not
// change what recurs.
func effect(months float64, discounts []discountObject, currency string, at int64) (keep, off float64) {
	keep = 1
	for _, d := range discounts {
		c := d.Coupon
		if c == nil || c.Duration == "once" || (d.End > 0 && d.End <= at) {
			continue
		}
		switch {
		case c.PercentOff.Known:
			left := 1 - min(max(c.PercentOff.Value, 0), 100)/100
			keep, off = keep*left, off*left
		case c.AmountOff.Known && months > 0 && (c.Currency == "" || c.Currency == currency):
			off += max(c.AmountOff.Value, 0) / months
		}
	}
	return keep, off
}

// discounted applies the discounts in force at an instant to a monthly value.
func discounted(monthly, months float64, discounts []discountObject, currency string, at int64) float64 {
	keep, off := effect(months, discounts, currency, at)
	return max(monthly*keep-off, 0)
}
