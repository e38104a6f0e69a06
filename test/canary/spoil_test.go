package canary

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	marks "github.com/kustiq/kustiq/internal/stripesim/canary"
)

// stranger is somebody whose data comes in requests that nobody should have sent.
var stranger = marks.New(8888, "cus_Stranger8888")

// soiled is an object with everything of a stranger's that Stripe, of any version, has ever put into one.
func soiled(base object) object {
	out := maps.Clone(base)
	maps.Copy(out, object{
		"description": stranger.Note(), "phone": stranger.Phone(), "receipt_url": stranger.Link("receipts"), "ip": stranger.IP(),
		"address":                object{"line1": stranger.Street(), "city": stranger.City()},
		"number":                 stranger.CardNumber(),
		"tax_ids":                object{"data": []object{{"value": stranger.TaxID()}}},
		"tax_info":               object{"tax_id": stranger.TaxID()},
		"statement_descriptor":   stranger.Descriptor(),
		"default_source":         stranger.Token("card"),
		"default_payment_method": object{"id": stranger.Token("pm"), "card": object{"last4": stranger.Last4()}},
		"source":                 object{"id": stranger.Token("src"), "owner": object{"email": stranger.Email(), "phone": stranger.Phone()}},
		"sources": object{"data": []object{
			{"object": "card", "last4": stranger.Last4(), "fingerprint": stranger.CardFingerprint(), "address_line1": stranger.Street()},
			{"object": "bank_account", "account_holder_name": stranger.BankHolder(), "bank_name": stranger.BankName(), "routing_number": stranger.BankCode()},
		}},
		"metadata": object{"iban": stranger.IBAN(), stranger.CardNumber(): stranger.Note()},
	})
	return out
}

