package stripesim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
)

func ids(body map[string]any) (out []string) {
	for _, x := range body["data"].([]any) {
		out = append(out, x.(map[string]any)["id"].(string))
	}
	return out
}

func TestPagesCoverAListOnceNewestFirst(t *testing.T) {
	_, sim, _, a := simulator(t)
	var seen []string
	cursor := ""
	for {
		_, body := sim.request("GET", "/v1/invoices?limit=100"+cursor, nil)
		page := ids(body)
		seen = append(seen, page...)
		if body["has_more"] != true {
			break
		}
		cursor = "&starting_after=" + page[len(page)-1]
	}
	if len(seen) != len(a.invoices.all) {
		t.Fatalf("%d of %d invoices", len(seen), len(a.invoices.all))
	}
	for i, id := range seen {
		if want := a.invoices.all[len(seen)-1-i].id; id != want {
			t.Fatalf("at %d: %s, want %s", i, id, want)
		}
	}
	_, back := sim.request("GET", "/v1/invoices?limit=3&ending_before="+seen[10], nil)
	if got, want := fmt.Sprint(ids(back)), fmt.Sprint(seen[7:10]); got != want || back["has_more"] != true {
		t.Errorf("ending_before: %s, want %s", got, want)
	}
}

func TestListsAreFiltered(t *testing.T) {
	_, sim, _, a := simulator(t)
	from, to := present.Unix()-90*day, present.Unix()-30*day
	_, body := sim.request("GET", fmt.Sprintf("/v1/charges?limit=100&created[gte]=%d&created[lt]=%d", from, to), nil)
	if len(ids(body)) == 0 {
		t.Error("no charge in the window")
	}
	for _, x := range body["data"].([]any) {
		if created := int64(x.(map[string]any)["created"].(float64)); created < from || created >= to {
			t.Errorf("created %d is outside", created)
		}
	}
	canceled := func(query string) (n int) {
		_, body := sim.request("GET", "/v1/subscriptions?limit=100"+query, nil)
		for _, x := range body["data"].([]any) {
			if x.(map[string]any)["status"] == "canceled" {
				n++
			}
		}
		return n
	}
	if canceled("") != 0 || canceled("&status=all") == 0 {
		t.Errorf("canceled: %d by default, %d of all", canceled(""), canceled("&status=all"))
	}
	_, events := sim.request("GET", "/v1/events?limit=100&types[]=invoice.payment_failed&types[]=customer.created", nil)
	for _, x := range events["data"].([]any) {
		if kind := x.(map[string]any)["type"]; kind != "invoice.payment_failed" && kind != "customer.created" {
			t.Errorf("an event of type %v", kind)
		}
	}
	_, expanded := sim.request("GET", "/v1/invoices/"+a.invoices.all[0].id+"?expand[]=customer", nil)
	if customer, ok := expanded["customer"].(map[string]any); !ok || customer["object"] != "customer" {
		t.Errorf("expand: %v", expanded["customer"])
	}
}

