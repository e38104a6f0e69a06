package signal

import (
	"cmp"
	"math"
)

// Renewal is what one invoice shows of a subscription's price, or the subscription itself as it is now. Two that follow
// each other tell that the price changed in between, which is all that is left of an update once its event is gone.
// Times are unix seconds, values minor units a month.
type Renewal struct {
	Subscription string `json:"sub"`
	Customer     string `json:"cus"`
	// Invoice is empty for the subscription itself.
	Invoice string `json:"in,omitempty"`
	At      int64  `json:"at"`
	// Known is false when a price is not known, so that nothing can be told from it.
	Known    bool   `json:"known,omitempty"`
	Currency string `json:"cur,omitempty"`
	// List is the value before discounts. Keep and Off are the discounts in force: of a value, Keep times it less Off is
	// left to pay.
	List   float64 `json:"list,omitempty"`
	Keep   float64 `json:"keep,omitempty"`
	Off    float64 `json:"off,omitempty"`
	Months float64 `json:"months,omitempty"`
	// PeriodEnd is that of the period paid for.
	PeriodEnd int64 `json:"end,omitempty"`
	// Changed is the start of the earliest proration on the invoice: when the price changed, if it did.
	Changed int64 `json:"changed,omitempty"`
}

func (v *value) renewal(r Renewal, discounts []discountObject) Renewal {
	r.Known = v.count > 0 && !v.unknown && !v.mixed
	r.Currency, r.List, r.Months, r.PeriodEnd = v.currency, v.known, v.months, cmp.Or(r.PeriodEnd, v.periodTo)
	r.Keep, r.Off = effect(v.months, discounts, v.currency, r.At)
	return r
}

// renewal is nil for an invoice that renews nothing: a draft, a void one, one of prorations alone or without subscription.
func (i *invoiceObject) renewal() *Renewal {
	at := i.finalizedAt()
	sub := i.subscription()
	if at <= 0 || sub == "" || i.Status == "draft" || i.Status == "void" {
		return nil
	}
	v := i.value(at)
	if v.count == 0 && !v.unknown {
		return nil
	}
	r := v.renewal(Renewal{Subscription: sub, Customer: string(i.Customer), Invoice: i.ID, At: at}, i.discounts())
	for n := range i.Lines.Data {
		if line := &i.Lines.Data[n]; line.prorates() && line.Period.Start > 0 && (r.Changed == 0 || line.Period.Start < r.Changed) {
			r.Changed = line.Period.Start
		}
	}
	return &r
}

func (l *lineObject) prorates() bool {
	if item := l.Parent.Item; item != nil {
		return item.Proration
	}
	return l.Proration
}

// renewal is the subscription's price as it is listed.
func (s *subscriptionObject) renewal(at int64) *Renewal {
	if s.EndedAt > 0 {
		at = min(at, s.EndedAt)
	}
	bare := *s
	bare.Items.Data = make([]itemObject, len(s.Items.Data))
	for n, item := range s.Items.Data {
		item.Discounts = nil // an invoice's lines show prices before them
		bare.Items.Data[n] = item
	}
	v := bare.value(at)
	r := v.renewal(Renewal{Subscription: s.ID, Customer: string(s.Customer), At: at, PeriodEnd: s.periodEnd(at)}, s.discounts())
	return &r
}

// ChangeSince concludes from two consecutive renewals that the price changed, valued with the later one's discounts, as
// that of an update is. It reports false when it did not. comparable is false when nothing can be told.
//
// The instant is that of the later invoice's first proration, which Stripe makes at the change; without one the change
// is dated at the later renewal, when the new price was first asked.
func (r Renewal) ChangeSince(earlier Renewal) (s Signal, changed, comparable bool) {
	if !r.Known || !earlier.Known || r.Currency != earlier.Currency {
		return Signal{}, false, false
	}
	before, after := r.discounted(earlier.List), r.discounted(r.List)
	if math.Abs(before-after) <= sameValue*max(before, after) {
		return Signal{}, false, true
	}
	at := r.At
	if r.Changed > earlier.At && r.Changed <= r.At {
		at = r.Changed
	}
	kind := SubscriptionUpgraded
	if after < before {
		kind = SubscriptionDowngraded
	}
	return Signal{
		ID: cmp.Or(r.Invoice, r.Subscription) + ":price", Kind: kind, Created: at, Provenance: FromInference, Customer: r.Customer,
		Subscription: &Subscription{
			ID: r.Subscription, Currency: r.Currency, MRR: &after, PreviousMRR: &before, IntervalMonths: r.Months, CurrentPeriodEnd: r.PeriodEnd,
		},
	}, true, true
}

func (r Renewal) discounted(list float64) float64 { return max(list*r.Keep-r.Off, 0) }
