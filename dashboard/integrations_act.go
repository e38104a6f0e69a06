package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/access"
)

// fieldOwner is who wrote, as Kubernetes keeps it by field.
const fieldOwner = client.FieldOwner("kustiq-dashboard")

// replayKept is how long a finished replay stays to be looked at.
const replayKept = 24 * time.Hour

// connectionAction is one button of a card.
type connectionAction struct {
	verb string
	need access.Right
	// declares says that it changes what the resource declares, which a tool that keeps it would undo. The others are
	// requests, by annotation or by a resource of their own, and stand beside any tool.
	declares bool
	// check reads the form and says what is wrong with it; nil when there is nothing to check.
	check func(conn *v1alpha1.StripeConnection, form url.Values) string
	do    func(ctx context.Context, d *Dashboard, conn *v1alpha1.StripeConnection, form url.Values) error
	// done is told on the page afterwards.
	done string
}

var connectionActions = []connectionAction{
	{verb: "check", need: access.Operate, do: annotate(v1alpha1.ReconcileAtAnnotation), done: "The operator looks at Stripe anew; what it finds shows below within seconds."},
	{verb: "rotate-secret", need: access.Operate, do: annotate(v1alpha1.RotateSecretAtAnnotation), done: "A new signing secret is being made. Both secrets are accepted for 13 hours, then the old endpoint is removed."},
	{verb: "rematch", need: access.Operate, do: annotate(v1alpha1.RematchAtAnnotation), done: "All customers are being matched to profiles again."},
	{verb: "replay", need: access.Operate, check: checkWindow, do: replay, done: "A replay has been created; its progress shows below. What was read before counts once."},
	{verb: "window", need: access.Operate, declares: true, check: checkWindow, do: setWindow, done: "The history to read at first connect was changed."},
	{verb: "suspend", need: access.Operate, declares: true, do: suspend(true), done: "The connection is suspended: events are not accepted, and the grant is kept."},
	{verb: "resume", need: access.Operate, declares: true, do: suspend(false), done: "The connection resumes. What happened meanwhile is read by a catch-up backfill."},
	{verb: "disconnect", need: access.Disconnect, declares: true, check: checkName, do: disconnect, done: "The account is being disconnected: the card goes when Stripe has taken the grant back."},
}

// doneWords are the only words that a link can have the page say.
var doneWords = func() map[string]string {
	words := map[string]string{}
	for _, a := range connectionActions {
		words[a.verb] = a.done
	}
	return words
}()

const connectionPattern = "/dashboard/workspaces/{namespace}/{name}/connections/{connection}/"

// connectionRoutes are those of the buttons.
func (d *Dashboard) connectionRoutes() (all []route) {
	for _, a := range connectionActions {
		all = append(all, route{"POST " + connectionPattern + a.verb, a.need, func(w http.ResponseWriter, r *http.Request) { d.act(w, r, a) }})
	}
	return all
}

// findConnection reads the connection that the path names, of the workspace that it names as well. One of another workspace
// is not found.
func (d *Dashboard) findConnection(r *http.Request) (*v1alpha1.StripeConnection, error) {
	conn := &v1alpha1.StripeConnection{}
	err := d.Kube.Get(r.Context(), client.ObjectKey{Namespace: r.PathValue("namespace"), Name: r.PathValue("connection")}, conn)
	if err == nil && conn.Spec.WorkspaceRef.Name != r.PathValue("name") {
		err = apierrors.NewNotFound(schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "stripeconnections"}, r.PathValue("connection"))
	}
	return conn, err
}

// ownConnection is findConnection, or answers.
func (d *Dashboard) ownConnection(w http.ResponseWriter, r *http.Request) (*v1alpha1.StripeConnection, bool) {
	conn, err := d.findConnection(r)
	switch {
	case apierrors.IsNotFound(err):
		d.problem(w, r, http.StatusNotFound, "There is no such connection", "It may have been disconnected meanwhile. Open Integrations again.")
		return nil, false
	case err != nil:
		d.failure(w, r, "read the connection", err)
		return nil, false
	}
	return conn, true
}

