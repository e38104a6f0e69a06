package wire

import (
	"strconv"

	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

func (w *writer) price(p *ledger.Price) {
	w.base(p.ID, "price", p.Created)
	w.more(`"active":true`)
	scheme, tiers, usage := "per_unit", "", "licensed"
	if p.Metered {
		scheme, tiers, usage = "tiered", "graduated", "metered"
	}
	w.str("billing_scheme", scheme)
	w.str("currency", p.Currency)
	w.more(`"custom_unit_amount":null,"lookup_key":null,"metadata":{}`)
	w.opt("nickname", p.Name)
	w.str("product", p.Product)
	w.openIn("recurring")
	if p.Metered {
		w.more(`"aggregate_usage":"sum"`)
	} else {
		w.more(`"aggregate_usage":null`)
	}
	w.str("interval", p.Interval)
	w.more(`"interval_count":1`)
	w.str("usage_type", usage)
	w.close()
	w.more(`"tax_behavior":"unspecified"`)
	w.opt("tiers_mode", tiers)
	w.more(`"transform_quantity":null,"type":"recurring"`)
	if p.Metered {
		w.more(`"unit_amount":null,"unit_amount_decimal":null`)
	} else {
		w.num("unit_amount", p.Amount)
		w.str("unit_amount_decimal", strconv.FormatInt(p.Amount, 10))
	}
	w.close()
}

func (w *writer) item(s *ledger.Subscription, i *ledger.Item) {
	w.comma()
	w.head(i.ID, "subscription_item")
	w.more(`"billing_thresholds":null`)
	w.num("created", i.Created)
	w.more(`"metadata":{}`)
	w.key("price")
	w.price(i.Price)
	if !i.Price.Metered {
		w.num("quantity", i.Quantity)
	}
	w.str("subscription", s.ID)
	w.more(`"tax_rates":[]`)
	w.close()
}

func (w *writer) subscription(s *ledger.Subscription) {
	w.base(s.ID, "subscription", s.Created)
	w.more(`"application":null,"application_fee_percent":null,"automatic_tax":{"enabled":false,"liability":null}`)
	w.num("billing_cycle_anchor", s.Anchor)
	w.more(`"billing_cycle_anchor_config":null,"billing_thresholds":null`)
	w.subscriptionEnd(s)
	w.more(`"collection_method":"charge_automatically"`)
	w.str("currency", s.Currency())
	w.num("current_period_end", s.PeriodEnd)
	w.num("current_period_start", s.PeriodStart)
	w.ref("customer", s.Customer.ID, func() { w.customer(s.Customer) })
	w.more(`"days_until_due":null`)
	w.private("default_payment_method", s.Customer.Card.PaymentMethod)
	w.more(`"default_source":null,"default_tax_rates":[],"description":null`)
	w.discount("discount", s.Discount, s)
	w.list("items", "/v1/subscription_items?subscription="+s.ID, len(s.Items), func(i int) { w.item(s, &s.Items[i]) })
	latest := ""
	if s.Latest != nil {
		latest = s.Latest.ID
	}
	w.ref("latest_invoice", latest, func() { w.invoice(s.Latest) })
	w.more(`"metadata":{},"next_pending_invoice_item_invoice":null,"on_behalf_of":null`)
	if s.PausedAt != 0 {
		w.more(`"pause_collection":{"behavior":"void","resumes_at":null}`)
	} else {
		w.more(`"pause_collection":null`)
	}
	w.more(`"payment_settings":{"payment_method_options":null,"payment_method_types":null,"save_default_payment_method":"off"}`)
	w.more(`"pending_invoice_item_interval":null,"pending_setup_intent":null,"pending_update":null,"schedule":null`)
	w.num("start_date", s.Created)
	w.str("status", s.Status)
	w.more(`"test_clock":null,"transfer_data":null,"trial_end":null`)
	w.more(`"trial_settings":{"end_behavior":{"missing_payment_method":"create_invoice"}},"trial_start":null`)
	w.close()
}

// subscriptionEnd writes what tells of a cancellation, scheduled or done.
func (w *writer) subscriptionEnd(s *ledger.Subscription) {
	var cancelAt int64
	if s.CancelAtPeriodEnd {
		cancelAt = s.PeriodEnd
	}
	w.time("cancel_at", cancelAt)
	w.flag("cancel_at_period_end", s.CancelAtPeriodEnd)
	w.time("canceled_at", s.CanceledAt)
	w.openIn("cancellation_details")
	w.more(`"comment":null`)
	w.opt("feedback", s.CancelFeedback)
	w.opt("reason", s.CancelReason)
	w.close()
	w.time("ended_at", s.EndedAt)
}

func (w *writer) discount(key string, d *ledger.Discount, s *ledger.Subscription) {
	if d == nil {
		w.raw(key, "null")
		return
	}
	w.openIn(key)
	w.str("id", d.ID)
	w.str("object", "discount")
	w.more(`"checkout_session":null`)
	w.openIn("coupon")
	w.str("id", d.Coupon)
	w.str("object", "coupon")
	w.more(`"amount_off":null`)
	w.num("created", w.Account.Created)
	w.more(`"currency":null`)
	if d.Months > 0 {
		w.str("duration", "repeating")
		w.num("duration_in_months", int64(d.Months))
	} else {
		w.more(`"duration":"forever","duration_in_months":null`)
	}
	w.flag("livemode", w.Account.Livemode)
	w.more(`"max_redemptions":null,"metadata":{}`)
	w.opt("name", d.Name)
	w.key("percent_off")
	w.buf = strconv.AppendFloat(w.buf, d.PercentOff, 'f', -1, 64)
	w.more(`"redeem_by":null,"times_redeemed":1,"valid":true`)
	w.close()
	w.str("customer", s.Customer.ID)
	w.time("end", d.End)
	w.more(`"invoice":null,"invoice_item":null,"promotion_code":null`)
	w.num("start", d.Start)
	w.str("subscription", s.ID)
	w.close()
}
