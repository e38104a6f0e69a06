package wire

import (
	"sort"

	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

func (w *writer) customer(c *ledger.Customer) {
	w.base(c.ID, "customer", c.Created)
	w.address("address", c.Address)
	w.more(`"balance":0`)
	w.str("currency", c.Currency)
	w.more(`"default_source":null`)
	w.flag("delinquent", c.Delinquent)
	w.opt("description", c.Description)
	w.more(`"discount":null`)
	w.opt("email", c.Email)
	w.str("invoice_prefix", c.InvoicePrefix)
	w.openIn("invoice_settings")
	w.more(`"custom_fields":null`)
	w.private("default_payment_method", c.Card.PaymentMethod)
	w.more(`"footer":null,"rendering_options":null`)
	w.close()
	w.metadata(c.Metadata)
	w.opt("name", c.Name)
	w.num("next_invoice_sequence", int64(c.NextInvoice))
	w.private("phone", c.Phone)
	w.more(`"preferred_locales":[]`)
	w.openIn("shipping")
	w.address("address", c.Address)
	w.opt("name", c.Name)
	w.private("phone", c.Phone)
	w.close()
	w.more(`"tax_exempt":"none","test_clock":null`)
	w.close()
}

func (w *writer) address(key string, a ledger.Address) {
	if a == (ledger.Address{}) {
		w.raw(key, "null")
		return
	}
	w.openIn(key)
	w.private("city", a.City)
	w.opt("country", a.Country)
	w.private("line1", a.Line1)
	w.more(`"line2":null`)
	w.private("postal_code", a.PostalCode)
	w.opt("state", a.State)
	w.close()
}

func (w *writer) metadata(m map[string]string) {
	w.openIn("metadata")
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		w.comma()
		w.text(k)
		w.buf = append(w.buf, ':')
		w.text(m[k])
	}
	w.close()
}

// account is the account itself, as it is shown to a platform.
func (w *writer) account(a *ledger.Account) {
	w.head(a.ID, "account")
	w.openIn("business_profile")
	w.more(`"annual_revenue":null,"estimated_worker_count":null,"mcc":"5734"`)
	w.opt("name", a.Name)
	w.more(`"product_description":null,"support_address":null`)
	w.opt("support_email", a.Email)
	w.more(`"support_phone":null,"support_url":null,"url":null`)
	w.close()
	w.more(`"business_type":"company"`)
	enabled := `{"card_payments":"active","transfers":"active"}`
	if a.Restricted {
		enabled = `{"card_payments":"inactive","transfers":"inactive"}`
	}
	w.raw("capabilities", enabled)
	w.flag("charges_enabled", !a.Restricted)
	w.more(`"controller":{"type":"account"}`)
	w.str("country", a.Country)
	w.num("created", a.Created)
	w.str("default_currency", a.Currency)
	w.more(`"details_submitted":true`)
	w.opt("email", a.Email)
	w.list("external_accounts", "/v1/accounts/"+a.ID+"/external_accounts", 0, nil)
	w.more(`"future_requirements":` + noRequirements + `,"metadata":{}`)
	w.flag("payouts_enabled", !a.Restricted)
	requirements := noRequirements
	if a.Restricted {
		requirements = pastDueRequirements
	}
	w.raw("requirements", requirements)
	w.openIn("settings")
	w.more(settings)
	w.openIn("dashboard")
	w.opt("display_name", a.Name)
	w.more(`"timezone":"Etc/UTC"`)
	w.close()
	w.close()
	w.more(`"tos_acceptance":{"date":null,"ip":null,"user_agent":null},"type":"standard"`)
	w.close()
}

const (
	noRequirements = `{"alternatives":[],"current_deadline":null,"currently_due":[],"disabled_reason":null,"errors":[],` +
		`"eventually_due":[],"past_due":[],"pending_verification":[]}`
	pastDueRequirements = `{"alternatives":[],"current_deadline":null,"currently_due":["external_account"],` +
		`"disabled_reason":"requirements.past_due","errors":[],"eventually_due":["external_account"],` +
		`"past_due":["external_account"],"pending_verification":[]}`
	settings = `"bacs_debit_payments":{"display_name":null,"service_user_number":null},` +
		`"branding":{"icon":null,"logo":null,"primary_color":null,"secondary_color":null},` +
		`"card_issuing":{"tos_acceptance":{"date":null,"ip":null}},` +
		`"card_payments":{"decline_on":{"avs_failure":true,"cvc_failure":true},"statement_descriptor_prefix":null,` +
		`"statement_descriptor_prefix_kana":null,"statement_descriptor_prefix_kanji":null},` +
		`"invoices":{"default_account_tax_ids":null},` +
		`"payments":{"statement_descriptor":null,"statement_descriptor_kana":null,"statement_descriptor_kanji":null},` +
		`"payouts":{"debit_negative_balances":true,"schedule":{"delay_days":2,"interval":"daily"},"statement_descriptor":null},` +
		`"sepa_debit_payments":{}`
)
