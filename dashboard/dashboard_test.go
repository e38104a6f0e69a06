package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/vault"
	"github.com/kustiq/kustiq/internal/version"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shelf is a small stand-in for the store, which has its own tests: two workspaces with a customer each.
type shelf map[string][]store.CustomerDetail

func (s shelf) Ping(context.Context) error { return nil }

func (s shelf) AtRisk(_ context.Context, workspace string, q store.AtRiskQuery) (store.AtRiskPage, error) {
	page := store.AtRiskPage{Total: len(s[workspace])}
	if q.After == "bad" {
		return page, store.ErrCursor
	}
	start, _ := strconv.Atoi(q.After)
	for i, c := range s[workspace] {
		if i < start || (q.Tier != "" && q.Tier != c.Tier) {
			continue
		}
		if len(page.Rows) == q.Limit {
			page.Next = strconv.Itoa(i)
			break
		}
		page.Rows = append(page.Rows, c.CustomerRow)
	}
	return page, nil
}

func (s shelf) Customer(_ context.Context, workspace, customer string) (store.CustomerDetail, error) {
	for _, c := range s[workspace] {
		if c.CustomerRow.Customer == customer {
			return c, nil
		}
	}
	return store.CustomerDetail{}, store.ErrNotFound
}

func (s shelf) Counts(_ context.Context, workspace string) (store.Counts, error) {
	return store.Counts{Customers: len(s[workspace]), AtRisk: len(s[workspace])}, nil
}

// Failed has a page for each event.
func (s shelf) Failed(_ context.Context, workspace string, q store.FailedQuery) (out store.FailedPage, _ error) {
	if q.After == "bad" {
		return out, store.ErrCursor
	}
	for _, e := range []store.FailedEvent{
		{EventID: "evt_1", EventType: "invoice.payment_failed", Connection: "uid-1", Account: "acct_1", Livemode: true, Reason: "processing", Attempts: 6},
		{EventID: "in_1:paid", Connection: "uid-1", Account: "acct_1", Livemode: true, Reason: "processing", Attempts: 6},
	} {
		if workspace == "ns/acme" && (len(q.Events) == 0 || slices.Contains(q.Events, e.EventID)) && e.EventID > q.After {
			out.Events = append(out.Events, e)
		}
	}
	if len(out.Events) > 1 {
		out.Events, out.Next = out.Events[:1], out.Events[0].EventID
	}
	return out, nil
}

func (s shelf) ScoreHistory(ctx context.Context, workspace, customer string, days int) (store.ScoreHistory, error) {
	if _, err := s.Customer(ctx, workspace, customer); err != nil {
		return store.ScoreHistory{}, err
	}
	points := []store.ScorePoint{{Day: now.AddDate(0, 0, -1), Score: 65, Tier: "Normal", P30: .26}, {Day: now, Score: 95, Tier: "Critical", P30: .52}}
	return store.ScoreHistory{Livemode: true, Points: points[max(0, len(points)-days):]}, nil
}

func (s shelf) Trend(_ context.Context, workspace string, days int) (store.Trend, error) {
	if days < 1 || len(s[workspace]) == 0 {
		return store.Trend{}, nil
	}
	return store.Trend{Livemode: true, Days: []store.TrendDay{
		{Day: now, Critical: 1, Leaving: 2, Normal: 3, MRR: map[string]int64{"usd": 4900, "eur": 2000}},
	}}, nil
}

func (s shelf) Match(_ context.Context, key store.CustomerKey) (store.CustomerMatch, error) {
	if key.Customer != "cus_1" {
		return store.CustomerMatch{}, store.ErrNotFound
	}
	return store.CustomerMatch{Match: matching.Match{ProfileID: "profile-7", Confidence: 95, Evidence: "email"}, State: "matched"}, nil
}

func (s shelf) Changes(context.Context, string) (string, error) { return "1", nil }

func (s shelf) Model(_ context.Context, workspace string) (store.ModelView, error) {
	if len(s[workspace]) == 0 {
		return store.ModelView{Livemode: true, Current: store.StoredModel{Version: "prior-1", Kind: "prior"}}, nil
	}
	card := []byte(`{"version":"fitted-3","kind":"fitted","reason":"stood the test","figures":{"auc":0.7},"weights":[{"name":"dispute","weight":1.5,"prior":2.2,"basis":"fitted"}]}`)
	m := store.StoredModel{Revision: 3, Version: "fitted-3", Kind: "fitted", CreatedAt: now, Card: card}
	run := store.ModelRun{Result: "stood the test", FinishedAt: now, NextAt: now.Add(time.Hour)}
	run.Asked, run.Failed = workspace == "ns/acme" && s.asked(), workspace == "ns/other"
	return store.ModelView{Livemode: true, Current: m, Versions: []store.StoredModel{m, {Revision: 1, Version: "intercept-1", Kind: "intercept"}}, Run: run}, nil
}

