package stripesim

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// consent gives the code that an account's owner brings back to the platform.
func consent(t *testing.T, server *Server, client, account string) string {
	t.Helper()
	form := url.Values{
		"client_id": {client}, "response_type": {"code"}, "scope": {"read_only"}, "redirect_uri": {"https://p.example/cb"},
		"account": {account}, "action": {"connect"},
	}
	req := httptest.NewRequest(http.MethodPost, "/oauth/authorize", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, req)
	back, err := url.Parse(w.Header().Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("consent leads to %d %v", w.Code, back)
	}
	return back.Query().Get("code")
}

func TestTokenRefusals(t *testing.T) {
	server, _, platform, a := simulator(t)
	late := consent(t, server, "ca_l", a.ID)
	server.clock.(*clocktesting.FakeClock).Step(5*time.Minute + time.Second)
	fresh := consent(t, server, "ca_l", a.ID)
	for name, tc := range map[string]struct {
		form   url.Values
		status int
		code   string
	}{
		"a code of five minutes ago": {url.Values{"grant_type": {"authorization_code"}, "code": {late}, "client_secret": {"sk_live_p"}}, 400, "invalid_grant"},
		"a code of the other mode":   {url.Values{"grant_type": {"authorization_code"}, "code": {fresh}, "client_secret": {"sk_test_p"}}, 400, "invalid_grant"},
		"no such code":               {url.Values{"grant_type": {"authorization_code"}, "code": {"ac_none"}, "client_secret": {"sk_live_p"}}, 400, "invalid_grant"},
		"no such refresh token":      {url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt_none"}, "client_secret": {"sk_live_p"}}, 400, "invalid_grant"},
		"a stranger's key":           {url.Values{"grant_type": {"authorization_code"}, "code": {fresh}, "client_secret": {"sk_live_x"}}, 401, "invalid_client"},
		"no grant type":              {url.Values{"code": {fresh}, "client_secret": {"sk_live_p"}}, 400, "unsupported_grant_type"},
	} {
		status, body := platform.request("POST", "/oauth/token", tc.form)
		if status != tc.status || body["error"] != tc.code || body["error_description"] == nil {
			t.Errorf("%s: %d %v", name, status, body["error"])
		}
	}
	// None of these refusals spent the good code.
	good := url.Values{"grant_type": {"authorization_code"}, "code": {fresh}, "client_secret": {"sk_live_p"}}
	if status, body := platform.request("POST", "/oauth/token", good); status != 200 || body["token_type"] != "bearer" || body["scope"] != "read_only" {
		t.Errorf("the good code: %d %v", status, body["error"])
	}
}

// An address that nobody registered must not even learn that it was refused.
func TestConsentGoesOnlyToRegisteredAddresses(t *testing.T) {
	server, _, _, _ := simulator(t)
	good := url.Values{"client_id": {"ca_l"}, "response_type": {"code"}, "scope": {"read_only"}, "redirect_uri": {"https://p.example/cb"}}
	for name, change := range map[string]url.Values{
		"another address":     {"redirect_uri": {"https://evil.example/cb"}},
		"a longer address":    {"redirect_uri": {"https://p.example/cb/more"}},
		"no such application": {"client_id": {"ca_none"}},
		"another answer":      {"response_type": {"token"}},
		"another scope":       {"scope": {"everything"}},
	} {
		q := url.Values{}
		for _, values := range []url.Values{good, change} {
			for k, v := range values {
				q[k] = v
			}
		}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/oauth/authorize?"+q.Encode(), nil))
		if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d, leads to %q", name, w.Code, w.Header().Get("Location"))
		}
	}
}

// The last event of an account is that its grant has ended; its signature is checked here by the definition alone.
func TestDeauthorizationIsToldAndSigned(t *testing.T) {
	server, _, platform, a := simulator(t)
	type delivery struct{ header, body string }
	arrived := make(chan delivery, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- delivery{r.Header.Get("Stripe-Signature"), string(body)}
	}))
	t.Cleanup(hook.Close)
	form := url.Values{"url": {hook.URL}, "enabled_events[]": {"account.application.deauthorized"}, "connect": {"true"}}
	_, endpoint := platform.request("POST", "/v1/webhook_endpoints", form)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	if status, _ := platform.request("POST", "/oauth/deauthorize", url.Values{"client_id": {"ca_l"}, "stripe_user_id": {a.ID}}); status != 200 {
		t.Fatalf("deauthorize: %d", status)
	}
	got := <-arrived
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	at, signature, ok := strings.Cut(strings.TrimPrefix(got.header, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(endpoint["secret"].(string)))
	mac.Write([]byte(at + "." + got.body))
	if !ok || signature != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("signature header %q does not sign the body", got.header)
	}
	var event struct {
		Type, Account string
		Livemode      bool
		Data          struct{ Object struct{ ID, Object string } }
	}
	if err := json.Unmarshal([]byte(got.body), &event); err != nil {
		t.Fatal(err)
	}
	if event.Type != "account.application.deauthorized" || event.Account != a.ID || !event.Livemode || event.Data.Object.ID != "ca_l" {
		t.Errorf("event = %+v", event)
	}
}
