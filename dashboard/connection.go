package dashboard

import (
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
)

// troubleshooting is the page with a section for each error code.
const troubleshooting = "https://github.com/kustiq/kustiq/blob/main/docs/troubleshooting.md#"

// conditionHelp is the section about a condition.
func conditionHelp(condition string) string {
	return "https://github.com/kustiq/kustiq/blob/main/docs/stripeconnection.md#" + strings.ToLower(condition)
}

// connectionState is how far a connection is, in the words of a page.
type connectionState string

const (
	stateConnected connectionState = "Connected"
	stateConsent   connectionState = "Waiting for consent"
	stateSuspended connectionState = "Suspended"
	stateProgress  connectionState = "In progress"
	stateProblem   connectionState = "Needs attention"
	stateLeaving   connectionState = "Disconnecting"
	stateGone      connectionState = "Disconnected"
)

// connectionView is one connection in a list.
type connectionView struct {
	Name, Path string
	Mode       v1alpha1.Mode
	State      connectionState
	Message    string
	Remedy     *errcode.Entry
	// History says how the first backfill stands; empty when it is done.
	History string
}

// Problem says whether somebody has to look after the connection.
func (v connectionView) Problem() bool { return v.State == stateProblem }

func viewOf(conn *v1alpha1.StripeConnection) connectionView {
	view := connectionView{Name: conn.Name, Path: connectPath(conn.Namespace, conn.Name), Mode: conn.Spec.Mode, State: stateProgress}
	ready := meta.FindStatusCondition(conn.Status.Conditions, v1alpha1.ConditionReady)
	if conn.DeletionTimestamp != nil {
		view.State, view.Message = stateLeaving, "The grant is being given back to Stripe."
		if ready != nil && ready.Reason == v1alpha1.ReasonDeleting {
			view.Message = ready.Message
		}
		return view
	}
	if ready == nil {
		return view
	}
	view.Message, view.Remedy = ready.Message, remedy(ready.Reason)
	switch {
	case ready.Status == metav1.ConditionTrue:
		view.State = stateConnected
		view.History = unread(conn)
	case ready.Reason == v1alpha1.ReasonAwaitingConsent || ready.Reason == v1alpha1.ReasonConsentDenied:
		view.State = stateConsent
	case ready.Reason == v1alpha1.ReasonSuspended:
		view.State = stateSuspended
	case ready.Status == metav1.ConditionFalse:
		view.State = stateProblem
	}
	return view
}

func unread(conn *v1alpha1.StripeConnection) string {
	history := meta.FindStatusCondition(conn.Status.Conditions, v1alpha1.ConditionBackfillComplete)
	if history == nil || history.Status == metav1.ConditionTrue {
		return ""
	}
	return history.Message
}

func remedy(reason string) *errcode.Entry {
	if entry, ok := errcode.Lookup(errcode.Code(reason)); ok {
		return &entry
	}
	return nil
}

func connectPath(namespace, name string) string {
	return "/connect/" + url.PathEscape(namespace) + "/" + url.PathEscape(name)
}