// asked is whether AskModelRun was called, which leaves a workspace without customers behind.
func (s shelf) asked() bool { _, ok := s["asked"]; return ok }

func (s shelf) AskModelRun(_ context.Context, workspace string) error {
	if len(s[workspace]) == 0 {
		return store.ErrNotFound
	}
	s["asked"] = nil
	return nil
}

// because stands in for the explainer, which has its own tests.
type because struct{}

func (because) Explain(context.Context, string, string) (report.Explanation, error) {
	fact := report.Fact{ID: "evt_1", Event: "evt_1", Kind: "invoice.payment_failed", At: now, Provenance: "event"}
	before, after := report.Outcome{Score: 65, Tier: "Normal", P30: .27, AtRisk: true}, report.Outcome{Score: 95, Tier: "Critical", P30: .52, AtRisk: true}
	return report.Explanation{Facts: []report.Fact{fact}, LastChange: &report.LastChange{Signal: fact, Before: before, After: after},
		WhatIfs: []report.WhatIf{{Name: "invoices_paid", Label: "the open invoice is paid now", Before: after, After: before}}}, nil
}

func scored(id, name, tier string, score int) store.CustomerDetail {
	return store.CustomerDetail{
		CustomerRow: store.CustomerRow{
			Customer: id, Name: name, Tier: tier, Score: score, P30: .5, MRR: 9900, Currency: "eur", TopReason: "2 failed payments",
			LastSignalKind: "invoice.payment_failed", LastSignalAt: now.Add(-time.Minute), NextChangeAt: now.Add(time.Hour), ModelVersion: "prior-1",
			Profile: matching.Match{ProfileID: "p-" + id, Confidence: 100, Evidence: matching.ByEmail},
		},
		Terms: []scoring.Term{
			{Name: "baseline", Label: "Usual risk", LogOdds: -2.9, Points: -41.8, Basis: "data"},
			{Name: "open_dunning", Label: "2 failed payments", LogOdds: 3, Points: 43.3, Basis: "data", Evidence: []string{"evt_1"}},
		},
		Signals: []signal.Signal{{ID: "evt_1", Kind: signal.PaymentFailed, Created: now.Unix(), Provenance: signal.FromEvent}},
	}
}

// desk is a dashboard with a browser that keeps its cookies.
type desk struct {
	t       *testing.T
	bus     *bus.Bus
	vault   *vault.Vault
	clock   *clocktesting.FakeClock
	audit   *journal
	handler http.Handler
	// dashboard is what the handler is of.
	dashboard *Dashboard
	cookies   []*http.Cookie
}

func open(t *testing.T) *desk {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d := &desk{t: t, clock: clocktesting.NewFakeClock(now), audit: &journal{}}
	keys, err := vault.NewKeyset()
	must(err)
	d.vault, err = vault.Open(keys)
	must(err)
	server, err := bus.StartServer(t.Context(), bus.ServerOptions{Dir: t.TempDir(), EncryptionKey: bytes.Repeat([]byte{1}, 32), Logger: log})
	must(err)
	d.bus, err = bus.Open(t.Context(), bus.Options{Server: server, Region: "eu", Logger: log})
	must(err)
	t.Cleanup(func() { d.bus.Close(); _ = server.Close() })
	_, err = d.bus.Offers().Put(t.Context(), "uid-1", bus.Offer{AuthorizeURL: "https://connect.example/oauth/authorize?client_id=ca_1&response_type=code"})
	must(err)
	dash, err := New(Options{
		Explain: because{},
		Store: shelf{
			"ns/acme":  {scored("cus_1", "Nord <script>alert(1)</script>", "Critical", 95), scored("cus_2", "Süd", "Normal", 62)},
			"ns/other": {scored("cus_9", "Secret Customer", "Critical", 99)},
		},
		Matching: newMatching(t, d.vault, d.clock), Bus: d.bus, Vault: d.vault, Kube: cluster(t), Audit: d.audit, Clock: d.clock, Logger: log,
		BaseURL: "http://127.0.0.1:8080", Region: "EU", LocalUser: "developer",
	})
	must(err)
	d.handler, d.dashboard = described(t, dash), dash
	return d
}

