package throughput_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/test/measure"
)

// failedJSON is what Kustiq reads of a failed payment.
const failedJSON = `{"id":"evt_twice_%d_%d","object":"event","account":%q,"api_version":"2023-10-16","created":%d,"livemode":true,
	"type":"invoice.payment_failed","data":{"object":{"id":"in_twice_%d","object":"invoice","customer":%q,"created":%d,"currency":"eur",
	"amount_due":4900,"amount_paid":0,"attempt_count":%d,"billing_reason":"subscription_cycle","subscription":"sub_twice_%d","status":"open",
	"next_payment_attempt":%d}}}`

// BenchmarkTwiceFailed is the time from the request with a customer's second failed payment to that customer's place at the
// top of the at-risk list, beside 10,000 other customers. Each customer's id sorts before the one's before, so that of
// equal scores the newest comes first.
func BenchmarkTwiceFailed(b *testing.B) {
	const customers = 200
	w := newWorld(b)
	w.startEngine(w.sqlite())
	w.startReceiver()
	w.send(w.receiver, 10_000, 0, 0)
	for w.scored() < 10_000 {
		time.Sleep(visibleEvery)
	}
	var took []time.Duration
	for n := range customers {
		customer := fmt.Sprintf("cus_0twice_%03d", customers-n)
		w.fail(n, 1, customer)
		began := time.Now()
		w.fail(n, 2, customer)
		for w.top() != customer {
			time.Sleep(time.Millisecond)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	measure.Report(b, map[string]float64{
		"ms-p50-at-the-top": percentile(took, 50), "ms-p99-at-the-top": percentile(took, 99),
		"ms-max-at-the-top": float64(took[len(took)-1].Microseconds()) / 1000,
	})
}

// fail posts a failed payment as Stripe does, and returns when it is acknowledged.
func (w *world) fail(n, attempt int, customer string) {
	now := time.Now()
	body := fmt.Sprintf(failedJSON, n, attempt, accountOf(0), now.Unix(), n, customer, now.Unix()-3600, attempt, n, now.Add(72*time.Hour).Unix())
	req, err := http.NewRequestWithContext(w.b.Context(), http.MethodPost, "http://"+w.receiver+"/webhooks/stripe/live", strings.NewReader(body))
	w.must(err)
	req.Header.Set("Stripe-Signature", stripesim.Sign([]byte(body), secret, now.Unix()))
	answer, err := http.DefaultClient.Do(req)
	w.must(err)
	_, _ = io.Copy(io.Discard, answer.Body)
	w.must(answer.Body.Close())
	if answer.StatusCode != http.StatusOK {
		w.b.Fatalf("the receiver answers %d", answer.StatusCode)
	}
}

// top is the first customer of the list.
func (w *world) top() string {
	page, err := w.store.AtRisk(w.b.Context(), workspaceOf(0), store.AtRiskQuery{Limit: 1})
	w.must(err)
	if len(page.Rows) == 0 {
		return ""
	}
	return page.Rows[0].Customer
}
