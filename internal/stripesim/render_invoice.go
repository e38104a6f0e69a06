package stripesim

import (
	"fmt"

	"github.com/kustiq/kustiq/internal/stripesim/canary"
)

func (i *invoice) render(a *Account) obj {
	c := i.sub.customer
	var chargeID, intent, finalized any
	if i.charge != nil {
		chargeID, intent = i.charge.id, i.charge.intent
	}
	if i.status != "draft" {
		finalized = i.created
	}
	paid := i.status == "paid"
	var amountPaid int64
	if paid {
		amountPaid = i.amount
	}
	return obj{
		"id": i.id, "object": "invoice", "created": i.created, "livemode": a.Livemode, "number": i.number, "status": i.status,
		"account_country": a.Country, "account_name": a.Name, "account_tax_ids": []any{a.owner().Token("txi")}, "amount_due": i.amount,
		"amount_paid": amountPaid, "amount_remaining": i.amount - amountPaid, "amount_shipping": 0, "application": nil,
		"application_fee_amount": nil, "attempt_count": i.attempts, "attempted": i.attempts > 0, "auto_advance": i.nextAttempt != 0,
		"automatic_tax":  obj{"enabled": false, "liability": nil, "status": nil},
		"billing_reason": i.reason, "charge": chargeID, "collection_method": "charge_automatically",
		"currency": i.items[0].price.currency, "custom_fields": c.customFields(), "customer": c.id, "customer_address": c.address(a),
		"customer_email": c.email, "customer_name": c.name, "customer_phone": c.bird.Phone(), "customer_shipping": c.ships(a),
		"customer_tax_exempt": "none", "customer_tax_ids": c.taxIDs(), "default_payment_method": c.bird.Token("pm"), "default_source": c.bird.Token("src"),
		"default_tax_rates": []any{}, "description": c.bird.Note(), "discount": i.sub.discount(a), "discounts": []any{}, "due_date": nil,
		"effective_at": finalized, "ending_balance": 0, "footer": c.bird.Note(), "from_invoice": nil, "hosted_invoice_url": c.bird.Link("i"),
		"invoice_pdf": c.bird.Link("pdf"), "issuer": obj{"type": "self"}, "last_finalization_error": nil, "latest_revision": nil,
		"lines": i.lines(a), "metadata": c.notes(), "next_payment_attempt": unset(i.nextAttempt), "on_behalf_of": nil,
		"paid": paid, "paid_out_of_band": false, "payment_intent": intent,
		"payment_settings": obj{"default_mandate": nil, "payment_method_options": nil, "payment_method_types": nil},
		"period_end":       i.created, "period_start": i.created, "post_payment_credit_notes_amount": 0,
		"pre_payment_credit_notes_amount": 0, "quote": nil, "receipt_number": nil, "rendering": nil,
		"shipping_cost": nil, "shipping_details": c.parcel(a), "starting_balance": 0, "statement_descriptor": c.bird.Descriptor(),
		"status_transitions": obj{
			"finalized_at": finalized, "marked_uncollectible_at": unset(i.uncollectible), "paid_at": unset(i.paidAt), "voided_at": nil,
		},
		"subscription": i.sub.id, "subscription_details": obj{"metadata": c.notes()}, "subtotal": i.amount,
		"subtotal_excluding_tax": i.amount, "tax": nil, "test_clock": nil, "total": i.amount, "total_discount_amounts": []any{},
		"total_excluding_tax": i.amount, "total_tax_amounts": []any{}, "transfer_data": nil, "webhooks_delivered_at": unset(i.created),
	}
}

func (i *invoice) lines(a *Account) obj {
	data := make([]any, 0, len(i.items))
	for n, line := range i.items {
		full := line.price.amount * line.quantity
		amount := full - int64(float64(full)*i.percentOff/100)
		id := fmt.Sprintf("il_%s%d", i.id[3:], n)
		data = append(data, obj{
			"id": id, "object": "line_item", "amount": amount, "amount_excluding_tax": amount, "currency": line.price.currency,
			"description":      fmt.Sprintf("%d × %s (%s)", line.quantity, line.price.nickname, i.sub.customer.bird.Note()),
			"discount_amounts": []any{}, "discountable": true, "discounts": []any{}, "invoice": i.id, "livemode": a.Livemode,
			"metadata": obj{"note": i.sub.customer.bird.Note()}, "period": obj{"start": i.periodStart, "end": i.periodEnd}, "plan": line.price.renderPlan(a),
			"price": line.price.render(a), "proration": false, "proration_details": obj{"credited_items": nil},
			"quantity": line.quantity, "subscription": i.sub.id, "subscription_item": line.id, "tax_amounts": []any{},
			"tax_rates": []any{}, "type": "subscription", "unit_amount_excluding_tax": fmt.Sprint(line.price.amount),
		})
	}
	return listOf("/v1/invoices/"+i.id+"/lines", data...)
}