func cluster(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "ns", Name: name} }
	conn := &v1alpha1.StripeConnection{ObjectMeta: in("stripe-live"), Spec: v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: "Live"}}
	conn.UID = "uid-1"
	conn.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionEntitled, Status: "False", Reason: "ERR_PLAN_REQUIRED", Message: "The plan is Free."}}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&v1alpha1.Workspace{ObjectMeta: in("acme"), Spec: v1alpha1.WorkspaceSpec{Plan: "Pro", Region: "EU"}},
		&v1alpha1.Workspace{ObjectMeta: in("other"), Spec: v1alpha1.WorkspaceSpec{Plan: "Pro", Region: "EU"}},
		&v1alpha1.Workspace{ObjectMeta: in("american"), Spec: v1alpha1.WorkspaceSpec{Plan: "Pro", Region: "US"}},
		conn,
	).Build()
}

func (d *desk) do(method, target string, form url.Values) *http.Response {
	d.t.Helper()
	req := httptest.NewRequest(method, "http://127.0.0.1:8080"+target, strings.NewReader(form.Encode()))
	req.RemoteAddr = "127.0.0.1:5000"
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range d.cookies {
		req.AddCookie(c)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req)
	if set := w.Result().Cookies(); len(set) > 0 {
		d.cookies = set
	}
	return w.Result()
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTheChurnPage(t *testing.T) {
	d := open(t)
	resp := d.do("GET", "/dashboard/churn?workspace=ns/acme", nil)
	page := text(t, resp)
	if resp.StatusCode != 200 || strings.Index(page, "cus_1") > strings.Index(page, "cus_2") || !strings.Contains(page, "€99.00") {
		t.Errorf("%d\n%s", resp.StatusCode, page)
	}
	if strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("a customer's name is not escaped")
	}
	if strings.Contains(page, "Secret Customer") || strings.Contains(page, "american") {
		t.Error("the page shows something of another workspace or region")
	}
	if strings.Count(page, "<script") != strings.Count(page, "<script src=\"/assets/") || strings.Contains(page, "style=") || strings.Contains(page, "<style") {
		t.Error("the page has inline script or style, which its own policy forbids")
	}
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy: %s", csp)
	}
	if page := text(t, d.do("GET", "/dashboard/churn?workspace=ns/acme&tier=Normal", nil)); strings.Contains(page, "cus_1") {
		t.Error("the tier does not filter")
	}
	if resp := d.do("GET", "/dashboard/churn?workspace=ns/american", nil); resp.StatusCode != 404 {
		t.Errorf("a workspace of another region: %d", resp.StatusCode)
	}
	if resp := d.do("GET", "/dashboard/churn?workspace=ns/acme&after=bad", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("a stale cursor: %d", resp.StatusCode)
	}
}

