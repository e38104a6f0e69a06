package dashboard

import (
	"context"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/access"
)

// caller is who makes a request.
type caller struct {
	user access.User
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
func (d *Dashboard) authenticated(_ http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	return withCaller(r, caller{user: access.User{Name: d.LocalUser}}), true
}

// errNoWorkspace says that there is no such workspace in this region, or none that the caller may view.
var errNoWorkspace = errors.New("no such workspace")

// forbiddenError says that the caller may view a workspace and no more.
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
