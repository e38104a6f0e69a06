package dashboard

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/oidctest"
	"github.com/kustiq/kustiq/internal/signin"
)

// What happens between browser, provider and API server is told in test/access. Here is what needs https.

func TestCookiesStayOnThisHostAndAwayFromScripts(t *testing.T) {
	d := open(t)
	idp := oidctest.Start(t, d.clock)
	people, err := signin.New(signin.Options{
		Issuer: idp.URL, ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, RedirectURL: SignInCallback("https://k.example"),
		HTTP: &http.Client{Timeout: 10 * time.Second}, Clock: d.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	rights, err := access.New(d.dashboard.Kube, d.clock)
	if err != nil {
		t.Fatal(err)
	}
	opts := d.dashboard.Options
	opts.BaseURL, opts.LocalUser, opts.SignIn, opts.Access, opts.Logger = "https://k.example", "", people, rights, slog.New(slog.DiscardHandler)
	dash, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	handler := dash.Handler()
	ask := func(target string, cookies ...*http.Cookie) *http.Response {
		req := httptest.NewRequest("GET", target, nil)
		for _, c := range cookies {
			req.AddCookie(c)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		return w.Result()
	}
	begun := ask("https://k.example/signin?next=/dashboard/churn")
	attempt := begun.Cookies()[0]
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	sent, err := client.Get(begun.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	_ = sent.Body.Close()
	done := ask(sent.Header.Get("Location"), attempt)
	if done.StatusCode != http.StatusSeeOther || done.Header.Get("Location") != "/dashboard/churn" {
		t.Fatalf("%d %s", done.StatusCode, done.Header.Get("Location"))
	}
	set := 0
	for _, c := range append(begun.Cookies(), done.Cookies()...) {
		set++
		if !strings.HasPrefix(c.Name, "__Host-kustiq_") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%s", c)
		}
		if strings.Contains(c.Value, "248289761001") {
			t.Error("the cookie says who it is")
		}
	}
	if set < 3 {
		t.Errorf("%d cookies", set) // the attempt, its end, the session
	}
	if hsts := done.Header.Get("Strict-Transport-Security"); hsts == "" {
		t.Error("browsers are not told to come by https only")
	}
	// One host is not another: the cookie would be lost on the way.
	if away := ask("https://localhost/signin?next=/x"); away.Header.Get("Location") != "https://k.example/signin?next=/x" {
		t.Errorf("%s", away.Header.Get("Location"))
	}
}

func TestALocalUserNeedsNoProvider(t *testing.T) {
	d := open(t)
	if resp := d.do("GET", "/signin?next=//evil.example", nil); resp.Header.Get("Location") != "/" {
		t.Errorf("%s", resp.Header.Get("Location"))
	}
	opts := d.dashboard.Options
	opts.Access, _ = access.New(opts.Kube, d.clock)
	if _, err := New(opts); err == nil {
		t.Error("a dashboard that signs everybody in, and claims to ask for rights, was made")
	}
}