func (c *charge) render(a *Account) obj {
	var failureCode, failureMessage any
	status := "succeeded"
	outcome := obj{
		"network_status": "approved_by_network", "reason": nil, "risk_level": "normal", "seller_message": "Payment complete.", "type": "authorized",
	}
	if c.failed {
		status, failureCode, failureMessage = "failed", "card_declined", "Your card was declined."
		outcome["network_status"], outcome["reason"], outcome["type"] = "declined_by_network", "generic_decline", "issuer_declined"
	}
	captured := c.amount
	if c.failed {
		captured = 0
	}
	cus := c.invoice.sub.customer
	return obj{
		"id": c.id, "object": "charge", "created": c.created, "livemode": a.Livemode, "status": status, "amount": c.amount,
		"amount_captured": captured, "amount_refunded": 0, "application": nil, "application_fee": nil,
		"application_fee_amount": nil, "balance_transaction": "txn_" + c.id[3:],
		"billing_details":                 obj{"address": cus.address(a), "email": cus.email, "name": cus.name, "phone": cus.bird.Phone()},
		"calculated_statement_descriptor": cus.bird.Descriptor(), "captured": !c.failed, "currency": c.invoice.items[0].price.currency,
		"customer": cus.id, "description": cus.bird.Note(), "disputed": c.disputed,
		"failure_balance_transaction": nil, "failure_code": failureCode, "failure_message": failureMessage, "fraud_details": obj{},
		"invoice": c.invoice.id, "metadata": cus.notes(), "on_behalf_of": nil, "outcome": outcome, "paid": !c.failed,
		"payment_intent": c.intent, "payment_method": cus.paymentMethod(), "payment_method_details": c.paidWith(), "receipt_email": cus.email, "receipt_number": nil,
		"receipt_url": cus.bird.Link("receipts"), "refunded": false, "refunds": listOf("/v1/charges/" + c.id + "/refunds"), "review": nil,
		"shipping": cus.parcel(a), "source_transfer": nil, "statement_descriptor": cus.bird.Descriptor(), "statement_descriptor_suffix": nil,
		"transfer_data": nil, "transfer_group": nil,
	}
}

func (a *Account) render() obj {
	requirements := func() obj {
		return obj{
			"alternatives": []any{}, "current_deadline": nil, "currently_due": []any{}, "disabled_reason": nil, "errors": []any{},
			"eventually_due": []any{}, "past_due": []any{}, "pending_verification": []any{},
		}
	}
	due := requirements()
	if a.Restricted {
		due["disabled_reason"] = "requirements.past_due"
		due["past_due"] = []any{"external_account"}
	}
	owner := a.owner()
	address := obj{"city": owner.City(), "country": a.Country, "line1": owner.Street(), "line2": nil, "postal_code": "10115", "state": nil}
	return obj{
		"id": a.ID, "object": "account", "country": a.Country, "created": a.Created, "default_currency": a.Currency,
		"business_profile": obj{
			"annual_revenue": nil, "estimated_worker_count": nil, "mcc": nil, "name": a.Name, "product_description": owner.Note(),
			"support_address": address, "support_email": canary.OwnerEmail(), "support_phone": owner.Phone(), "support_url": nil, "url": nil,
		},
		"business_type": "company", "capabilities": obj{"card_payments": "active", "transfers": "active"},
		"charges_enabled": !a.Restricted, "controller": obj{"type": "account"}, "details_submitted": true,
		"email":               canary.OwnerEmail(),
		"external_accounts":   listOf("/v1/accounts/"+a.ID+"/external_accounts", a.bankAccount()),
		"future_requirements": requirements(), "metadata": obj{"note": owner.Note()}, "payouts_enabled": !a.Restricted, "requirements": due,
		"settings": obj{
			"bacs_debit_payments": obj{"display_name": nil, "service_user_number": nil},
			"branding":            obj{"icon": nil, "logo": nil, "primary_color": nil, "secondary_color": nil},
			"card_issuing":        obj{"tos_acceptance": obj{"date": nil, "ip": nil}},
			"card_payments": obj{
				"decline_on":                  obj{"avs_failure": false, "cvc_failure": true},
				"statement_descriptor_prefix": owner.Descriptor(), "statement_descriptor_prefix_kana": nil, "statement_descriptor_prefix_kanji": nil,
			},
			"dashboard": obj{"display_name": a.Name, "timezone": "Etc/UTC"}, "invoices": obj{"default_account_tax_ids": nil},
			"payments": obj{"statement_descriptor": owner.Descriptor(), "statement_descriptor_kana": nil, "statement_descriptor_kanji": nil},
			"payouts": obj{
				"debit_negative_balances": true, "schedule": obj{"delay_days": 2, "interval": "daily"}, "statement_descriptor": owner.Descriptor(),
			},
			"sepa_debit_payments": obj{},
		},
		"tos_acceptance": obj{"date": a.Created, "ip": owner.IP(), "user_agent": nil}, "type": "standard",
	}
}
