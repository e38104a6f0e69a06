package stripesim

import (
	"fmt"
	"strconv"
)

// obj is a JSON object of API version 2023-10-16.
type obj map[string]any

// unset turns a time of 0 into null.
func unset(t int64) any {
	if t == 0 {
		return nil
	}
	return t
}

func listOf(url string, data ...any) obj {
	if data == nil {
		data = []any{}
	}
	return obj{"object": "list", "data": data, "has_more": false, "url": url}
}

func (c *customer) render(a *Account) obj {
	return obj{
		"id": c.id, "object": "customer", "created": c.created, "livemode": a.Livemode,
		"address": c.address(a), "balance": 0, "currency": a.Currency, "default_source": c.bird.Token("src"),
		"delinquent": c.delinquent(), "description": c.bird.Note(), "discount": nil, "email": c.email,
		"invoice_prefix": c.id[len(c.id)-7:],
		"invoice_settings": obj{
			"custom_fields": c.customFields(), "default_payment_method": c.bird.Token("pm"), "footer": c.bird.Note(), "rendering_options": nil,
		},
		"metadata": c.notes(), "name": c.name, "next_invoice_sequence": 1, "phone": c.bird.Phone(),
		"preferred_locales": []any{}, "shipping": c.ships(a), "tax_exempt": "none", "test_clock": nil,
	}
}

func (c *customer) delinquent() bool {
	for _, s := range c.subs {
		if s.live() && s.status == "past_due" {
			return true
		}
	}
	return false
}

