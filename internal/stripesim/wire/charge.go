package wire

import "github.com/kustiq/kustiq/internal/stripesim/ledger"

func (w *writer) charge(c *ledger.Charge) {
	paid := c.Failure == nil
	var captured int64
	balance := ""
	if paid {
		captured, balance = c.Amount, "txn_"+c.ID[3:]
	}
	w.base(c.ID, "charge", c.Created)
	w.num("amount", c.Amount)
	w.num("amount_captured", captured)
	w.more(`"amount_refunded":0,"application":null,"application_fee":null,"application_fee_amount":null`)
	w.opt("balance_transaction", balance)
	w.openIn("billing_details")
	w.address("address", c.Customer.Address)
	w.opt("email", c.Customer.Email)
	w.opt("name", c.Customer.Name)
	w.private("phone", c.Customer.Phone)
	w.close()
	w.more(`"calculated_statement_descriptor":null`)
	w.flag("captured", paid)
	w.str("currency", c.Currency)
	w.ref("customer", c.Customer.ID, func() { w.customer(c.Customer) })
	w.more(`"description":"Subscription update"`)
	w.flag("disputed", c.Disputed)
	w.more(`"failure_balance_transaction":null`)
	w.failure(c.Failure)
	w.more(`"fraud_details":{}`)
	w.ref("invoice", c.Invoice.ID, func() { w.invoice(c.Invoice) })
	w.more(`"metadata":{},"on_behalf_of":null`)
	w.outcome(c.Failure)
	w.flag("paid", paid)
	w.opt("payment_intent", c.PaymentIntent)
	w.private("payment_method", c.Card.PaymentMethod)
	w.card(c)
	w.opt("receipt_email", c.Customer.Email)
	w.more(`"receipt_number":null`)
	w.private("receipt_url", "https://pay.stripe.example/receipts/"+c.ID)
	w.more(`"refunded":false`)
	w.list("refunds", "/v1/charges/"+c.ID+"/refunds", 0, nil)
	w.more(`"review":null,"shipping":null,"source_transfer":null,"statement_descriptor":null,"statement_descriptor_suffix":null`)
	status := "succeeded"
	if !paid {
		status = "failed"
	}
	w.str("status", status)
	w.more(`"transfer_data":null,"transfer_group":null`)
	w.close()
}

func (w *writer) failure(f *ledger.Failure) {
	if f == nil {
		w.more(`"failure_code":null,"failure_message":null`)
		return
	}
	w.str("failure_code", f.Code)
	w.str("failure_message", f.Message)
}

func (w *writer) outcome(f *ledger.Failure) {
	if f == nil {
		w.more(`"outcome":{"network_status":"approved_by_network","reason":null,"risk_level":"normal","risk_score":20,` +
			`"seller_message":"Payment complete.","type":"authorized"}`)
		return
	}
	w.openIn("outcome")
	w.more(`"network_status":"declined_by_network"`)
	w.str("reason", f.DeclineCode)
	w.more(`"risk_level":"normal","risk_score":32,"seller_message":"The bank did not return any further details with this decline.","type":"issuer_declined"`)
	w.close()
}

func (w *writer) card(c *ledger.Charge) {
	w.openIn("payment_method_details")
	w.openIn("card")
	w.num("amount_authorized", c.Amount)
	w.str("brand", c.Card.Brand)
	w.more(`"checks":{"address_line1_check":"pass","address_postal_code_check":"pass","cvc_check":null}`)
	w.opt("country", c.Card.Country)
	w.num("exp_month", int64(c.Card.ExpMonth))
	w.num("exp_year", int64(c.Card.ExpYear))
	w.more(`"extended_authorization":{"status":"disabled"}`)
	w.private("fingerprint", c.Card.Fingerprint)
	w.more(`"funding":"credit","incremental_authorization":{"status":"unavailable"},"installments":null`)
	w.private("last4", c.Card.Last4)
	w.more(`"mandate":null,"multicapture":{"status":"unavailable"}`)
	w.str("network", c.Card.Brand)
	w.more(`"network_token":{"used":false}`)
	w.openIn("overcapture")
	w.num("maximum_amount_capturable", c.Amount)
	w.more(`"status":"unavailable"`)
	w.close()
	w.more(`"three_d_secure":null,"wallet":null`)
	w.close()
	w.more(`"type":"card"`)
	w.close()
}

func (w *writer) dispute(d *ledger.Dispute) {
	w.base(d.ID, "dispute", d.Created)
	w.num("amount", d.Charge.Amount)
	w.more(`"balance_transactions":[]`)
	w.ref("charge", d.Charge.ID, func() { w.charge(d.Charge) })
	w.str("currency", d.Charge.Currency)
	w.openIn("evidence")
	w.more(`"access_activity_log":null`)
	w.private("billing_address", evidenceAddress(d.Charge.Customer.Address))
	w.more(`"cancellation_policy":null,"cancellation_policy_disclosure":null,"cancellation_rebuttal":null,"customer_communication":null`)
	w.opt("customer_email_address", d.Charge.Customer.Email)
	w.opt("customer_name", d.Charge.Customer.Name)
	w.more(evidence)
	w.close()
	w.openIn("evidence_details")
	w.num("due_by", d.Created+evidenceTime)
	w.more(`"has_evidence":false,"past_due":false,"submission_count":0`)
	w.close()
	w.more(`"is_charge_refundable":false,"metadata":{}`)
	w.opt("payment_intent", d.Charge.PaymentIntent)
	w.openIn("payment_method_details")
	w.openIn("card")
	w.str("brand", d.Charge.Card.Brand)
	w.more(`"network_reason_code":"13.2"`)
	w.close()
	w.more(`"type":"card"`)
	w.close()
	w.str("reason", d.Reason)
	w.str("status", d.Status)
	w.close()
}

// evidenceTime is how long a merchant has to answer a dispute.
const evidenceTime = 14 * 24 * 60 * 60

func evidenceAddress(a ledger.Address) string {
	if a == (ledger.Address{}) {
		return ""
	}
	return a.Line1 + ", " + a.PostalCode + " " + a.City + ", " + a.Country
}

const evidence = `"customer_purchase_ip":null,"customer_signature":null,"duplicate_charge_documentation":null,` +
	`"duplicate_charge_explanation":null,"duplicate_charge_id":null,"product_description":null,"receipt":null,` +
	`"refund_policy":null,"refund_policy_disclosure":null,"refund_refusal_explanation":null,"service_date":null,` +
	`"service_documentation":null,"shipping_address":null,"shipping_carrier":null,"shipping_date":null,` +
	`"shipping_documentation":null,"shipping_tracking_number":null,"uncategorized_file":null,"uncategorized_text":null`