func TestTheCustomerPage(t *testing.T) {
	d := open(t)
	page := html.UnescapeString(text(t, d.do("GET", "/dashboard/churn/customers/cus_1?workspace=ns/acme", nil)))
	for _, want := range []string{"Usual risk", "−41.8", "+43.3", "evt_1", "Payment failed", "1 Mar 2026, 12:00:00 UTC", "prior-1", "profile-7", "95 %"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if resp := d.do("GET", "/dashboard/churn/customers/cus_9?workspace=ns/acme", nil); resp.StatusCode != 404 {
		t.Errorf("a customer of another workspace: %d", resp.StatusCode)
	}
}

func TestTheAPI(t *testing.T) {
	d := open(t)
	var page report.AtRisk
	if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/ns/acme/at-risk?limit=1", nil))), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Rows) != 1 || page.Rows[0].Customer != "cus_1" || page.Rows[0].Rank != 1 || page.Total != 2 || page.Workspace != "ns/acme" {
		t.Errorf("%+v", page)
	}
	profile := report.RowProfile{ID: "p-cus_1", Confidence: 100, Evidence: "email"}
	if shown := page.Rows[0].Profile; shown == nil || *shown != profile {
		t.Errorf("profile %+v", shown)
	}
	var detail report.Detail
	if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/ns/acme/customers/cus_1", nil))), &detail); err != nil {
		t.Fatal(err)
	}
	if detail.Profile == nil || *detail.Profile != profile {
		t.Errorf("profile %+v", detail.Profile)
	}
	if len(detail.Facts) != 1 || len(detail.WhatIfs) != 1 || detail.LastChange == nil || detail.LastChange.After.Score != 95 {
		t.Errorf("%+v", detail.Explanation)
	}
	if len(detail.Terms) != 2 || detail.Eta < 0.09 || detail.Eta > 0.11 || len(detail.Signals) != 1 {
		t.Errorf("%+v", detail)
	}
	var counts report.Counts
	counted := d.do("GET", "/api/v1/workspaces/ns/acme/counts", nil)
	if err := json.Unmarshal([]byte(text(t, counted)), &counts); err != nil || counts.Customers != 2 || counted.Header.Get(report.VersionHeader) != version.Version {
		t.Errorf("%+v %v %v", counts, counted.Header, err)
	}
	for target, want := range map[string]struct {
		status int
		code   string
	}{
		"/api/v1/workspaces/ns/none/at-risk":                               {404, "workspace_not_found"},
		"/api/v1/workspaces/ns/acme/at-risk?limit=0":                       {400, "bad_limit"},
		"/api/v1/workspaces/ns/acme/at-risk?limit=201":                     {400, "bad_limit"},
		"/api/v1/workspaces/ns/acme/at-risk?tier=Urgent":                   {400, "bad_tier"},
		"/api/v1/workspaces/ns/acme/at-risk?interval=day":                  {400, "bad_interval"},
		"/api/v1/workspaces/ns/acme/at-risk?reason=weather":                {400, "bad_reason"},
		"/api/v1/workspaces/ns/acme/at-risk?min_mrr_minor=-1":              {400, "bad_min_mrr_minor"},
		"/api/v1/workspaces/ns/acme/at-risk?min_mrr_minor=NaN":             {400, "bad_min_mrr_minor"},
		"/api/v1/workspaces/ns/acme/at-risk?min_mrr=-1":                    {400, "bad_min_mrr"},
		"/api/v1/workspaces/ns/acme/at-risk?min_mrr=1&min_mrr_minor=1":     {400, "bad_min_mrr"},
		"/api/v1/workspaces/ns/acme/at-risk?q=" + strings.Repeat("x", 255): {400, "bad_q"},
		"/api/v1/workspaces/ns/acme/at-risk?after=bad":                     {400, "bad_cursor"},
		"/api/v1/workspaces/ns/acme/customers/cus_9":                       {404, "customer_not_found"},
	} {
		resp := d.do("GET", target, nil)
		var problem report.Problem
		if err := json.Unmarshal([]byte(text(t, resp)), &problem); err != nil || resp.StatusCode != want.status || problem.Error.Code != want.code {
			t.Errorf("%s: %d %+v %v", target, resp.StatusCode, problem, err)
		}
	}
}

