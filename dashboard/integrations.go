package dashboard

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/report"
)

const (
	// shownFailed and shownBackfills are how many of each the page lists.
	shownFailed    = 50
	shownBackfills = 3
	// busySeconds and calmSeconds are how often a card asks how its connection stands.
	busySeconds = 2
	calmSeconds = 15
)

// statusPart begins the id of the part of a card that follows its connection.
const statusPart = "status-"

// windows are the choices of how much history to read.
var windows = []struct {
	Value v1alpha1.Window
	Words string
}{{v1alpha1.Window30d, "30 days"}, {v1alpha1.Window90d, "90 days"}, {v1alpha1.WindowAllTime, "all of it"}}

// statusView is the part of a card that follows the connection by itself.
type statusView struct {
	// ID is the element's, Here where to ask for it again, and Every how often, in seconds.
	ID, Here  string
	Every     int
	Now       time.Time
	Steps     []stepView
	Backfills []backfillView
	Status    v1alpha1.StripeConnectionStatus
	State     connectionState
	Message   string
	// Window is how much history the connection declares to read, in words; empty when it declares none.
	Window string
}

// Gone says that there is no connection to follow any more.
func (v statusView) Gone() bool { return v.State == stateGone }

// backfillView is one reading of history.
type backfillView struct {
	Name    string
	Window  v1alpha1.Window
	Status  v1alpha1.BackfillStatus
	Running bool
	// Message says why it waits or failed.
	Message string
}

// cardView is one connection.
type cardView struct {
	statusView
	Name, Connect string
	Mode          v1alpha1.Mode
	Spec          v1alpha1.StripeConnectionSpec
	Keeper        *keeper
	// Authorized says that Stripe honours a grant.
	Authorized bool
	Deleting   bool
	// Actions is where the forms of the card lead, without the name of the action.
	Actions string
}

type integrationsView struct {
	layout
	Cards []cardView
	// Operates and Disconnects say what the caller may do beside looking.
	Operates, Disconnects bool
	// Done is what was just done, in words.
	Done    string
	Failed  []report.FailedEvent
	Unshown int
	// Longer is set when there are more than were looked at.
	Longer bool
	// Redrive is where the form of failed events leads.
	Redrive string
	Windows any
	Name    string
}

// integrations shows each connection of a workspace, what it needs and what can be done.
func (d *Dashboard) integrations(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	namespace, name, _ := strings.Cut(workspace, "/")
	view := integrationsView{
		layout: d.layout(r, "Integrations", workspace), Done: doneOf(r.URL.Query()), Windows: windows, Name: name,
		Redrive: "/dashboard/workspaces/" + workspace + "/failed/redrive",
	}
	view.Section, view.Workspaces = sectionIntegrations, workspaces
	var err error
	if view.Operates, err = d.allowed(r, access.Operate, namespace, name); err == nil {
		view.Disconnects, err = d.allowed(r, access.Disconnect, namespace, name)
	}
	if err == nil {
		view.Cards, err = d.cards(r, namespace, name)
	}
	if err == nil {
		err = d.listFailed(r, workspace, &view)
	}
	if err != nil {
		d.failure(w, r, "read the connections", err)
		return
	}
	d.render(w, r, http.StatusOK, "integrations.html", view)
}

func (d *Dashboard) listFailed(r *http.Request, workspace string, view *integrationsView) error {
	failed, err := d.failed(r, workspace, "")
	if err != nil {
		return err
	}
	view.Failed, view.Longer = failed.Events, failed.Next != ""
	if len(view.Failed) > shownFailed {
		view.Failed, view.Unshown = view.Failed[:shownFailed], len(view.Failed)-shownFailed
	}
	return nil
}

