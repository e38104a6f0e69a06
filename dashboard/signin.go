package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/signin"
)

// SignIn has somebody vouched for; *signin.Provider does. It fails with the errors of that package.
type SignIn interface {
	Begin(ctx context.Context) (address string, attempt signin.Attempt, err error)
	Finish(ctx context.Context, attempt signin.Attempt, state, code string) (access.User, error)
	EndSession() string
}

const (
	attemptContext = "dashboard/sign-in"
	attemptCookie  = "kustiq_signin"
	// attemptAge is how long somebody may take at the identity provider.
	attemptAge = 15 * time.Minute
	// callbackPath is where the identity provider sends browsers back to.
	callbackPath = "/signin/callback"
)

// attempt is a sign-in under way, as the browser keeps it.
type attempt struct {
	signin.Attempt
	Next    string `json:"next"`
	Expires int64  `json:"expires"`
}

// SignInCallback is the address that an identity provider must know to send browsers back to.
func SignInCallback(baseURL string) string { return baseURL + callbackPath }

// signInPath leads through the identity provider to a page of ours.
func signInPath(next string) string {
	return "/signin?" + url.Values{"next": {next}}.Encode()
}

// localPath keeps a sign-in from leading anywhere else: it is a path of this dashboard, or that of the first page.
func localPath(next string) string {
	parsed, err := url.Parse(next)
	if err != nil || parsed.IsAbs() || parsed.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || strings.HasPrefix(next, "/signin") {
		return "/"
	}
	return next
}

// beginSignIn sends the browser to the identity provider.
func (d *Dashboard) beginSignIn(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	if d.LocalUser != "" {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	if r.Host != d.host {
		// The cookie must belong to the host that the provider sends the browser back to.
		http.Redirect(w, r, d.BaseURL+r.URL.RequestURI(), http.StatusSeeOther)
		return
	}
	address, begun, err := d.SignIn.Begin(r.Context())
	if err != nil {
		d.signInFailed(w, r, err)
		return
	}
	plain, err := json.Marshal(attempt{Attempt: begun, Next: next, Expires: d.Clock.Now().Add(attemptAge).Unix()})
	if err != nil {
		d.failure(w, r, "begin a sign-in", err)
		return
	}
	sealed, err := d.sealText(plain, attemptContext)
	if err != nil {
		d.failure(w, r, "begin a sign-in", err)
		return
	}
	d.setCookie(w, attemptCookie, sealed)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// finishSignIn takes the browser back.
func (d *Dashboard) finishSignIn(w http.ResponseWriter, r *http.Request) {
	if d.LocalUser != "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	begun, ok := d.attempt(r)
	d.dropCookie(w, attemptCookie)
	query := r.URL.Query()
	switch {
	case !ok:
		d.problem(w, r, http.StatusBadRequest, "This sign-in was not started in this browser, or took too long", signInAgain)
		return
	case query.Get("error") != "":
		d.problem(w, r, http.StatusForbidden, "The identity provider did not sign you in", signInAgain+" If it happens again, ask whoever runs it whether you may use Kustiq.")
		return
	}
	user, err := d.SignIn.Finish(r.Context(), begun.Attempt, query.Get("state"), query.Get("code"))
	if err != nil {
		d.signInFailed(w, r, err)
		return
	}
	if err := d.signOut(r.Context(), w, d.session(r)); err != nil {
		d.failure(w, r, "end the session before", err)
		return
	}
	if err := d.signIn(r.Context(), w, user); err != nil {
		d.failure(w, r, "begin a session", err)
		return
	}
	http.Redirect(w, r, localPath(begun.Next), http.StatusSeeOther)
}

const signInAgain = "Nothing has changed. Open the dashboard again to sign in."

func (d *Dashboard) attempt(r *http.Request) (begun attempt, ok bool) {
	cookie, err := r.Cookie(d.cookieName(attemptCookie))
	if err != nil {
		return begun, false
	}
	plain, err := d.unsealText(cookie.Value, attemptContext)
	if err != nil || json.Unmarshal(plain, &begun) != nil || begun.Expires < d.Clock.Now().Unix() {
		return attempt{}, false
	}
	return begun, true
}

func (d *Dashboard) signInFailed(w http.ResponseWriter, r *http.Request, err error) {
	d.Logger.Warn("dashboard: a sign-in failed", "error", err)
	switch {
	case errors.Is(err, signin.ErrUnavailable):
		w.Header().Set("Retry-After", "10")
		d.problem(w, r, http.StatusServiceUnavailable, "The identity provider does not answer", "Try again in a moment; the dashboard's log says what is the matter.")
	case errors.Is(err, signin.ErrNoName):
		d.problem(w, r, http.StatusForbidden, "The identity provider does not tell who you are", "Whoever runs Kustiq has to look at the claims that it is set up for; the dashboard's log names what is missing.")
	case errors.Is(err, signin.ErrRefused):
		d.problem(w, r, http.StatusBadRequest, "The sign-in did not succeed", signInAgain)
	default:
		d.failure(w, r, "sign somebody in", err)
	}
}

// endSignIn answers the button Sign out.
func (d *Dashboard) endSignIn(w http.ResponseWriter, r *http.Request) {
	if err := d.signOut(r.Context(), w, callerOf(r).session); err != nil {
		d.failure(w, r, "end the session", err)
		return
	}
	http.Redirect(w, r, "/signed-out", http.StatusSeeOther)
}

type signedOutView struct {
	layout
	// Provider is where to sign out of the identity provider as well; empty when that is not known.
	Provider string
}

func (d *Dashboard) signedOut(w http.ResponseWriter, r *http.Request) {
	view := signedOutView{layout: d.layout(r, "You are signed out", "")}
	if d.SignIn != nil {
		view.Provider = d.SignIn.EndSession()
	}
	d.render(w, r, http.StatusOK, "signed_out.html", view)
}