func TestOnlyThisMachineIsServed(t *testing.T) {
	d := open(t)
	for name, change := range map[string]func(*http.Request){
		"another address":   func(r *http.Request) { r.RemoteAddr = "192.0.2.7:5000" },
		"another host name": func(r *http.Request) { r.Host = "rebound.example" },
	} {
		req := httptest.NewRequest("GET", "http://127.0.0.1:8080/dashboard/churn", nil)
		req.RemoteAddr = "127.0.0.1:5000"
		change(req)
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, req)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// begin opens the connect page, presses its button and returns where Stripe is to send the browser back to.
func (d *desk) begin() (state string) {
	d.t.Helper()
	page := text(d.t, d.do("GET", "/connect/ns/stripe-live", nil))
	found := tokenField.FindStringSubmatch(page)
	if found == nil {
		d.t.Fatalf("no form:\n%s", page)
	}
	resp := d.do("POST", "/connect/ns/stripe-live", url.Values{"token": {found[1]}})
	target, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusSeeOther || target.Host != "connect.example" {
		d.t.Fatalf("%d %v", resp.StatusCode, target)
	}
	if target.Query().Get("redirect_uri") != "http://127.0.0.1:8080/oauth/callback" || target.Query().Get("client_id") != "ca_1" {
		d.t.Errorf("%v", target)
	}
	return target.Query().Get("state")
}

func callback(state, rest string) string {
	return "/oauth/callback?state=" + url.QueryEscape(state) + "&" + rest
}

func TestConsentIsHandedOverSealed(t *testing.T) {
	d := open(t)
	state := d.begin()
	resp := d.do("GET", callback(state, "code=ac_marker"), nil)
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/connect/ns/stripe-live?waiting=1" {
		t.Fatalf("%d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	grant, _, err := d.bus.Grants().Get(t.Context(), "uid-1")
	if err != nil || bytes.Contains(grant.SealedCode, []byte("ac_marker")) {
		t.Fatalf("%+v %v", grant, err)
	}
	if code, err := d.vault.Unseal(grant.SealedCode, "grant/uid-1"); err != nil || string(code) != "ac_marker" {
		t.Errorf("%s %v", code, err)
	}
	again := d.do("GET", callback(state, "code=ac_other"), nil)
	if again.StatusCode != 400 || !strings.Contains(text(t, again), "used already") {
		t.Errorf("a second use: %d", again.StatusCode)
	}
	if unchanged, _, _ := d.bus.Grants().Get(t.Context(), "uid-1"); !bytes.Equal(unchanged.SealedCode, grant.SealedCode) {
		t.Error("the second use changed the grant")
	}
}

func TestARefusedStateMakesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(d *desk, state string) string
		want   string
	}{
		"an expired one":     {func(d *desk, s string) string { d.clock.SetTime(now.Add(stateAge + time.Second)); return s }, "longer than 10 minutes"},
		"another session":    {func(d *desk, s string) string { d.cookies = nil; return s }, "another browser session"},
		"an altered one":     {func(_ *desk, s string) string { return s[:40] + string(s[40]^1) + s[41:] }, "does not belong"},
		"none":               {func(*desk, string) string { return "" }, "does not belong"},
		"something readable": {func(*desk, string) string { return "bm90IHNlYWxlZA" }, "does not belong"},
	} {
		d := open(t)
		resp := d.do("GET", callback(tc.change(d, d.begin()), "code=ac_1"), nil)
		if page := text(t, resp); resp.StatusCode != 400 || !strings.Contains(page, tc.want) {
			t.Errorf("%s: %d\n%s", name, resp.StatusCode, page)
		}
		if _, _, err := d.bus.Grants().Get(t.Context(), "uid-1"); err == nil {
			t.Errorf("%s: a grant was made", name)
		}
	}
}

func TestADeclinedConsentIsTold(t *testing.T) {
	d := open(t)
	resp := d.do("GET", callback(d.begin(), "error=access_denied"), nil)
	grant, _, err := d.bus.Grants().Get(t.Context(), "uid-1")
	if err != nil || grant.Error != "access_denied" || len(grant.SealedCode) != 0 {
		t.Errorf("%+v %v", grant, err)
	}
	if page := text(t, d.do("GET", resp.Header.Get("Location"), nil)); !strings.Contains(page, "declined") {
		t.Errorf("the page does not say so:\n%s", page)
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	d := open(t)
	d.begin()
	for _, token := range []string{"", "AAAA"} {
		if resp := d.do("POST", "/connect/ns/stripe-live", url.Values{"token": {token}}); resp.StatusCode != http.StatusForbidden {
			t.Errorf("token %q: %d", token, resp.StatusCode)
		}
	}
	page := tokenField.FindStringSubmatch(text(t, d.do("GET", "/connect/ns/stripe-live", nil)))
	d.cookies = nil
	if resp := d.do("POST", "/connect/ns/stripe-live", url.Values{"token": {page[1]}}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("another session's token: %d", resp.StatusCode)
	}
}

func TestTheConnectPageSaysWhatToDo(t *testing.T) {
	d := open(t)
	resp := d.do("GET", "/connect/ns/stripe-live", nil)
	page := text(t, resp)
	for _, want := range []string{"ERR_PLAN_REQUIRED", "The plan is Free.", "access is read-only", "Continue to Stripe"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://connect.example") {
		t.Errorf("the form could not lead to Stripe: %s", csp)
	}
	if resp := d.do("GET", "/connect/ns/none", nil); resp.StatusCode != 404 {
		t.Errorf("an unknown connection: %d", resp.StatusCode)
	}
}

func TestWithoutSignInThereIsNoDashboard(t *testing.T) {
	d := open(t)
	_, err := New(Options{
		Store: shelf{}, Explain: because{}, Bus: d.bus, Vault: d.vault, Kube: cluster(t), Audit: d.audit, Clock: d.clock, Logger: slog.New(slog.DiscardHandler), BaseURL: "https://k.example",
	})
	if err == nil {
		t.Error("a dashboard without sign-in was made")
	}
}
