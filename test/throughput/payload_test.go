package throughput_test

// The fields of an invoice event as Stripe sends them, in its layout with line breaks, and made-up values. What Kustiq
// does not read is there to be skipped.
const (
	eventJSON = `{
  "id": "evt_%d",
  "object": "event",
  "account": "%s",
  "api_version": "2023-10-16",
  "created": %d,
  "data": {
    "object": {
      "id": "in_%d",
      "object": "invoice",
      "account_country": "DE",
      "account_name": "Example GmbH",
      "amount_due": 4900,
      "amount_paid": %d,
      "amount_remaining": 4900,
      "amount_shipping": 0,
      "application": null,
      "attempt_count": %d,
      "attempted": true,
      "auto_advance": true,
      "automatic_tax": {
        "enabled": false,
        "status": null
      },
      "billing_reason": "subscription_cycle",
      "charge": "ch_3example",
      "collection_method": "charge_automatically",
      "customer": "%s",
      "created": %d,
      "currency": "eur",
      "custom_fields": null,
      "customer_address": {
        "city": "Musterstadt",
        "country": "DE",
        "line1": "Musterstrasse 1",
        "line2": null,
        "postal_code": "12345",
        "state": null
      },
      "customer_email": "somebody@example.com",
      "customer_name": "Somebody Example",
      "customer_phone": null,
      "customer_shipping": null,
      "customer_tax_exempt": "none",
      "customer_tax_ids": [],
      "default_payment_method": null,
      "default_source": null,
      "default_tax_rates": [],
      "description": null,
      "discount": null,
      "discounts": [],
      "due_date": null,
      "effective_at": 1700000000,
      "ending_balance": 0,
      "footer": null,
      "from_invoice": null,
      "hosted_invoice_url": "https://invoice.example.com/i/acct_1/live_example",
      "invoice_pdf": "https://invoice.example.com/i/acct_1/live_example/pdf",
      "last_finalization_error": null,
      "livemode": true,
      "metadata": {},
      "number": "0001-0042",
      "on_behalf_of": null,
      "paid": false,
      "paid_out_of_band": false,
      "payment_intent": "pi_3example",
      "payment_settings": {
        "default_mandate": null,
        "payment_method_options": null,
        "payment_method_types": null
      },
      "period_start": %d,
      "period_end": %d,
      "post_payment_credit_notes_amount": 0,
      "pre_payment_credit_notes_amount": 0,
      "next_payment_attempt": %d,
      "receipt_number": null,
      "rendering": {
        "amount_tax_display": null,
        "pdf": {
          "page_size": "auto"
        }
      },
      "starting_balance": 0,
      "statement_descriptor": null,
      "status": "open",
      "status_transitions": {
        "finalized_at": 1700000000,
        "marked_uncollectible_at": null,
        "paid_at": null,
        "voided_at": null
      },
      "subscription": "sub_1example",
      "subtotal": 4900,
      "subtotal_excluding_tax": 4900,
      "tax": null,
      "test_clock": null,
      "total": 4900,
      "total_discount_amounts": [],
      "total_excluding_tax": 4900,
      "total_tax_amounts": [],
      "transfer_data": null,
      "webhooks_delivered_at": 1700000000,
      "lines": {
        "object": "list",
        "data": [%s],
        "has_more": false,
        "total_count": 3,
        "url": "/v1/invoices/in_1example/lines"
      }
    }
  },
  "livemode": true,
  "pending_webhooks": 1,
  "request": {
    "id": null,
    "idempotency_key": null
  },
  "type": "%s"
}`

	lineJSON = `{
            "id": "il_%d_%d",
            "object": "line_item",
            "amount": 1633,
            "amount_excluding_tax": 1633,
            "currency": "eur",
            "description": "1 x Seat (at 16.33 / month, tier %d)",
            "discount_amounts": [],
            "discountable": true,
            "discounts": [],
            "livemode": true,
            "metadata": {},
            "period": {
              "start": %d,
              "end": %d
            },
            "price": {
              "id": "price_%d",
              "object": "price",
              "active": true,
              "billing_scheme": "per_unit",
              "created": 1650000000,
              "currency": "eur",
              "custom_unit_amount": null,
              "livemode": true,
              "lookup_key": null,
              "metadata": {},
              "nickname": null,
              "product": "prod_example",
              "recurring": {
                "aggregate_usage": null,
                "interval": "month",
                "interval_count": 1,
                "trial_period_days": null,
                "usage_type": "licensed"
              },
              "tax_behavior": "exclusive",
              "tiers_mode": null,
              "transform_quantity": null,
              "type": "recurring",
              "unit_amount": 1633,
              "unit_amount_decimal": "1633"
            },
            "proration": false,
            "proration_details": {
              "credited_items": null
            },
            "quantity": 1,
            "subscription": "sub_1example",
            "subscription_item": "si_example",
            "tax_amounts": [],
            "tax_rates": [],
            "type": "subscription",
            "unit_amount_excluding_tax": "1633"
          }`
)
