package stripesim

import "fmt"

// What people type into Stripe, or Stripe knows of them, is in every object about them: see package canary.

// notes is metadata as it is found in the wild.
func (c *customer) notes() obj {
	return obj{
		"crm_note": c.bird.Note(), "card": c.bird.CardNumber(), "iban": c.bird.IBAN(), "vat": c.bird.TaxID(),
		"imported_from": c.bird.Token("tok"),
	}
}

func (c *customer) address(a *Account) obj {
	var behind any
	if c.moves > 0 {
		behind = fmt.Sprintf("Hinterhaus %d", c.moves)
	}
	return obj{"city": c.bird.City(), "country": a.Country, "line1": c.bird.Street(), "line2": behind, "postal_code": "10115", "state": nil}
}

// ships is where deliveries go.
func (c *customer) ships(a *Account) obj {
	return obj{"address": c.address(a), "name": c.name, "phone": c.bird.Phone()}
}

// parcel is what a charge or an invoice knows of a delivery.
func (c *customer) parcel(a *Account) obj {
	parcel := c.ships(a)
	parcel["carrier"], parcel["tracking_number"] = "DHL", c.bird.Note()
	return parcel
}

// customFields are printed on invoices.
func (c *customer) customFields() []any {
	return []any{obj{"name": "Order", "value": c.bird.Note()}}
}

func (c *customer) taxIDs() []any {
	return []any{obj{"type": "gb_vat", "value": c.bird.TaxID()}}
}

// paymentMethod is the id of what the customer pays with.
func (c *customer) paymentMethod() string {
	if c.sepa {
		return c.bird.Token("pm")
	}
	return c.bird.Token("card")
}

func (c *charge) paidWith() obj {
	cus := c.invoice.sub.customer
	if cus.sepa {
		return obj{"type": "sepa_debit", "sepa_debit": obj{
			"bank_code": cus.bird.BankCode(), "branch_code": "", "country": "DE", "fingerprint": cus.bird.BankFingerprint(),
			"last4": cus.bird.BankLast4(), "mandate": cus.bird.Token("mandate"),
		}}
	}
	return obj{"type": "card", "card": obj{
		"amount_authorized": c.amount, "brand": "visa",
		"checks":  obj{"address_line1_check": "pass", "address_postal_code_check": "pass", "cvc_check": "pass"},
		"country": "DE", "exp_month": 8, "exp_year": 2031, "extended_authorization": obj{"status": "disabled"},
		"fingerprint": cus.bird.CardFingerprint(), "funding": "credit", "incremental_authorization": obj{"status": "unavailable"},
		"installments": nil, "last4": cus.bird.Last4(), "mandate": nil, "multicapture": obj{"status": "unavailable"}, "network": "visa",
		"network_token": obj{"used": false}, "overcapture": obj{"maximum_amount_capturable": c.amount, "status": "unavailable"},
		"three_d_secure": nil, "wallet": nil,
	}}
}

// evidenceOf is what the account's owner has told the bank about a customer.
func (d *dispute) evidenceOf(a *Account) obj {
	evidence := obj{}
	for _, field := range disputeEvidence {
		evidence[field] = nil
	}
	c := d.charge.invoice.sub.customer
	evidence["billing_address"] = c.bird.Street() + ", " + c.bird.City() + ", " + a.Country
	evidence["shipping_address"] = evidence["billing_address"]
	evidence["customer_email_address"], evidence["customer_name"] = c.email, c.name
	evidence["customer_purchase_ip"] = c.bird.IP()
	evidence["access_activity_log"] = "signed in from " + c.bird.IP()
	evidence["product_description"], evidence["uncategorized_text"] = c.bird.Note(), c.bird.Note()
	return evidence
}

// bankAccount is where an account's money is paid out to.
func (a *Account) bankAccount() obj {
	bird := a.owner()
	return obj{
		"id": bird.Token("ba"), "object": "bank_account", "account": a.ID, "account_holder_name": bird.BankHolder(),
		"account_holder_type": "company", "account_type": nil,
		"bank_name": bird.BankName(), "country": a.Country, "currency": a.Currency, "customer": nil,
		"fingerprint": bird.BankFingerprint(), "last4": bird.BankLast4(), "metadata": obj{"iban": bird.IBAN()},
		"routing_number": bird.BankCode(), "status": "new",
	}
}
