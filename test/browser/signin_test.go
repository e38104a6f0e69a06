package browser

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/dashboard"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/oidctest"
	"github.com/kustiq/kustiq/internal/signin"
)

// everything is what everybody may do who has signed in; test/access has Kubernetes decide.
type everything struct{}

func (everything) Allowed(context.Context, access.User, access.Right, string, string) (bool, error) {
	return true, nil
}

func (everything) Bearer(context.Context, string) (access.User, error) {
	return access.User{}, access.ErrUnknownToken
}

// TestSigningIn has somebody sign in at an identity provider, sign out, and leave a page open for too long.
func TestSigningIn(t *testing.T) {
	w := newWindow(t)
	g := NewWithT(t)
	axe, _ := os.ReadFile(axeFile)
	s := newShowcase(t, showcaseNow)
	idp := oidctest.Start(t, s.clock)
	idp.Claims = map[string]any{"email": "kim@acme.example", "email_verified": true}
	s.serve(t, func(o *dashboard.Options) {
		var err error
		o.Access = everything{}
		o.SignIn, err = signin.New(signin.Options{
			Issuer: idp.URL, ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, RedirectURL: dashboard.SignInCallback(s.url),
			Claims: signin.Claims{Username: "email"}, HTTP: &http.Client{Timeout: patience}, Clock: s.clock,
		})
		g.Expect(err).NotTo(HaveOccurred())
	})
	looksAt := func(name string) {
		for _, l := range looks {
			w.do(as(l))
			w.shoot(name+"-"+l.String(), false)
			if axe != nil {
				w.isAccessible(string(axe))
			}
			w.fitsItsWindow()
		}
	}
	w.visit(s.url + "/dashboard/settings/region")
	w.untilText("kim@acme.example")
	w.until(`location.pathname === "/dashboard/settings/region"`) // where they wanted to
	w.click(`form[action="/signout"] button`)
	w.untilText("This browser's session has ended.")
	w.until(`location.pathname === "/signed-out"`)
	looksAt("signed-out")
	w.click(`main a.button`)
	w.untilText("kim@acme.example")

	w.visit(s.url + "/connect/initech/stripe-test") // looks again until there is an offer
	value[bool](w, `(window.stayed = true)`)
	for range 2 {
		s.clock.Step(25 * time.Minute)
		for range 2 { // the first may have been asked for before
			value[bool](w, `(document.querySelector("main").old = true)`)
			w.until(`!document.querySelector("main").old`)
		}
	}
	s.clock.Step(25 * time.Minute)
	w.untilText("You are signed out. This page shows what was known until then.")
	looksAt("signed-out-open")
	if !value[bool](w, `window.stayed === true && location.pathname === "/connect/initech/stripe-test"`) {
		t.Error("the page went to the identity provider, which would have begun a session that nobody asked for")
	}
	w.click(`[data-signed-out] a`)
	w.until(`window.stayed === undefined && document.querySelector("main form button, main .notice") !== null`)
	w.untilText("kim@acme.example")
	w.until(`location.pathname === "/connect/initech/stripe-test"`)
}