// event is a live event about an object, with data of a stranger's all over.
func (d *dev) event(t *testing.T, id, kind string, about object) string {
	t.Helper()
	body, err := json.Marshal(object{
		"id": id, "object": "event", "account": d.env["ACCOUNT_ID"], "api_version": "2018-02-28", "created": time.Now().Unix(),
		"livemode": true, "type": kind, "pending_webhooks": 1, "request": object{"id": nil, "idempotency_key": stranger.Note()},
		"data": object{"object": soiled(about), "previous_attributes": soiled(object{})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// spoilEvents posts what does not fit, each time with marked data: the errors must not quote it.
func (d *dev) spoilEvents(t *testing.T) {
	customer := d.liveCustomers(t)[0].ID
	invoice := object{"id": "in_canary", "object": "invoice", "customer": customer, "attempt_count": 1, "currency": "eur", "status": "open"}
	with := func(key string, value any) object {
		out := maps.Clone(invoice)
		out[key] = value
		return out
	}
	now := time.Now()
	good := d.event(t, "evt_canary1", "invoice.payment_failed", invoice)
	genuine := func(id, kind string, about object) func() answer {
		return func() answer {
			body := d.event(t, id, kind, about)
			return d.post(t, "", body, d.sign(body, now))
		}
	}
	raw := func(path, body, signature string) func() answer {
		return func() answer { return d.post(t, path, body, signature) }
	}
	torn := good[:len(good)-20]
	larger := strings.Repeat(stranger.Note()+" ", 20_000)
	for name, tc := range map[string]struct {
		send    func() answer
		status  int
		outcome string
	}{
		"a number that is text":        {genuine("evt_canary2", "invoice.payment_failed", with("attempt_count", stranger.Note())), 200, "undecodable"},
		"a customer that is a list":    {genuine("evt_canary3", "invoice.payment_failed", with("customer", []string{stranger.CardNumber()})), 200, "undecodable"},
		"an amount that is an address": {genuine("evt_canary4", "invoice.finalized", with("amount_due", soiled(object{}))), 200, "undecodable"},
		"nothing that is needed":       {genuine("evt_canary5", "invoice.payment_failed", object{}), 200, "undecodable"},
		"no JSON":                      {raw("", stranger.Note(), d.sign(stranger.Note(), now)), 200, "undecodable"},
		"half of it":                   {raw("", torn, d.sign(torn, now)), 200, "undecodable"},
		"a customer of 2018":           {genuine("evt_canary6", "customer.updated", object{"id": customer, "object": "customer", "created": 1, "email": stranger.Email(), "name": marks.CustomerName(7)}), 200, "accepted"},
		"an invoice with all expanded": {genuine("evt_canary7", "invoice.payment_failed", with("customer", soiled(object{"id": customer, "object": "customer"}))), 200, "accepted"},
		"a dispute of an unknown":      {genuine("evt_canary8", "charge.dispute.created", object{"id": "dp_canary", "object": "dispute", "status": "needs_response", "charge": "ch_canary"}), 200, "accepted"},
		"an account":                   {genuine("evt_canary9", "account.updated", object{"id": d.env["ACCOUNT_ID"], "object": "account"}), 200, "control"},
		"a kind that nobody asked for": {genuine("evt_canary10", "issuing_card.created", object{"object": "issuing.card"}), 200, "ignored_type"},
		"an account that nobody has":   {raw("", strings.ReplaceAll(good, d.env["ACCOUNT_ID"], "acct_canary"), d.sign(strings.ReplaceAll(good, d.env["ACCOUNT_ID"], "acct_canary"), now)), 200, "unrouted"},
		"a bad signature":              {raw("", good, d.sign(good+" ", now)), 400, "ERR_WEBHOOK_SIG"},
		"a signature of a stranger":    {raw("", good, "t="+stranger.CardNumber()+",v1="+stranger.Token("tok")), 400, "ERR_WEBHOOK_SIG"},
		"an old signature":             {raw("", good, d.sign(good, now.Add(-time.Hour))), 400, "ERR_WEBHOOK_STALE"},
		"a path of a stranger's":       {raw("/"+url.PathEscape(stranger.CardNumber())+"?q="+url.QueryEscape(stranger.Note()), good, d.sign(good, now)), 404, "unknown_path"},
		"more than Stripe would send":  {raw("", larger, d.sign(larger, now)), 413, "too_large"},
	} {
		d.expect(t, name, tc.send(), tc.status, tc.outcome)
	}
	d.expect(t, "the same once more", genuine("evt_canary7", "invoice.payment_failed", invoice)(), 200, "duplicate")
	NewWithT(t).Eventually(func() []string { return d.unseen(t, customer, []string{"evt_canary6", "evt_canary7"}) }, patience).Should(BeEmpty())
}

func (d *dev) expect(t *testing.T, name string, a answer, status int, outcome string) {
	t.Helper()
	if a.status != status || !strings.Contains(string(a.body), outcome) {
		t.Errorf("%s: answered %d %s, want %d %s", name, a.status, a.body, status, outcome)
	}
	if found := marks.NewFinder().Find(a.body); len(found) > 0 {
		t.Errorf("%s: the answer repeats %v", name, found)
	}
}

var connections = schema.GroupVersionResource{Group: "integrations.kustiq.io", Version: "v1alpha1", Resource: "stripeconnections"}

// spoilConsents brings answers from Stripe's consent page that are none, with marked data where the code should be.
func (d *dev) spoilConsents(t *testing.T) {
	resources := dynamic.NewForConfigOrDie(d.kube).Resource(connections).Namespace("kustiq-demo")
	_, err := resources.Create(t.Context(), &unstructured.Unstructured{Object: object{
		"apiVersion": "integrations.kustiq.io/v1alpha1", "kind": "StripeConnection", "metadata": object{"name": "stripe-spoiled"},
		"spec": object{"workspaceRef": object{"name": "acme"}, "mode": "Live"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// says waits until the connection's Authorized condition reads so.
	says := func(reason, words string) {
		NewWithT(t).Eventually(func() string {
			conn, err := resources.Get(t.Context(), "stripe-spoiled", metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			list, _, _ := unstructured.NestedSlice(conn.Object, "status", "conditions")
			for _, c := range list {
				if c := c.(object); c["type"] == "Authorized" {
					return fmt.Sprintf("%s %s", c["reason"], c["message"])
				}
			}
			return ""
		}, patience).Should(And(HavePrefix(reason), ContainSubstring(words)))
	}
	says("AwaitingConsent", "")
	callback := d.env["DASHBOARD_URL"] + "/oauth/callback?"
	for _, query := range []url.Values{
		{"state": {stranger.Note()}, "code": {stranger.Token("tok")}},
		{"state": {stranger.CardNumber()}, "error": {stranger.Note()}, "error_description": {stranger.Note()}},
	} {
		if a := get(t, callback+query.Encode()); a.status != http.StatusBadRequest {
			t.Errorf("a state of nobody's: %d", a.status)
		}
	}
	d.consent(t, callback, url.Values{"code": {"ac_" + stranger.CardNumber() + stranger.Token("tok")}, "scope": {stranger.Note()}})
	says("AwaitingConsent", "used before")
	d.consent(t, callback, url.Values{"error": {"access_denied"}, "error_description": {stranger.Note()}})
	says("ConsentDenied", "declined")
}

var hiddenToken = regexp.MustCompile(`name="token" value="([^"]+)"`)

// consent goes the way to Stripe's page in a browser, and comes back with an answer of its own making.
func (d *dev) consent(t *testing.T, callback string, answered url.Values) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page := d.env["DASHBOARD_URL"] + "/connect/kustiq-demo/stripe-spoiled"
	var form []byte
	NewWithT(t).Eventually(func() [][]byte {
		req, _ := http.NewRequest(http.MethodGet, page, nil)
		found := hiddenToken.FindSubmatch(do(t, browser, req).body)
		if len(found) == 2 {
			form = found[1]
		}
		return found
	}, patience).ShouldNot(BeEmpty())
	refused, err := browser.PostForm(page, url.Values{"token": {stranger.Note()}})
	if err != nil || refused.StatusCode != http.StatusForbidden {
		t.Fatalf("a form of nobody's: %v %v", refused, err)
	}
	_ = refused.Body.Close()
	resp, err := browser.PostForm(page, url.Values{"token": {string(form)}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	stripes, err := resp.Location()
	if err != nil {
		t.Fatalf("the button leads nowhere: %v (%d)", err, resp.StatusCode)
	}
	answered.Set("state", stripes.Query().Get("state"))
	req, err := http.NewRequest(http.MethodGet, callback+answered.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := do(t, browser, req); a.status != http.StatusSeeOther {
		t.Fatalf("the callback answers %d", a.status)
	}
}

// askOddly asks the dashboard for marked things: what is not there is not logged either.
func (d *dev) askOddly(t *testing.T) {
	odd := url.QueryEscape(stranger.Note())
	for _, path := range []string{
		"/dashboard/churn?workspace=" + odd, "/dashboard/churn?tier=" + odd, "/dashboard/churn?after=" + odd,
		"/dashboard/churn/customers/" + stranger.CardNumber(), "/" + url.PathEscape(stranger.Street()),
		workspace + "/customers/" + stranger.CardNumber(), workspace + "/at-risk?after=" + odd, workspace + "/at-risk?tier=" + odd,
		"/connect/kustiq-demo/" + stranger.CardNumber(),
	} {
		if a := get(t, d.env["DASHBOARD_URL"]+path); a.status >= http.StatusInternalServerError {
			t.Errorf("%s answers %d", path, a.status)
		}
	}
}
