package stripesim

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/test/stripemock"
)

var present = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// side is one of the two servers that are compared.
type side struct {
	t      *testing.T
	base   string
	client *http.Client
	key    string
}

func (s side) request(method, path string, form url.Values) (status int, body map[string]any) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Stripe-Version", APIVersion)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, body
}

// simulator is a server with one connected account whose objects are all there.
func simulator(t *testing.T) (server *Server, asAccount, asPlatform side, a *Account) {
	t.Helper()
	server, err := New(Options{Clock: clocktesting.NewFakeClock(present), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	platform := Platform{Name: "P", ClientIDLive: "ca_l", ClientIDTest: "ca_t", SecretKeyLive: "sk_live_p", SecretKeyTest: "sk_test_p", RedirectURIs: []string{"https://p.example/cb"}}
	server.AddPlatform(platform)
	a = Generate(GenerateOptions{AccountID: "acct_1", Name: "A", Country: "DE", Currency: "eur", Customers: 300, Years: 2, Seed: 1, End: present, Livemode: true})
	server.AddAccount(a)
	server.mu.Lock()
	token := server.grant(server.platforms[0], a, newID(server.rng, "rt_", 40))
	server.mu.Unlock()
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	asAccount = side{t, web.URL, web.Client(), token.access}
	asPlatform = side{t, web.URL, web.Client(), "sk_live_p"}
	return server, asAccount, asPlatform, a
}

// exceptions are fields that one side has and the other rightly lacks.
var exceptions = map[string]string{
	"plan":              "deprecated beside price; accounts still have it, the mock's objects do not",
	"subscription_item": "the mock's line is of an invoice item, ours of a subscription",
	"invoice_item":      "the mock's line is of an invoice item, ours of a subscription",
	"account":           "events of connected accounts name them, the mock's event is the platform's own",
	"secret":            "the mock's endpoints have no secret: handing it out once is the simulator's alone",
}

func TestObjectsHaveTheShapeOfStripesDescription(t *testing.T) {
	base, client := stripemock.Start(t)
	mock := side{t, base, client, stripemock.Key}
	_, sim, platform, a := simulator(t)
	for _, tc := range []struct{ list, query, id string }{
		{"customers", "", a.customers.all[0].id},
		{"subscriptions", "?status=all", a.subscriptions.all[0].id},
		{"prices", "", a.prices.all[0].id},
		{"invoices", "", a.invoices.all[0].id},
		{"charges", "", a.charges.all[0].id},
		{"disputes", "", a.disputes.all[0].id},
		{"events", "", a.events.all[0].id},
	} {
		for _, path := range []string{"/v1/" + tc.list + tc.query, "/v1/" + tc.list + "/" + tc.id} {
			compareAnswers(t, "GET", path, nil, mock, sim)
		}
	}
	compareAnswers(t, "GET", "/v1/account", nil, mock, sim)
	compareAnswers(t, "GET", "/v1/invoices?expand[]=data.customer&expand[]=data.charge&limit=3", nil, mock, sim)
	compareAnswers(t, "GET", "/v1/disputes?expand[]=data.charge&limit=1", nil, mock, sim)
	endpoint := url.Values{
		"url": {"https://in.example/hook"}, "enabled_events[0]": {"customer.created"}, "connect": {"true"},
		"api_version": {APIVersion}, "metadata[a]": {"b"},
	}
	created := compareAnswers(t, "POST", "/v1/webhook_endpoints", endpoint, mock, platform)
	id := created["id"].(string)
	compareAnswers(t, "GET", "/v1/webhook_endpoints", nil, mock, platform)
	compareAnswers(t, "POST", "/v1/webhook_endpoints/"+id, url.Values{"disabled": {"true"}}, mock, platform)
	compareAnswers(t, "DELETE", "/v1/webhook_endpoints/"+id, nil, mock, platform)
}

// compareAnswers asks both and reports every field in which the answers differ in kind.
func compareAnswers(t *testing.T, method, path string, form url.Values, mock, sim side) map[string]any {
	t.Helper()
	mockStatus, want := mock.request(method, path, form)
	simStatus, got := sim.request(method, path, form)
	if mockStatus != simStatus || mockStatus != http.StatusOK {
		t.Errorf("%s %s: the mock answers %d %v, the simulator %d %v", method, path, mockStatus, want["error"], simStatus, got["error"])
		return got
	}
	var differences []string
	compare(strings.SplitN(path, "?", 2)[0], want, got, &differences)
	sort.Strings(differences)
	for _, d := range differences {
		t.Errorf("%s %s", method, d)
	}
	return got
}

// compare walks what both have. A null fits anything, and so does an empty list: the other side shows the kind.
func compare(path string, want, got any, differences *[]string) {
	note := func(format string, args ...any) {
		*differences = append(*differences, path+": "+fmt.Sprintf(format, args...))
	}
	if want == nil || got == nil {
		return
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			note("an object in the mock, %T in the simulator", got)
			return
		}
		if isOpen(path, w, g) {
			return
		}
		for key := range w {
			if _, ok := g[key]; !ok && exceptions[key] == "" {
				note("%s is missing", key)
			}
			compare(path+"."+key, w[key], g[key], differences)
		}
		for key := range g {
			if _, ok := w[key]; !ok && exceptions[key] == "" {
				note("%s is not in the mock", key)
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok {
			note("a list in the mock, %T in the simulator", got)
			return
		}
		if len(w) > 0 && len(g) > 0 {
			compare(path+"[]", w[0], g[0], differences)
		}
	default:
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
			note("%T in the mock, %T in the simulator", want, got)
		}
	}
}

// isOpen tells objects without fixed keys, and the object of an event, whose kind differs by event.
func isOpen(path string, want, got map[string]any) bool {
	for _, name := range []string{".metadata", ".fraud_details", ".sepa_debit_payments"} {
		if strings.HasSuffix(path, name) {
			return true
		}
	}
	wanted, _ := want["object"].(string)
	given, _ := got["object"].(string)
	return wanted != given && strings.HasSuffix(path, ".data.object")
}
