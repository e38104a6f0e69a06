package signal

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// Everything that must never leave the decoder carries this mark.
const mark = "MARKED"

const secrets = `"address":{"line1":"MARKED"},"phone":"MARKED","shipping":{"name":"MARKED"},"tax_ids":["MARKED"],
	"default_source":"card_MARKED","sources":{"data":[{"last4":"MARKED","number":"MARKED"}]},"default_payment_method":"pm_MARKED",
	"payment_intent":"pi_MARKED","customer_address":{"city":"MARKED"},"customer_phone":"MARKED","customer_email":"MARKED",
	"hosted_invoice_url":"https://MARKED","metadata":{"note":"MARKED"},"description":"MARKED"`

func TestSignalsCarryNothingBeyondTheAllowList(t *testing.T) {
	events := map[string]string{
		"customer.updated":       `{"id":"cus_1","created":5,` + secrets + `}`,
		"invoice.payment_failed": `{"id":"in_1","customer":{"id":"cus_1",` + secrets + `},"charge":"ch_MARKED",` + secrets + `}`,
		updatedEvent:             subscription([]string{item("si_1", "1000", 1)}, secrets),
		"charge.dispute.created": `{"id":"dp_1","status":"lost","charge":{"id":"ch_1","customer":"cus_1","payment_method_details":{"card":"MARKED"}},
			"evidence":{"customer_name":"MARKED"},` + secrets + `}`,
	}
	for kind, object := range events {
		signals := classified(t, event(kind, object, ""))
		raw, err := json.Marshal(signals)
		if err != nil {
			t.Fatal(err)
		}
		if len(signals) == 0 || strings.Contains(string(raw), mark) {
			t.Errorf("%s: signals = %s", kind, raw)
		}
	}
}

// encoding/json quotes its input in its errors; ours must not.
func TestErrorsNeverQuoteTheBody(t *testing.T) {
	cases := map[string]struct {
		body string
		want error
	}{
		"empty":             {``, ErrNotJSON},
		"cut short":         {`{"id":"evt_MARKED`, ErrNotJSON},
		"stray letter":      {`{"id":MARKED}`, ErrNotJSON},
		"array":             {`["MARKED"]`, ErrShape},
		"string number":     {`{"id":"evt_1","created":"MARKED"}`, ErrShape},
		"no id":             {`{"type":"customer.created","created":5,"data":{"object":{"id":"MARKED"}}}`, ErrIncomplete},
		"no object":         {event("customer.created", `null`, ""), ErrIncomplete},
		"other object":      {`{"object":"MARKED","id":"evt_1","type":"x","created":5}`, ErrIncomplete},
		"wrong nested type": {event("invoice.payment_failed", `{"id":"in_1","customer":"cus_1","attempt_count":"MARKED"}`, ""), ErrShape},
		"wrong reference":   {event("invoice.payment_failed", `{"id":"in_1","customer":["MARKED"]}`, ""), ErrShape},
		"wrong items":       {event(updatedEvent, subscription(nil), `{"items":{"data":"MARKED"}}`), ErrShape},
		"wrong coupon":      {event(updatedEvent, subscription(nil, `"discount":{"coupon":{"duration":5}}`), ``), ErrShape},
		"wrong previous":    {event(updatedEvent, subscription(nil), `"MARKED"`), ErrShape},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, err := DecodeEvent([]byte(c.body))
			if err == nil {
				_, err = Classify(e)
			}
			if !errors.Is(err, c.want) {
				t.Fatalf("error = %v, want %v", err, c.want)
			}
			if strings.Contains(err.Error(), mark) {
				t.Errorf("error quotes the body: %v", err)
			}
		})
	}
}