// act does what a button is for.
func (d *Dashboard) act(w http.ResponseWriter, r *http.Request, a connectionAction) {
	conn, ok := d.ownConnection(w, r)
	if !ok {
		return
	}
	if kept := keeperOf(conn); a.declares && kept != nil {
		d.problem(w, r, http.StatusConflict, kept.Tool+" keeps this connection as its source declares it",
			"It would undo a change that is made here. Change the StripeConnection "+conn.Name+" where "+kept.Tool+" takes it from.")
		return
	}
	if a.check != nil {
		if wrong := a.check(conn, r.PostForm); wrong != "" {
			d.problem(w, r, http.StatusBadRequest, wrong, "Nothing was done. Go back and choose again.")
			return
		}
	}
	workspace := conn.Namespace + "/" + conn.Spec.WorkspaceRef.Name
	entry := action{workspace: workspace, verb: a.verb, object: "stripeconnection/" + conn.Name, detail: r.PostForm.Get("window")}
	err := d.audited(r, entry, func() error { return a.do(r.Context(), d, conn, r.PostForm) })
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		d.problem(w, r, http.StatusConflict, "The connection was changed or removed meanwhile", "Nothing was done. Open Integrations again and look whether it still is to be done.")
		return
	case apierrors.IsInvalid(err):
		d.Logger.Warn("dashboard: a change was refused by its rules", "action", a.verb, "error", err)
		d.problem(w, r, http.StatusBadRequest, "The StripeConnection's own rules forbid this", "Nothing was done. The dashboard's log says which rule.")
		return
	case err != nil:
		d.failure(w, r, a.verb, err)
		return
	}
	http.Redirect(w, r, integrationsPath(workspace, a.verb), http.StatusSeeOther)
}

func integrationsPath(workspace, done string) string {
	return "/dashboard/integrations?" + url.Values{"workspace": {workspace}, "done": {done}}.Encode()
}

// annotate asks for an action by an annotation, of which any new value counts once.
func annotate(name string) func(context.Context, *Dashboard, *v1alpha1.StripeConnection, url.Values) error {
	return func(ctx context.Context, d *Dashboard, conn *v1alpha1.StripeConnection, _ url.Values) error {
		return d.patch(ctx, conn, func(c *v1alpha1.StripeConnection) {
			metav1.SetMetaDataAnnotation(&c.ObjectMeta, name, d.Clock.Now().UTC().Format(time.RFC3339Nano))
		})
	}
}

// patch sends what change makes different, and nothing else of the resource.
func (d *Dashboard) patch(ctx context.Context, conn *v1alpha1.StripeConnection, change func(*v1alpha1.StripeConnection)) error {
	changed := conn.DeepCopy()
	change(changed)
	return d.Kube.Patch(ctx, changed, client.MergeFrom(conn), fieldOwner)
}

func checkWindow(_ *v1alpha1.StripeConnection, form url.Values) string {
	for _, w := range windows {
		if form.Get("window") == string(w.Value) {
			return ""
		}
	}
	return "Choose how much history to read"
}

func replay(ctx context.Context, d *Dashboard, conn *v1alpha1.StripeConnection, form url.Values) error {
	return d.Kube.Create(ctx, &v1alpha1.Backfill{
		ObjectMeta: metav1.ObjectMeta{Namespace: conn.Namespace, GenerateName: conn.Name + "-replay-"},
		Spec: v1alpha1.BackfillSpec{
			ConnectionRef: v1alpha1.LocalRef{Name: conn.Name}, Window: v1alpha1.Window(form.Get("window")),
			TTLAfterFinished: &metav1.Duration{Duration: replayKept},
		},
	}, fieldOwner)
}

func setWindow(ctx context.Context, d *Dashboard, conn *v1alpha1.StripeConnection, form url.Values) error {
	return d.patch(ctx, conn, func(c *v1alpha1.StripeConnection) { c.Spec.Backfill.Window = v1alpha1.Window(form.Get("window")) })
}

func suspend(on bool) func(context.Context, *Dashboard, *v1alpha1.StripeConnection, url.Values) error {
	return func(ctx context.Context, d *Dashboard, conn *v1alpha1.StripeConnection, _ url.Values) error {
		return d.patch(ctx, conn, func(c *v1alpha1.StripeConnection) { c.Spec.Suspend = on })
	}
}

func checkName(conn *v1alpha1.StripeConnection, form url.Values) string {
	if form.Get("confirm") != conn.Name {
		return "To disconnect, type the connection's name: " + conn.Name
	}
	return ""
}

// disconnect deletes this very resource, and not one that has its name by now.
func disconnect(ctx context.Context, d *Dashboard, conn *v1alpha1.StripeConnection, _ url.Values) error {
	return d.Kube.Delete(ctx, conn, client.Preconditions{UID: &conn.UID})
}
