package stripesim

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// app is a simulator with a Stripe App and one account that has installed it, and the first answer to its code.
func app(t *testing.T) (server *Server, sim side, first map[string]any) {
	t.Helper()
	server, err := New(Options{Clock: clocktesting.NewFakeClock(present), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server.AddPlatform(Platform{Name: "P", ClientIDLive: "ca_l", SecretKeyLive: "sk_live_p", RedirectURIs: []string{"https://p.example/cb?of=us"}, App: true})
	server.AddAccount(Generate(GenerateOptions{AccountID: "acct_1", Name: "A", Country: "DE", Currency: "eur", Customers: 1, Years: 1, Seed: 1, End: present, Livemode: true}))
	web := httptest.NewServer(server)
	t.Cleanup(web.Close)
	sim = side{t, web.URL, web.Client(), "sk_live_p"}

	form := url.Values{"client_id": {"ca_l"}, "redirect_uri": {"https://p.example/cb?of=us"}, "account": {"acct_1"}, "action": {"connect"}}
	req := httptest.NewRequest(http.MethodPost, "/oauth/v2/authorize", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, req)
	back, err := url.Parse(w.Header().Get("Location"))
	if err != nil || back.Query().Get("code") == "" || back.Query().Get("of") != "us" {
		t.Fatalf("consent leads to %d %v", w.Code, back)
	}
	status, first := sim.request("POST", "/v1/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}})
	if status != 200 || first["scope"] != "stripe_apps" {
		t.Fatalf("exchange: %d %v", status, first)
	}
	return server, sim, first
}

func (s side) refresh(token any, key string) (status int, body map[string]any) {
	s.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
	s.client = &http.Client{Transport: withHeader{"Idempotency-Key", key}}
	return s.request("POST", "/v1/oauth/token", form)
}

// withHeader sends a header with every request.
type withHeader struct{ name, value string }

func (h withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(h.name, h.value)
	return http.DefaultTransport.RoundTrip(r)
}

func TestAnAppsTokensRollAndEnd(t *testing.T) {
	server, sim, first := app(t)
	clock := server.clock.(*clocktesting.FakeClock)
	status, second := sim.refresh(first["refresh_token"], "one")
	if status != 200 || second["access_token"] == first["access_token"] || second["refresh_token"] == first["refresh_token"] {
		t.Fatalf("refresh: %d", status)
	}
	if status, again := sim.refresh(first["refresh_token"], "two"); status != 400 || again["error"] != "invalid_grant" {
		t.Errorf("the old refresh token: %d %v", status, again["error"])
	}
	for _, tc := range []struct {
		name   string
		after  time.Duration
		status int
	}{{"within its hour", 59 * time.Minute, 200}, {"after its hour", time.Minute, 401}} {
		clock.Step(tc.after)
		sim.key = first["access_token"].(string)
		if status, body := sim.request("GET", "/v1/account", nil); status != tc.status {
			t.Errorf("%s: %d %v", tc.name, status, body["error"])
		}
	}
}

// A lost answer costs no grant: the request that repeats the key gets the same one, for a day.
func TestAnAnswerIsRepeatedForItsKey(t *testing.T) {
	server, sim, first := app(t)
	_, second := sim.refresh(first["refresh_token"], "key")
	status, again := sim.refresh(first["refresh_token"], "key")
	if status != 200 || again["refresh_token"] != second["refresh_token"] || again["access_token"] != second["access_token"] {
		t.Errorf("repeated: %d", status)
	}
	if status, body := sim.refresh(second["refresh_token"], "key"); status != 400 || body["error"].(map[string]any)["type"] != "idempotency_error" {
		t.Errorf("the key of another request: %d %v", status, body)
	}
	server.clock.(*clocktesting.FakeClock).Step(24 * time.Hour)
	if status, body := sim.refresh(first["refresh_token"], "key"); status != 400 || body["error"] != "invalid_grant" {
		t.Errorf("a day later: %d %v", status, body)
	}
}

func TestAFaultBeforeTheWorkIsNotRepeated(t *testing.T) {
	server, sim, first := app(t)
	server.SetFault(Fault{Match: "POST /v1/oauth/token", Status: 500, Times: 1})
	if status, _ := sim.refresh(first["refresh_token"], "key"); status != 500 {
		t.Fatalf("the fault: %d", status)
	}
	if status, _ := sim.refresh(first["refresh_token"], "key"); status != 200 {
		t.Errorf("after the fault: %d", status)
	}
}

func TestRequestsNameThePlatformBehindThem(t *testing.T) {
	server, sim, first := app(t)
	sim.request("GET", "/v1/webhook_endpoints", nil)
	sim.key = first["access_token"].(string)
	sim.request("GET", "/v1/account", nil)
	want := Request{Method: "GET", Path: "/v1/webhook_endpoints", Platform: "P", Livemode: true}
	if got := server.PlatformRequests(); len(got) != 1 || got[0] != want {
		t.Errorf("the platform's: %+v", got)
	}
	want = Request{Method: "GET", Path: "/v1/account", Account: "acct_1", Platform: "P", Livemode: true}
	if got := server.Requests(); len(got) != 1 || got[0] != want {
		t.Errorf("the account's: %+v", got)
	}
}