func metadata(m map[string]string) obj {
	out := obj{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func (p *price) render(a *Account) obj {
	return obj{
		"id": p.id, "object": "price", "active": true, "billing_scheme": "per_unit", "created": p.created,
		"currency": p.currency, "custom_unit_amount": nil, "livemode": a.Livemode, "lookup_key": nil,
		"metadata": obj{}, "nickname": p.nickname, "product": p.product,
		"recurring": obj{
			"aggregate_usage": nil, "interval": p.interval, "interval_count": 1, "usage_type": "licensed",
		},
		"tax_behavior": "unspecified", "tiers_mode": nil, "transform_quantity": nil, "type": "recurring",
		"unit_amount": p.amount, "unit_amount_decimal": strconv.FormatInt(p.amount, 10),
	}
}

func (p *price) renderPlan(a *Account) obj {
	return obj{
		"id": p.id, "object": "plan", "active": true, "aggregate_usage": nil, "amount": p.amount,
		"amount_decimal": strconv.FormatInt(p.amount, 10), "billing_scheme": "per_unit", "created": p.created,
		"currency": p.currency, "interval": p.interval, "interval_count": 1, "livemode": a.Livemode, "metadata": obj{},
		"nickname": p.nickname, "product": p.product, "tiers_mode": nil, "transform_usage": nil,
		"trial_period_days": nil, "usage_type": "licensed",
	}
}

func (i item) render(a *Account, sub *subscription) obj {
	return obj{
		"id": i.id, "object": "subscription_item", "billing_thresholds": nil, "created": i.created,
		"metadata": obj{"note": sub.customer.bird.Note()}, "plan": i.price.renderPlan(a), "price": i.price.render(a),
		"quantity": i.quantity, "subscription": sub.id, "tax_rates": []any{},
	}
}

func (s *subscription) renderItems(a *Account, items []item) obj {
	data := make([]any, 0, len(items))
	for _, i := range items {
		data = append(data, i.render(a, s))
	}
	return listOf("/v1/subscription_items?subscription="+s.id, data...)
}

func (s *subscription) render(a *Account) obj {
	var latest, cancelAt, pause any
	if s.latest != nil {
		latest = s.latest.id
	}
	if s.cancelAtPeriodEnd {
		cancelAt = s.periodEnd
	}
	if s.pausedAt != 0 {
		pause = obj{"behavior": "void", "resumes_at": nil}
	}
	var reason, comment any
	if s.canceledAt != 0 {
		reason, comment = "cancellation_requested", s.customer.bird.Note()
	}
	return obj{
		"id": s.id, "object": "subscription", "created": s.created, "livemode": a.Livemode, "status": s.status,
		"application": nil, "application_fee_percent": nil, "automatic_tax": obj{"enabled": false, "liability": nil},
		"billing_cycle_anchor": s.created, "billing_cycle_anchor_config": nil, "billing_thresholds": nil,
		"cancel_at": cancelAt, "cancel_at_period_end": s.cancelAtPeriodEnd, "canceled_at": unset(s.canceledAt),
		"cancellation_details": obj{"comment": comment, "feedback": nil, "reason": reason},
		"collection_method":    "charge_automatically", "currency": s.items[0].price.currency,
		"current_period_end": s.periodEnd, "current_period_start": s.periodStart, "customer": s.customer.id,
		"days_until_due": nil, "default_payment_method": s.customer.bird.Token("pm"), "default_source": s.customer.bird.Token("card"),
		"default_tax_rates": []any{}, "description": s.customer.bird.Note(), "discount": s.discount(a), "ended_at": unset(s.endedAt),
		"items": s.renderItems(a, s.items), "latest_invoice": latest, "metadata": s.customer.notes(),
		"next_pending_invoice_item_invoice": nil, "on_behalf_of": nil, "pause_collection": pause,
		"payment_settings": obj{
			"payment_method_options": nil, "payment_method_types": nil, "save_default_payment_method": "off",
		},
		"pending_invoice_item_interval": nil, "pending_setup_intent": nil, "pending_update": nil,
		"schedule": nil, "start_date": s.created, "test_clock": nil, "transfer_data": nil,
		"trial_end": nil, "trial_settings": obj{"end_behavior": obj{"missing_payment_method": "create_invoice"}}, "trial_start": nil,
	}
}

func (s *subscription) discount(a *Account) any {
	if s.percentOff == 0 {
		return nil
	}
	return obj{
		"id": "di_" + s.id[4:], "object": "discount", "checkout_session": nil, "customer": s.customer.id, "end": nil,
		"coupon": obj{
			"id": fmt.Sprintf("OFF%.0f", s.percentOff), "object": "coupon", "amount_off": nil, "currency": nil, "duration": "forever",
			"created": a.Created, "duration_in_months": nil, "livemode": a.Livemode, "max_redemptions": nil, "metadata": obj{}, "name": nil,
			"percent_off": s.percentOff, "redeem_by": nil, "times_redeemed": 1, "valid": true,
		},
		"invoice": nil, "invoice_item": nil, "promotion_code": nil, "start": s.created, "subscription": s.id,
	}
}

func (d *dispute) render(a *Account) obj {
	out := obj{
		"id": d.id, "object": "dispute", "amount": d.charge.amount, "balance_transactions": []any{}, "charge": d.charge.id,
		"created": d.created, "currency": d.charge.invoice.items[0].price.currency, "evidence": d.evidenceOf(a),
		"evidence_details":     obj{"due_by": d.created + 14*day, "has_evidence": false, "past_due": false, "submission_count": 0},
		"is_charge_refundable": false, "livemode": a.Livemode, "metadata": obj{"note": d.charge.invoice.sub.customer.bird.Note()}, "payment_intent": d.charge.intent,
		"reason": "subscription_canceled", "status": d.status,
	}
	if !d.charge.invoice.sub.customer.sepa { // Stripe details cards and wallets only
		out["payment_method_details"] = obj{"card": obj{"brand": "visa", "network_reason_code": "10.4"}, "type": "card"}
	}
	return out
}

var disputeEvidence = []string{
	"access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure", "cancellation_rebuttal",
	"customer_communication", "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature",
	"duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt",
	"refund_policy", "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
	"shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number",
	"uncategorized_file", "uncategorized_text",
}
