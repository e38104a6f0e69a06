package signal

import (
	"fmt"
	"math"
)

// priceChange is the recurring value before and after an update, in minor units a month, of the items whose price is known.
type priceChange struct {
	before, after float64
	// fromNothing says that no item before had a known price: before is no value then.
	fromNothing bool
}

// sameValue is the relative difference below which two sums of prices are the same: float error, not a price.
const sameValue = 1e-9

// priceChange compares the prices of an update with those before it. It reports false when nothing changed in price,
// or when the direction cannot be told: an unknown price was added, removed or replaced, or the currency changed.
//
// Both sides are valued with the current discounts: a coupon that begins or ends is not a choice of another plan.
func (s *subscriptionObject) priceChange(prev *previousAttributes, at int64) (priceChange, bool) {
	old, ok := prev.items(s)
	if !ok || s.Items.HasMore {
		return priceChange{}, false
	}
	now := s.Items.Data
	if len(now) == 0 && s.Plan != nil {
		now = []itemObject{{Plan: s.Plan, Quantity: s.Quantity}}
	}
	change, comparable := s.compare(old, now, at)
	if !comparable || math.Abs(change.before-change.after) <= sameValue*max(change.before, change.after) {
		return priceChange{}, false
	}
	return change, true
}

// compare values both lists. Items whose price is unknown on both sides are left out while they stay the same.
func (s *subscriptionObject) compare(old, now []itemObject, at int64) (change priceChange, ok bool) {
	currency := s.Currency
	was, is := value{currency: currency}, value{currency: currency}
	unknown := map[string]int{}
	for i := range old {
		old[i].Discounts = discountsOf(now, old[i].ID)
		if key := was.compareItem(&old[i], at); key != "" {
			unknown[key]++
		}
	}
	for i := range now {
		if key := is.compareItem(&now[i], at); key != "" {
			unknown[key]--
		}
	}
	for _, difference := range unknown {
		if difference != 0 {
			return priceChange{}, false
		}
	}
	if was.mixed || is.mixed || (was.currency != "" && is.currency != "" && was.currency != is.currency) {
		return priceChange{}, false
	}
	discounts := s.discounts()
	change = priceChange{
		before:      discounted(was.known, was.months, discounts, is.currency, at),
		after:       discounted(is.known, is.months, discounts, is.currency, at),
		fromNothing: was.count == 0,
	}
	// A side of which nothing can be read has no value; one that kept its unknown items alone has lost the others.
	readable := len(unknown) > 0 || (was.count > 0 && is.count > 0)
	return change, readable && finite(change.before) && finite(change.after)
}

// compareItem adds an item; for one whose price is unknown it returns what identifies the item, its price and its quantity.
// A metered item's quantity is usage and no part of that.
func (v *value) compareItem(item *itemObject, at int64) string {
	r, ok := item.rate()
	if !ok {
		return "?" + item.ID
	}
	if !r.recurring {
		return ""
	}
	if r.metered {
		return item.ID + "\x00" + r.id
	}
	if _, known := r.monthly(item.Quantity); !known {
		return fmt.Sprintf("%s\x00%s\x00%g", item.ID, r.id, item.Quantity.Value)
	}
	v.add(r, item.Quantity, item.Discounts, at, 0)
	return ""
}

// items reconstructs the items before the update; false when the update does not touch them.
func (p *previousAttributes) items(s *subscriptionObject) ([]itemObject, bool) {
	if p == nil {
		return nil, false
	}
	if p.Items.Set && !p.Items.Null {
		if p.Items.Value.HasMore || len(p.Items.Value.Data) == 0 {
			return nil, false
		}
		return completed(p.Items.Value.Data, s.Items.Data), true
	}
	if (p.Plan.Set && !p.Plan.Null) || p.Quantity.Set {
		return p.onlyItem(s)
	}
	return nil, false
}

// onlyItem reads the top-level plan and quantity of old payloads, which exist for a subscription with one item.
func (p *previousAttributes) onlyItem(s *subscriptionObject) ([]itemObject, bool) {
	current := itemObject{Plan: s.Plan, Quantity: s.Quantity}
	if len(s.Items.Data) > 0 {
		current.ID = s.Items.Data[0].ID
	}
	if current.Plan == nil && len(s.Items.Data) == 1 {
		current = s.Items.Data[0]
	}
	old := itemObject{ID: current.ID, Plan: current.Plan, Price: current.Price, Quantity: p.Quantity.or(s.Quantity)}
	if !old.Quantity.Known && !p.Quantity.Set {
		old.Quantity = current.Quantity
	}
	if p.Plan.Set {
		old.Price, old.Plan = nil, p.Plan.Value.over(current.Plan)
	}
	return []itemObject{old}, old.Plan != nil || old.Price != nil
}

// over fills what a partial previous plan leaves out, because it did not change, from the current one.
func (p planObject) over(current *planObject) *planObject {
	if current == nil {
		return &p
	}
	if !p.Amount.Set && !p.AmountDecimal.Set {
		p.Amount, p.AmountDecimal = current.Amount, current.AmountDecimal
	}
	if p.Currency == "" {
		p.Currency = current.Currency
	}
	if p.Interval == "" {
		p.Interval = current.Interval
	}
	if p.IntervalCount == 0 {
		p.IntervalCount = current.IntervalCount
	}
	return &p
}

// completed fills previous items that leave out their price or quantity from the current item of the same id.
func completed(old, now []itemObject) []itemObject {
	whole := make([]itemObject, len(old))
	for i, item := range old {
		if current := itemByID(now, item.ID); current != nil {
			if item.Price == nil && item.Plan == nil {
				item.Price, item.Plan = current.Price, current.Plan
			}
			if !item.Quantity.Set {
				item.Quantity = current.Quantity
			}
		}
		whole[i] = item
	}
	return whole
}

func discountsOf(items []itemObject, id string) []discountObject {
	if item := itemByID(items, id); item != nil {
		return item.Discounts
	}
	return nil
}

func itemByID(items []itemObject, id string) *itemObject {
	for i := range items {
		if id != "" && items[i].ID == id {
			return &items[i]
		}
	}
	return nil
}
