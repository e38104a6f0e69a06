package wire

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

func (w *writer) invoice(i *ledger.Invoice) {
	c := i.Customer
	w.base(i.ID, "invoice", i.Created)
	w.opt("account_country", w.Account.Country)
	w.opt("account_name", w.Account.Name)
	w.more(`"account_tax_ids":null`)
	w.num("amount_due", i.AmountDue())
	w.num("amount_paid", i.AmountPaid())
	w.num("amount_remaining", i.AmountDue()-i.AmountPaid())
	w.more(`"amount_shipping":0,"application":null,"application_fee_amount":null`)
	w.num("attempt_count", int64(i.AttemptCount))
	w.flag("attempted", i.AttemptCount > 0)
	w.flag("auto_advance", i.NextAttempt != 0)
	w.more(`"automatic_tax":{"enabled":false,"liability":null,"status":null}`)
	w.str("billing_reason", i.Reason)
	w.chargeRef(i)
	w.more(`"collection_method":"charge_automatically"`)
	w.str("currency", i.Currency)
	w.more(`"custom_fields":null`)
	w.ref("customer", c.ID, func() { w.customer(c) })
	w.address("customer_address", c.Address)
	w.opt("customer_email", c.Email)
	w.opt("customer_name", c.Name)
	w.private("customer_phone", c.Phone)
	w.openIn("customer_shipping")
	w.address("address", c.Address)
	w.opt("name", c.Name)
	w.private("phone", c.Phone)
	w.close()
	w.more(`"customer_tax_exempt":"none","customer_tax_ids":[]`)
	w.private("default_payment_method", c.Card.PaymentMethod)
	w.more(`"default_source":null,"default_tax_rates":[],"description":null`)
	w.invoiceDiscount(i)
	w.more(`"due_date":null`)
	w.time("effective_at", i.FinalizedAt)
	w.more(`"ending_balance":0,"footer":null,"from_invoice":null`)
	w.private("hosted_invoice_url", "https://invoice.stripe.example/i/"+i.ID)
	w.private("invoice_pdf", "https://invoice.stripe.example/i/"+i.ID+"/pdf")
	w.more(`"issuer":{"type":"self"},"last_finalization_error":null,"latest_revision":null`)
	w.list("lines", "/v1/invoices/"+i.ID+"/lines", len(i.Lines), func(n int) { w.line(i, &i.Lines[n]) })
	w.more(`"metadata":{}`)
	w.time("next_payment_attempt", i.NextAttempt)
	w.str("number", i.Number)
	w.more(`"on_behalf_of":null`)
	w.flag("paid", i.Status == ledger.Paid)
	w.more(`"paid_out_of_band":false`)
	w.opt("payment_intent", i.PaymentIntent)
	w.more(`"payment_settings":{"default_mandate":null,"payment_method_options":null,"payment_method_types":null}`)
	w.invoiceSums(i)
	w.close()
}

func (w *writer) chargeRef(i *ledger.Invoice) {
	id := ""
	if i.Charge != nil {
		id = i.Charge.ID
	}
	w.ref("charge", id, func() { w.charge(i.Charge) })
}

// invoiceSums writes the fields from period_end on, most of which are sums.
func (w *writer) invoiceSums(i *ledger.Invoice) {
	// At Stripe these two bound the usage that is billed: the period before the one that lines are for.
	w.num("period_end", i.PeriodStart)
	w.num("period_start", i.PeriodStart)
	w.more(`"post_payment_credit_notes_amount":0,"pre_payment_credit_notes_amount":0,"quote":null,"receipt_number":null`)
	w.more(`"rendering":null,"shipping_cost":null,"shipping_details":null,"starting_balance":0,"statement_descriptor":null`)
	w.str("status", i.Status)
	w.openIn("status_transitions")
	w.time("finalized_at", i.FinalizedAt)
	w.time("marked_uncollectible_at", i.UncollectibleAt)
	w.time("paid_at", i.PaidAt)
	w.time("voided_at", i.VoidedAt)
	w.close()
	w.ref("subscription", i.Subscription.ID, func() { w.subscription(i.Subscription) })
	w.more(`"subscription_details":{"metadata":{}}`)
	w.num("subtotal", i.Subtotal)
	w.num("subtotal_excluding_tax", i.Subtotal)
	w.more(`"tax":null,"test_clock":null`)
	w.num("total", i.Total())
	w.discountAmounts("total_discount_amounts", i.DiscountAmount, i.Discount)
	w.num("total_excluding_tax", i.Total())
	w.more(`"total_tax_amounts":[],"transfer_data":null`)
	w.time("webhooks_delivered_at", i.FinalizedAt)
}

func (w *writer) invoiceDiscount(i *ledger.Invoice) {
	w.discount("discount", i.Discount, i.Subscription)
	w.discountIDs(i.Discount)
}

func (w *writer) discountIDs(d *ledger.Discount) {
	if d == nil {
		w.more(`"discounts":[]`)
		return
	}
	w.key("discounts")
	w.buf = append(w.buf, '[')
	w.text(d.ID)
	w.buf = append(w.buf, ']')
}

func (w *writer) discountAmounts(key string, amount int64, d *ledger.Discount) {
	w.key(key)
	w.buf = append(w.buf, '[')
	if d != nil {
		w.open()
		w.num("amount", amount)
		w.str("discount", d.ID)
		w.close()
	}
	w.buf = append(w.buf, ']')
}

func (w *writer) line(i *ledger.Invoice, l *ledger.Line) {
	w.comma()
	w.head(l.ID, "line_item")
	w.num("amount", l.Amount)
	w.num("amount_excluding_tax", l.Amount)
	w.str("currency", i.Currency)
	w.str("description", describe(l))
	discount := i.Discount
	if l.Proration {
		discount = nil
	}
	w.discountAmounts("discount_amounts", l.DiscountAmount, discount)
	w.flag("discountable", !l.Proration)
	w.discountIDs(nil)
	w.str("invoice", i.ID)
	if l.Proration {
		w.str("invoice_item", "ii_"+l.ID[3:])
	}
	w.flag("livemode", w.Account.Livemode)
	w.more(`"metadata":{}`)
	w.openIn("period")
	w.num("end", l.End)
	w.num("start", l.Start)
	w.close()
	w.key("price")
	w.price(l.Price)
	w.flag("proration", l.Proration)
	w.more(`"proration_details":{"credited_items":null}`)
	w.num("quantity", l.Quantity)
	w.str("subscription", i.Subscription.ID)
	w.str("subscription_item", l.Item)
	w.more(`"tax_amounts":[],"tax_rates":[]`)
	kind := "subscription"
	if l.Proration {
		kind = "invoiceitem"
	}
	w.str("type", kind)
	if l.Price.Metered {
		w.more(`"unit_amount_excluding_tax":null`)
	} else {
		w.str("unit_amount_excluding_tax", strconv.FormatInt(l.Price.Amount, 10))
	}
	w.close()
}

// describe is what Stripe prints on an invoice's line.
func describe(l *ledger.Line) string {
	switch {
	case l.Proration && l.Amount < 0:
		return "Unused time on " + l.Price.Name
	case l.Proration:
		return "Remaining time on " + l.Price.Name
	case l.Price.Metered:
		return fmt.Sprintf("%d × %s", l.Quantity, l.Price.Name)
	}
	return fmt.Sprintf("%d × %s (at %d.%02d %s / %s)", l.Quantity, l.Price.Name,
		l.Price.Amount/100, l.Price.Amount%100, strings.ToUpper(l.Price.Currency), l.Price.Interval)
}
