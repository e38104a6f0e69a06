package signin

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/oidctest"
)

const back = "https://k.example/signin/callback"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func client() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func provider(t *testing.T, server *oidctest.Server, claims Claims) *Provider {
	t.Helper()
	p, err := New(Options{
		Issuer: server.URL, ClientID: server.ClientID, ClientSecret: server.ClientSecret, RedirectURL: back, Claims: claims,
		HTTP: client(), Clock: clocktesting.NewFakePassiveClock(now),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// visit goes to the provider as a browser does, and returns what it is sent back with.
func visit(t *testing.T, address string) url.Values {
	t.Helper()
	resp, err := client().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	target, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(target.String(), back) {
		t.Fatalf("%d %v %v", resp.StatusCode, target, err)
	}
	return target.Query()
}

func signIn(t *testing.T, p *Provider) (access.User, error) {
	t.Helper()
	address, attempt, err := p.Begin(t.Context())
	if err != nil {
		return access.User{}, err
	}
	answer := visit(t, address)
	return p.Finish(t.Context(), attempt, answer.Get("state"), answer.Get("code"))
}

func TestSomebodySignsIn(t *testing.T) {
	server := oidctest.Start(t, clocktesting.NewFakePassiveClock(now))
	server.Claims = map[string]any{"email": "ada@example.com", "email_verified": true, "groups": []string{"cs", "system:masters"}}
	for name, tc := range map[string]struct {
		claims Claims
		want   string
		groups string
	}{
		"by subject":          {Claims{}, server.URL + "#248289761001", ""},
		"by e-mail":           {Claims{Username: "email", Groups: "groups"}, "ada@example.com", "cs"},
		"with prefixes":       {Claims{Username: "email", UsernamePrefix: "oidc:", Groups: "groups", GroupsPrefix: "oidc:"}, "oidc:ada@example.com", "oidc:cs oidc:system:masters"},
		"without a prefix":    {Claims{UsernamePrefix: "-"}, "248289761001", ""},
		"a single group":      {Claims{Username: "email", Groups: "email"}, "ada@example.com", "ada@example.com"},
		"groups that are not": {Claims{Username: "email", Groups: "teams"}, "ada@example.com", ""},
	} {
		t.Run(name, func(t *testing.T) {
			user, err := signIn(t, provider(t, server, tc.claims))
			if err != nil || user.Name != tc.want || strings.Join(user.Groups, " ") != tc.groups {
				t.Errorf("%+v %v", user, err)
			}
		})
	}
}

func TestWhoIsNotVouchedForDoesNotSignIn(t *testing.T) {
	for name, tc := range map[string]struct {
		claims Claims
		change func(*oidctest.Server)
		want   error
	}{
		"a forged signature":      {change: func(s *oidctest.Server) { s.Forge = true }, want: ErrRefused},
		"another audience":        {change: func(s *oidctest.Server) { s.Claims = map[string]any{"aud": "another"} }, want: ErrRefused},
		"another issuer":          {change: func(s *oidctest.Server) { s.Claims = map[string]any{"iss": "https://evil.example"} }, want: ErrRefused},
		"an expired token":        {change: func(s *oidctest.Server) { s.Claims = map[string]any{"exp": now.Add(-time.Minute).Unix()} }, want: ErrRefused},
		"another nonce":           {change: func(s *oidctest.Server) { s.Claims = map[string]any{"nonce": "n"} }, want: ErrRefused},
		"another access token":    {change: func(s *oidctest.Server) { s.Claims = map[string]any{"at_hash": "AAAA"} }, want: ErrRefused},
		"a changed client secret": {change: func(s *oidctest.Server) { s.ClientSecret = "new" }, want: ErrUnavailable},
		"a provider that is away": {change: func(s *oidctest.Server) { s.Down = true }, want: ErrUnavailable},
		"an unverified address":   {claims: Claims{Username: "email"}, change: func(s *oidctest.Server) { s.Claims = map[string]any{"email": "a@b", "email_verified": false} }, want: ErrNoName},
		"no name":                 {claims: Claims{Username: "upn"}, change: func(*oidctest.Server) {}, want: ErrNoName},
		"a name of Kubernetes":    {claims: Claims{Username: "upn", UsernamePrefix: "-"}, change: func(s *oidctest.Server) { s.Claims = map[string]any{"upn": "system:admin"} }, want: ErrNoName},
		"groups of no kind":       {claims: Claims{Groups: "iat"}, change: func(*oidctest.Server) {}, want: ErrNoName},
	} {
		t.Run(name, func(t *testing.T) {
			server := oidctest.Start(t, clocktesting.NewFakePassiveClock(now))
			p := provider(t, server, tc.claims)
			tc.change(server)
			user, err := signIn(t, p)
			if !errors.Is(err, tc.want) || user.Name != "" {
				t.Errorf("%+v %v", user, err)
			}
		})
	}
}

func TestAnAnswerIsGoodForItsOwnAttemptOnce(t *testing.T) {
	p := provider(t, oidctest.Start(t, clocktesting.NewFakePassiveClock(now)), Claims{})
	address, mine, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, theirs, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answer := visit(t, address)
	for name, attempt := range map[string]Attempt{
		"none": {}, "another's": theirs, "another's proof": {State: mine.State, Nonce: mine.Nonce, Verifier: theirs.Verifier},
	} {
		_, err := p.Finish(t.Context(), attempt, answer.Get("state"), answer.Get("code"))
		if !errors.Is(err, ErrRefused) || strings.Contains(err.Error(), answer.Get("code")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	answer = visit(t, address)
	if _, err := p.Finish(t.Context(), mine, answer.Get("state"), answer.Get("code")); err != nil {
		t.Errorf("its own: %v", err)
	}
	if _, err := p.Finish(t.Context(), mine, answer.Get("state"), answer.Get("code")); !errors.Is(err, ErrRefused) {
		t.Errorf("a second time: %v", err)
	}
}

func TestAProviderThatWasAwayIsAskedAgain(t *testing.T) {
	server := oidctest.Start(t, clocktesting.NewFakePassiveClock(now))
	p := provider(t, server, Claims{})
	server.Down = true
	if _, _, err := p.Begin(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("away: %v", err)
	}
	server.Down = false
	if user, err := signIn(t, p); err != nil || user.Name == "" {
		t.Errorf("back again: %v", err)
	}
	if p.EndSession() != server.URL+"/logout" {
		t.Errorf("%s", p.EndSession())
	}
}

func TestAnIssuerMustBeSafe(t *testing.T) {
	for _, issuer := range []string{"", "login.example.com", "http://login.example.com", "https://user:word@login.example.com", "https://login.example.com?x=1"} {
		if _, err := New(Options{Issuer: issuer, ClientID: "c", RedirectURL: back, HTTP: client(), Clock: clocktesting.NewFakePassiveClock(now)}); err == nil || strings.Contains(err.Error(), "word") {
			t.Errorf("%q: %v", issuer, err)
		}
	}
}