// cards are a workspace's connections, by name.
func (d *Dashboard) cards(r *http.Request, namespace, workspace string) ([]cardView, error) {
	var list v1alpha1.StripeConnectionList
	if err := d.Kube.List(r.Context(), &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var backfills v1alpha1.BackfillList
	if err := d.Kube.List(r.Context(), &backfills, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var cards []cardView
	for i := range list.Items {
		if conn := &list.Items[i]; conn.Spec.WorkspaceRef.Name == workspace {
			cards = append(cards, d.card(conn, backfills.Items))
		}
	}
	slices.SortFunc(cards, func(a, b cardView) int { return strings.Compare(a.Name, b.Name) })
	return cards, nil
}

func (d *Dashboard) card(conn *v1alpha1.StripeConnection, backfills []v1alpha1.Backfill) cardView {
	return cardView{
		statusView: d.statusOf(conn, backfills), Name: conn.Name, Connect: connectPath(conn.Namespace, conn.Name), Mode: conn.Spec.Mode,
		Spec: conn.Spec, Keeper: keeperOf(conn), Actions: connectionPath(conn) + "/", Deleting: conn.DeletionTimestamp != nil,
		Authorized: meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionAuthorized),
	}
}

// connectionPath is where a connection's own routes are.
func connectionPath(conn *v1alpha1.StripeConnection) string {
	return "/dashboard/workspaces/" + url.PathEscape(conn.Namespace) + "/" + url.PathEscape(conn.Spec.WorkspaceRef.Name) +
		"/connections/" + url.PathEscape(conn.Name)
}

func (d *Dashboard) statusOf(conn *v1alpha1.StripeConnection, backfills []v1alpha1.Backfill) statusView {
	summary := viewOf(conn)
	view := statusView{
		ID: statusPart + conn.Name, Here: connectionPath(conn) + "/status", Every: calmSeconds, Now: d.Clock.Now(),
		Steps: steps(allSteps, conn.Status.Conditions), Status: conn.Status, State: summary.State, Message: summary.Message,
		Backfills: backfillsOf(conn.Name, backfills), Window: windowWords(conn.Spec.Backfill.Window),
	}
	if view.State == stateProgress || view.State == stateLeaving || slices.ContainsFunc(view.Backfills, func(b backfillView) bool { return b.Running }) {
		view.Every = busySeconds
	}
	return view
}

func windowWords(window v1alpha1.Window) string {
	for _, w := range windows {
		if w.Value == window {
			return w.Words
		}
	}
	return string(window)
}

// backfillsOf are those of a connection that run, and the newest others.
func backfillsOf(connection string, all []v1alpha1.Backfill) (views []backfillView) {
	own := slices.DeleteFunc(slices.Clone(all), func(b v1alpha1.Backfill) bool { return b.Spec.ConnectionRef.Name != connection })
	slices.SortStableFunc(own, func(a, b v1alpha1.Backfill) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	for i, b := range own {
		view := backfillView{Name: b.Name, Window: b.Spec.Window, Status: b.Status, Running: b.Status.CompletionTime == nil}
		if i >= shownBackfills && !view.Running {
			continue
		}
		if ready := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status == metav1.ConditionFalse {
			view.Message = ready.Message
		}
		views = append(views, view)
	}
	return views
}

// connectionStatus is the part of a card that asks for itself again.
func (d *Dashboard) connectionStatus(w http.ResponseWriter, r *http.Request) {
	conn, err := d.findConnection(r)
	if apierrors.IsNotFound(err) {
		gone := statusView{ID: statusPart + r.PathValue("connection"), State: stateGone, Message: "There is no such connection any more."}
		d.render(w, r, http.StatusOK, "connection-status", gone)
		return
	}
	if err != nil {
		d.failure(w, r, "read the connection", err)
		return
	}
	var backfills v1alpha1.BackfillList
	if err := d.Kube.List(r.Context(), &backfills, client.InNamespace(conn.Namespace)); err != nil {
		d.failure(w, r, "read the backfills", err)
		return
	}
	d.render(w, r, http.StatusOK, "connection-status", d.statusOf(conn, backfills.Items))
}

// accepted words for how long what retires is still accepted.
func accepted(until, now time.Time) string {
	if !until.After(now) {
		return "accepted no longer"
	}
	return "accepted for " + report.Span(until.Sub(now)) + " more"
}

// actView is a form of nothing but a button.
type actView struct{ Token, Path, Words, Name string }

func actOf(token, actions, verb, words, name string) actView {
	return actView{Token: token, Path: actions + verb, Words: words, Name: name}
}

// stateClass is the look of a state.
func stateClass(s connectionState) string {
	switch s {
	case stateConnected:
		return "good"
	case stateProblem:
		return "bad"
	case stateConsent, stateSuspended, stateLeaving:
		return "warn"
	}
	return "info"
}
