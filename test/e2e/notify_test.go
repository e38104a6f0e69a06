package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/kustiq/kustiq/internal/report"
)

const hookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// hook is a receiver of churn events as a customer of ours would write one.
type hook struct {
	key *standardwebhooks.Webhook
	mu  sync.Mutex
	got []hookEvent
}

type hookEvent struct {
	Type string `json:"type"`
	Data struct {
		Customer string `json:"customer"`
		Score    int    `json:"score"`
		Tier     string `json:"tier"`
		AtRisk   bool   `json:"at_risk"`
		Reason   string `json:"reason"`
	} `json:"data"`
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || h.key.Verify(body, r.Header) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var event hookEvent
	if json.Unmarshal(body, &event) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, event)
}

// of lists what was told of a customer, in the order in which it came.
func (h *hook) of(customer string) (events []hookEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.got {
		if e.Data.Customer == customer {
			events = append(events, e)
		}
	}
	return events
}

// act lets something happen to a customer at the simulated Stripe.
func (d *dev) act(t *testing.T, customer, action string) {
	t.Helper()
	req, _ := http.NewRequest(http.MethodPost, d.Env["STRIPE_URL"]+"/_sim/accounts/"+d.Env["ACCOUNT_ID"]+"/customers/"+customer+"/"+action, nil)
	status, answer := d.do(req)
	NewWithT(t).Expect(status).To(Equal(http.StatusOK), answer)
}

// tellsReceivers names a receiver in the Workspace, and follows a customer whose payment fails and is then made.
func (d *dev) tellsReceivers(t *testing.T) {
	g := NewWithT(t)
	key, err := standardwebhooks.NewWebhook(hookSecret)
	g.Expect(err).NotTo(HaveOccurred())
	h := &hook{key: key}
	server := httptest.NewServer(h)
	defer server.Close()
	d.Kubectl("create", "secret", "generic", "churn-hook", "-n", "kustiq-demo", "--from-literal=secret="+hookSecret)
	d.Kubectl("patch", "ws", "acme", "-n", "kustiq-demo", "--type=merge", "-p", `{"spec":{"notifications":[{"url":"`+server.URL+
		`/churn","signingSecretRef":{"name":"churn-hook","key":"secret"}}]}}`)
	d.Kubectl("wait", "ws", "acme", "-n", "kustiq-demo", "--timeout=20s",
		`--for=jsonpath={.status.conditions[?(@.type=="NotificationsReady")].reason}=Published`)

	customer := d.quietCustomer(t)
	d.act(t, customer, "fail-payment")
	// A yearly customer's new invoice renews the plan, which may change the score before the payment fails.
	told := func() []hookEvent { return h.of(customer) }
	g.Eventually(told, "20s").Should(ContainElements(
		And(HaveField("Type", "customer.at_risk"), HaveField("Data.AtRisk", true), HaveField("Data.Reason", ContainSubstring("1 failed payment"))),
		HaveField("Type", "score.changed")))
	d.act(t, customer, "pay")
	g.Eventually(told, "20s").Should(ContainElement(And(HaveField("Type", "customer.recovered"), HaveField("Data.AtRisk", false))))

	var log report.Deliveries
	req, _ := http.NewRequest(http.MethodGet, d.Env["DASHBOARD_URL"]+"/api/v1/workspaces/kustiq-demo/acme/deliveries?customer="+customer, nil)
	g.Eventually(func(g Gomega) {
		_, body := d.do(req)
		g.Expect(json.Unmarshal([]byte(body), &log)).To(Succeed())
		g.Expect(log.Deliveries).To(And(HaveLen(len(told())), HaveEach(HaveField("Status", "delivered"))))
	}, 10*time.Second).Should(Succeed())
	d.Kubectl("patch", "ws", "acme", "-n", "kustiq-demo", "--type=merge", "-p", `{"spec":{"notifications":null}}`)
}
