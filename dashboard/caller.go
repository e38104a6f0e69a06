package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/access"
)

// caller is who makes a request.
type caller struct {
	user access.User
	// session is the hash of the browser's; empty for a bearer of a token.
	session string
}

type callerKey struct{}

func callerOf(r *http.Request) caller {
	c, _ := r.Context().Value(callerKey{}).(caller)
	return c
}

func withCaller(r *http.Request, c caller) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

// authenticated says who makes the request, or answers.
func (d *Dashboard) authenticated(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	c, err := d.caller(w, r)
	switch {
	case err == nil:
		return withCaller(r, c), true
	case errors.Is(err, errNotSignedIn), errors.Is(err, access.ErrUnknownToken):
		d.askToSignIn(w, r, err)
	default:
		d.Logger.Error("dashboard: find out who asks", "error", err)
		w.Header().Set("Retry-After", "5")
		d.deny(w, r, http.StatusServiceUnavailable, "unavailable", "it cannot be found out now who you are: try again in a moment")
	}
	return r, false
}

func (d *Dashboard) caller(w http.ResponseWriter, r *http.Request) (c caller, err error) {
	if token, ok := bearer(r); ok && d.LocalUser == "" {
		// For programs: a page would not know what to do without a session.
		if !isAPI(r) {
			return c, errNotSignedIn
		}
		c.user, err = d.Access.Bearer(r.Context(), token)
		return c, err
	}
	c.session = d.session(r)
	if d.LocalUser == "" {
		c.user, err = d.whose(r.Context(), c.session, !byItself(r))
		return c, err
	}
	c.user = access.User{Name: d.LocalUser}
	if c.session == "" && r.Method == http.MethodGet && !isAPI(r) {
		// Forms belong to a session, here too.
		c.session, err = d.newSession(w)
	}
	return c, err
}

// byItself says that an open page makes the request, and nobody who looks at it: that keeps no session alive. What
// scripts ask has the header (session.js), and where none run the address tells.
func byItself(r *http.Request) bool {
	return ownStream(r) || r.Header.Get("Kustiq-By-Itself") != "" || r.URL.Query().Get("by") == "itself"
}

func ownStream(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// againPath is where a page that no script refreshes loads itself again.
func againPath(r *http.Request) string {
	query := r.URL.Query()
	query.Set("by", "itself")
	return "?" + query.Encode()
}

func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

// askToSignIn leads a browser to the identity provider and back, and tells a program what to send. A page that asks by
// itself leads nowhere: an identity provider that still knows the browser would begin a session that nobody asked for.
func (d *Dashboard) askToSignIn(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case isAPI(r):
		w.Header().Set("WWW-Authenticate", `Bearer realm="kustiq"`)
		message := "send a token that Kubernetes knows, as Authorization: Bearer"
		if errors.Is(err, access.ErrUnknownToken) {
			message = "Kubernetes does not accept the token: get a new one"
		}
		refuse(w, http.StatusUnauthorized, "unauthenticated", message)
	case ownStream(r), byItself(r) && r.Header.Get("HX-Request") != "":
		w.WriteHeader(http.StatusUnauthorized)
	case byItself(r):
		d.problem(w, r, http.StatusUnauthorized, "You are signed out", "This page was open for long. Open it again to sign in.")
	case r.Header.Get("HX-Request") != "":
		// The part of a page is not where a sign-in can be shown: the whole page goes there.
		next := "/"
		if current, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
			next = localPath(current.RequestURI())
		}
		w.Header().Set("HX-Redirect", signInPath(next))
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method != http.MethodGet:
		d.problem(w, r, http.StatusUnauthorized, "You are signed out", "Nothing was done. Open the page again, sign in, and do it once more.")
	default:
		http.Redirect(w, r, signInPath(r.URL.RequestURI()), http.StatusSeeOther)
	}
}

// errNoWorkspace says that there is no such workspace in this region, or none that the caller may view.
var errNoWorkspace = errors.New("no such workspace")

// forbiddenError says that the caller may view a workspace, and lacks another right in it.
type forbiddenError struct {
	right access.Right
}

func (e *forbiddenError) Error() string {
	return "you may not " + e.right.Words() + ": whoever gives rights in its namespace can let you " + e.right.Ask() +
		" (API group " + v1alpha1.GroupVersion.Group + ")"
}

// may fails with errNoWorkspace or *forbiddenError when the caller lacks a right, and with another error when that could
// not be found out.
func (d *Dashboard) may(r *http.Request, right access.Right, namespace, name string) error {
	var found v1alpha1.Workspace
	err := d.Kube.Get(r.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &found)
	if apierrors.IsNotFound(err) || (err == nil && string(found.Spec.Region) != d.Region) {
		return errNoWorkspace
	}
	if err != nil {
		return err
	}
	for _, needed := range []access.Right{access.View, right} {
		allowed, err := d.allowed(r, needed, namespace, name)
		switch {
		case err != nil:
			return err
		case !allowed && needed == access.View:
			return errNoWorkspace
		case !allowed:
			return &forbiddenError{right: right}
		}
	}
	return nil
}

// allowed asks for one right. The local user of kustiq dev has all.
func (d *Dashboard) allowed(r *http.Request, right access.Right, namespace, name string) (bool, error) {
	if d.LocalUser != "" {
		return true, nil
	}
	return d.Access.Allowed(r.Context(), callerOf(r).user, right, namespace, name)
}
