package stripeapi_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"testing"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

const granted = `{"access_token":"sk_acct_` + canary + `","refresh_token":"rt_` + canary + `","stripe_user_id":"acct_1",
	"scope":"read_only","livemode":false,"token_type":"bearer"}`

func TestAuthorizeURL(t *testing.T) {
	tests := map[string]struct {
		base     string
		flavor   stripeapi.Flavor
		want     string
		wantArgs url.Values
	}{
		"connect": {flavor: stripeapi.FlavorConnect, want: "https://connect.stripe.com/oauth/authorize",
			wantArgs: url.Values{"client_id": {"ca_1"}, "response_type": {"code"}, "scope": {"read_only"}}},
		"default is connect": {want: "https://connect.stripe.com/oauth/authorize",
			wantArgs: url.Values{"client_id": {"ca_1"}, "response_type": {"code"}, "scope": {"read_only"}}},
		"app": {flavor: stripeapi.FlavorApp, want: "https://marketplace.stripe.com/oauth/v2/authorize",
			wantArgs: url.Values{"client_id": {"ca_1"}}},
		"simulator": {base: "http://127.0.0.1:9/", want: "http://127.0.0.1:9/oauth/authorize",
			wantArgs: url.Values{"client_id": {"ca_1"}, "response_type": {"code"}, "scope": {"read_only"}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			api, _ := apiFor(t, tc.base)
			got, err := url.Parse(api.AuthorizeURL(stripeapi.Platform{ClientID: "ca_1", SecretKey: canary, Flavor: tc.flavor}))
			if err != nil {
				t.Fatal(err)
			}
			args := got.Query()
			got.RawQuery = ""
			if got.String() != tc.want || !maps.EqualFunc(args, tc.wantArgs, func(a, b []string) bool { return a[0] == b[0] }) {
				t.Fatalf("got %s with %v", got, args)
			}
		})
	}
}

func TestGrants(t *testing.T) {
	app := platform()
	app.Flavor = stripeapi.FlavorApp
	exchange := func(p stripeapi.Platform) func(*stripeapi.API) (stripeapi.Token, error) {
		return func(a *stripeapi.API) (stripeapi.Token, error) { return a.Exchange(context.Background(), p, "ac_1") }
	}
	refresh := func(p stripeapi.Platform) func(*stripeapi.API) (stripeapi.Token, error) {
		return func(a *stripeapi.API) (stripeapi.Token, error) {
			return a.Refresh(context.Background(), p, "rt_1", "rotate/1")
		}
	}
	tests := map[string]struct {
		call    func(*stripeapi.API) (stripeapi.Token, error)
		path    string
		form    map[string]string
		answer  string
		expires time.Time
	}{
		"connect exchange": {call: exchange(platform()), path: "/oauth/token", answer: granted,
			form: map[string]string{"grant_type": "authorization_code", "code": "ac_1", "client_secret": "sk_test_" + canary}},
		"connect refresh": {call: refresh(platform()), path: "/oauth/token", answer: granted,
			form: map[string]string{"grant_type": "refresh_token", "refresh_token": "rt_1", "client_secret": "sk_test_" + canary}},
		"app exchange": {call: exchange(app), path: "/v1/oauth/token", answer: granted, expires: now.Add(time.Hour),
			form: map[string]string{"grant_type": "authorization_code", "code": "ac_1"}},
		"app refresh": {call: refresh(app), path: "/v1/oauth/token", answer: granted, expires: now.Add(time.Hour),
			form: map[string]string{"grant_type": "refresh_token", "refresh_token": "rt_1"}},
		"expires_in is believed": {call: refresh(app), path: "/v1/oauth/token", expires: now.Add(10 * time.Minute),
			answer: granted[:len(granted)-1] + `,"expires_in":600}`,
			form:   map[string]string{"grant_type": "refresh_token", "refresh_token": "rt_1"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := serve(t, says(200, nil, tc.answer))
			api, _ := apiFor(t, server.URL)
			token, err := tc.call(api)
			if err != nil {
				t.Fatal(err)
			}
			want := stripeapi.Token{Access: "sk_acct_" + canary, Refresh: "rt_" + canary, Account: "acct_1", Scope: "read_only",
				ExpiresAt: tc.expires}
			if token != want {
				t.Fatalf("got %v until %s, want until %s", token, token.ExpiresAt, want.ExpiresAt)
			}
			sent := server.requests()[0]
			if sent.Method != "POST" || sent.Path != tc.path || sent.Header.Get("Authorization") != "Bearer sk_test_"+canary {
				t.Fatalf("sent %s %s", sent.Method, sent.Path)
			}
			got := map[string]string{}
			for k := range sent.Form {
				got[k] = sent.Form.Get(k)
			}
			if !maps.Equal(got, tc.form) {
				t.Fatalf("sent the fields %v", got)
			}
		})
	}
}

func TestRefusedGrants(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   errcode.Code
	}{
		"spent code":        {400, oauthError("invalid_grant"), errcode.ST401},
		"wrong platform":    {401, oauthError("invalid_client"), errcode.ST401},
		"malformed":         {400, oauthError("invalid_request"), ""},
		"granted nothing":   {200, `{"livemode":true}`, ""},
		"server in trouble": {503, canary, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			api, _ := apiFor(t, serve(t, says(tc.status, nil, tc.body)).URL)
			_, err := api.Exchange(context.Background(), platform(), "ac_"+canary)
			var refused *stripeapi.Error
			if !errors.As(err, &refused) || refused.Code != tc.want || !refused.Platform {
				t.Fatalf("got %v, want code %q", err, tc.want)
			}
			mustNotLeak(t, err)
		})
	}
}

func TestDeauthorize(t *testing.T) {
	tests := map[string]struct {
		status            int
		body              string
		fails, notGranted bool
	}{
		"done":           {200, `{"stripe_user_id":"acct_1"}`, false, false},
		"none, or other": {401, oauthError("invalid_client"), true, true},
		"refused":        {400, oauthError("invalid_request"), true, false},
		"unavailable":    {503, "", true, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := serve(t, says(tc.status, nil, tc.body))
			api, _ := apiFor(t, server.URL)
			err := api.Deauthorize(context.Background(), platform(), "acct_1")
			if (err != nil) != tc.fails || errors.Is(err, stripeapi.ErrNotGranted) != tc.notGranted {
				t.Fatalf("got %v", err)
			}
			sent := server.requests()[0]
			if sent.Path != "/oauth/deauthorize" || sent.Form.Get("client_id") != "ca_1" || sent.Form.Get("stripe_user_id") != "acct_1" {
				t.Fatalf("sent %s with %v", sent.Path, sent.Form)
			}
		})
	}
}

func TestConnected(t *testing.T) {
	for name, tc := range map[string]struct {
		status      int
		body        string
		want, fails bool
	}{
		"a grant":       {200, `{"id":"acct_1"}`, true, false},
		"none":          {403, `{"error":{"code":"account_invalid"}}`, false, false},
		"another's key": {401, `{"error":{"type":"invalid_request_error"}}`, false, true},
		"unavailable":   {503, "", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, says(tc.status, nil, tc.body))
			api, _ := apiFor(t, server.URL)
			got, err := api.Connected(context.Background(), platform(), "acct_1")
			if got != tc.want || (err != nil) != tc.fails {
				t.Fatalf("got %v, %v", got, err)
			}
			if sent := server.requests()[0]; sent.Method != "GET" || sent.Path != "/v1/accounts/acct_1" {
				t.Fatalf("sent %s %s", sent.Method, sent.Path)
			}
		})
	}
}
