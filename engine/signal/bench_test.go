package signal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// payloadOf is an event of about so many bytes: the given object, with fields beside it that nobody reads, indented as
// Stripe does.
func payloadOf(b *testing.B, eventType, object string, size int) []byte {
	b.Helper()
	var filler strings.Builder
	for n := 0; ; n++ {
		raw := fmt.Sprintf(`{"id":"evt_1","object":"event","api_version":"2023-10-16","created":1700000000,"data":{"object":%s},`+
			`"livemode":true,"pending_webhooks":1,"request":{"id":null},"type":%q}`, strings.TrimSuffix(object, "}")+filler.String()+"}", eventType)
		var out bytes.Buffer
		if err := json.Indent(&out, []byte(raw), "", "  "); err != nil {
			b.Fatal(err)
		}
		if out.Len() >= size {
			return out.Bytes()
		}
		fmt.Fprintf(&filler, `,"field_%d":{"object":"list","amount":%d,"description":null,"enabled":false,"url":"https://example.com/v1/things/%d","data":[]}`, n, n*100, n)
	}
}

// BenchmarkDecodeEvent projects whole events onto the allow-list.
func BenchmarkDecodeEvent(b *testing.B) {
	line := `{"type":"subscription","currency":"eur","subscription":"sub_1","quantity":1,"period":{"start":1,"end":2592001},` +
		`"price":{"id":"price_1","currency":"eur","billing_scheme":"per_unit","unit_amount":4900,"unit_amount_decimal":"4900","recurring":{"interval":"month","interval_count":1,"usage_type":"licensed"}}}`
	for _, payload := range []struct {
		name, eventType, object string
		size                    int
	}{
		{"customer", "customer.created", `{"id":"cus_1","created":5,"email":"somebody@example.com","name":"Somebody"}`, 2 << 10},
		{"subscription", updatedEvent, subscription([]string{item("si_1", "1000", 1), item("si_2", "5000", 3)}), 6 << 10},
		{"invoice", "invoice.payment_failed", `{"id":"in_1","customer":"cus_1","subscription":"sub_1","status":"open","billing_reason":"subscription_cycle",` +
			`"currency":"eur","attempt_count":2,"next_payment_attempt":9,"amount_due":4900,"amount_paid":0,"created":5,"lines":{"data":[` + line + `,` + line + `,` + line + `]}}`, 10 << 10},
	} {
		b.Run(payload.name, func(b *testing.B) {
			body := payloadOf(b, payload.eventType, payload.object, payload.size)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeEvent(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