func TestRefusals(t *testing.T) {
	_, sim, platform, _ := simulator(t)
	stranger := sim
	stranger.key = "sk_live_stranger"
	for name, tc := range map[string]struct {
		who          side
		method, path string
		status       int
	}{
		"an unknown key":        {stranger, "GET", "/v1/customers", 401},
		"an unknown object":     {sim, "GET", "/v1/customers/cus_none", 404},
		"an unknown list":       {sim, "GET", "/v1/unicorns", 404},
		"a limit too large":     {sim, "GET", "/v1/customers?limit=101", 400},
		"both cursors":          {sim, "GET", "/v1/customers?starting_after=a&ending_before=b", 400},
		"an unknown cursor":     {sim, "GET", "/v1/customers?starting_after=cus_none", 400},
		"writing to an account": {sim, "POST", "/v1/customers", 403},
		"endpoints of accounts": {sim, "GET", "/v1/webhook_endpoints", 403},
		"lists of the platform": {platform, "GET", "/v1/customers", 404},
	} {
		status, body := tc.who.request(tc.method, tc.path, nil)
		problem, _ := body["error"].(map[string]any)
		if status != tc.status || problem["message"] == nil || problem["type"] == nil {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
}

func TestAnOAuthCodeWorksOnce(t *testing.T) {
	server, _, platform, a := simulator(t)
	page := url.Values{"client_id": {"ca_l"}, "response_type": {"code"}, "scope": {"read_only"}, "redirect_uri": {"https://p.example/cb"}, "state": {"s"}}
	get := httptest.NewRecorder()
	server.ServeHTTP(get, httptest.NewRequest(http.MethodGet, "/oauth/authorize?"+page.Encode(), nil))
	if get.Code != 200 || !strings.Contains(get.Body.String(), a.ID) || !strings.Contains(get.Body.String(), `value="connect"`) {
		t.Fatalf("authorize page: %d", get.Code)
	}
	answer := func(action string) url.Values {
		form := url.Values{"action": {action}, "account": {a.ID}}
		for k, v := range page {
			form[k] = v
		}
		req := httptest.NewRequest(http.MethodPost, "/oauth/authorize", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		server.ServeHTTP(w, req)
		back, err := url.Parse(w.Header().Get("Location"))
		if err != nil || back.Host != "p.example" || back.Query().Get("state") != "s" {
			t.Fatalf("leads to %v", back)
		}
		return back.Query()
	}
	if got := answer("cancel").Get("error"); got != "access_denied" {
		t.Errorf("declined: %s", got)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {answer("connect").Get("code")}, "client_secret": {"sk_live_p"}}
	status, token := platform.request("POST", "/oauth/token", form)
	if status != 200 || token["stripe_user_id"] != a.ID || token["livemode"] != true || token["refresh_token"] == "" {
		t.Fatalf("%d %v", status, token)
	}
	if status, again := platform.request("POST", "/oauth/token", form); status != 400 || again["error"] != "invalid_grant" {
		t.Errorf("a second exchange: %d %v", status, again)
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token["refresh_token"].(string)}, "client_secret": {"sk_live_p"}}
	status, fresh := platform.request("POST", "/oauth/token", refresh)
	if status != 200 || fresh["access_token"] == token["access_token"] {
		t.Errorf("refresh: %d", status)
	}
	end := url.Values{"client_id": {"ca_l"}, "stripe_user_id": {a.ID}}
	if status, _ := platform.request("POST", "/oauth/deauthorize", end); status != 200 {
		t.Errorf("deauthorize: %d", status)
	}
	if status, body := platform.request("POST", "/oauth/deauthorize", end); status != 401 || body["error"] != "invalid_client" {
		t.Errorf("deauthorize again: %d %v", status, body)
	}
	revoked := platform
	revoked.key = fresh["access_token"].(string)
	if status, _ := revoked.request("GET", "/v1/account", nil); status != 401 {
		t.Errorf("a revoked token: %d", status)
	}
}

func TestAtMostSixteenEndpoints(t *testing.T) {
	_, _, platform, _ := simulator(t)
	form := url.Values{"url": {"https://in.example/"}, "enabled_events[]": {"*"}}
	for i := range maxEndpoints {
		if status, body := platform.request("POST", "/v1/webhook_endpoints", form); status != 200 || body["secret"] == nil {
			t.Fatalf("endpoint %d: %d", i, status)
		}
	}
	if status, _ := platform.request("POST", "/v1/webhook_endpoints", form); status != 400 {
		t.Errorf("one more: %d", status)
	}
}

func TestEventsAreSignedAndSentAgainUntilTaken(t *testing.T) {
	server, _, platform, _ := simulator(t)
	answers := make(chan int, 3)
	answers <- 500
	answers <- 200
	type got struct {
		signature string
		body      string
	}
	arrived := make(chan got, 3)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- got{r.Header.Get("Stripe-Signature"), string(body)}
		w.WriteHeader(<-answers)
	}))
	t.Cleanup(hook.Close)
	form := url.Values{"url": {hook.URL}, "enabled_events[]": {"invoice.payment_failed"}, "connect": {"true"}}
	_, endpoint := platform.request("POST", "/v1/webhook_endpoints", form)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	event, err := server.Act("acct_1", server.Customers("acct_1")[0].ID, FailPayment)
	if err != nil {
		t.Fatal(err)
	}
	first := <-arrived
	if want := Sign([]byte(first.body), endpoint["secret"].(string), present.Unix()); first.signature != want || !strings.Contains(first.body, event) {
		t.Errorf("signature %s, want %s", first.signature, want)
	}
	clock := server.clock.(*clocktesting.FakeClock)
	NewWithT(t).Eventually(func() int { return len(server.Deliveries()) }, "10s").Should(Equal(1))
	NewWithT(t).Eventually(clock.Waiters, "10s").Should(BeNumerically(">=", 2)) // the stream's ticker and the pause
	clock.Step(backoff[0])
	if second := <-arrived; second.body != first.body || second.signature == first.signature {
		t.Error("the second attempt is another event, or not signed anew")
	}
	NewWithT(t).Eventually(func() []int {
		var statuses []int
		for _, d := range server.Deliveries() {
			statuses = append(statuses, d.Status)
		}
		return statuses
	}, "10s").Should(Equal([]int{500, 200}))
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestActions(t *testing.T) {
	server, _, _, a := simulator(t)
	var customer string
	for _, c := range server.Customers("acct_1") {
		if sub := a.customers.all[a.customers.byID[c.ID]].subs[0]; c.Status == "active" && !sub.cancelAtPeriodEnd && sub.pausedAt == 0 {
			customer = c.ID
			break
		}
	}
	for _, tc := range []struct {
		action   Action
		kind     string
		possible bool
	}{
		{Pay, "", false},
		{FailPayment, "invoice.payment_failed", true},
		{FailPayment, "invoice.payment_failed", true},
		{Pay, "invoice.payment_succeeded", true},
		{Pause, "customer.subscription.updated", true},
		{Pause, "", false},
		{Resume, "customer.subscription.updated", true},
		{Cancel, "customer.subscription.updated", true},
		{Cancel, "", false},
		{WithdrawCancel, "customer.subscription.updated", true},
		{Dispute, "charge.dispute.created", true},
		{CancelNow, "customer.subscription.deleted", true},
		{FailPayment, "", false},
	} {
		id, err := server.Act("acct_1", customer, tc.action)
		if tc.possible != (err == nil) || (!tc.possible && !errors.Is(err, ErrNotPossible)) {
			t.Fatalf("%s: %v", tc.action, err)
		}
		if e, ok := a.events.get(id); tc.possible && (!ok || e.kind != tc.kind) {
			t.Errorf("%s: event %+v", tc.action, e)
		}
	}
	if _, err := server.Act("acct_1", "cus_none", Pay); err == nil || errors.Is(err, ErrNotPossible) {
		t.Errorf("an unknown customer: %v", err)
	}
}

func TestAFaultAnswersInStripesWay(t *testing.T) {
	server, sim, _, _ := simulator(t)
	server.SetFault(Fault{Match: "GET /v1/invoices", Status: 429, Type: "invalid_request_error", Code: "rate_limit", RetryAfter: 2 * time.Second, Reason: "global-rate", Times: 1})
	resp := httptest.NewRecorder()
	server.ServeHTTP(resp, httptest.NewRequest(http.MethodGet, "/v1/invoices", nil))
	if resp.Code != 429 || resp.Header().Get("Retry-After") != "2" || resp.Header().Get("Stripe-Rate-Limited-Reason") != "global-rate" {
		t.Errorf("%d %v", resp.Code, resp.Header())
	}
	if status, _ := sim.request("GET", "/v1/invoices", nil); status != 200 {
		t.Errorf("after the fault: %d", status)
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	if _, err := New(Options{Logger: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("no clock was taken")
	}
}
