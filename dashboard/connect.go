package dashboard

import (
	"errors"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
)

// connectSteps are the conditions that the page shows, in the order in which they come true.
var connectSteps = []struct{ condition, words string }{
	{v1alpha1.ConditionEntitled, "Plan includes Stripe"},
	{v1alpha1.ConditionAuthorized, "Account authorised"},
	{v1alpha1.ConditionRegionPinned, "Region pinned"},
	{v1alpha1.ConditionAccountActive, "Account active"},
	{v1alpha1.ConditionTokenFresh, "Token sealed"},
	{v1alpha1.ConditionEndpointRegistered, "Webhook endpoint registered"},
	{v1alpha1.ConditionBackfillComplete, "History read"},
}

// stepView is one line of the connect page.
type stepView struct {
	Words, Status, Reason, Message string
	Remedy                         *errcode.Entry
}

type connectView struct {
	layout
	Connection *v1alpha1.StripeConnection
	Workspace  v1alpha1.Workspace
	Steps      []stepView
	Authorized bool
	Ready      bool
	Declined   bool
	Token      string
}

// connection reads the resource named in the path, or answers.
func (d *Dashboard) connection(w http.ResponseWriter, r *http.Request) (*v1alpha1.StripeConnection, bool) {
	conn := &v1alpha1.StripeConnection{}
	key := client.ObjectKey{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
	err := d.Kube.Get(r.Context(), key, conn)
	if apierrors.IsNotFound(err) {
		d.problem(w, r, http.StatusNotFound, "There is no such connection", "Apply a StripeConnection of this name, then open its connect URL.")
		return nil, false
	}
	if err != nil {
		d.failure(w, r, "read the connection", err)
		return nil, false
	}
	return conn, true
}

// connect shows what will be connected, and how far it is.
func (d *Dashboard) connect(w http.ResponseWriter, r *http.Request) {
	conn, ok := d.connection(w, r)
	if !ok {
		return
	}
	view := connectView{Connection: conn, Declined: r.URL.Query().Has("declined")}
	view.layout = d.layout("Connect Stripe", conn.Namespace+"/"+conn.Spec.WorkspaceRef.Name)
	key := client.ObjectKey{Namespace: conn.Namespace, Name: conn.Spec.WorkspaceRef.Name}
	if err := d.Kube.Get(r.Context(), key, &view.Workspace); client.IgnoreNotFound(err) != nil {
		d.failure(w, r, "read the workspace", err)
		return
	}
	view.Steps = steps(conn.Status.Conditions)
	view.Authorized = meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionAuthorized)
	view.Ready = meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionReady)
	var err error
	if view.Token, err = d.formToken(d.session(w, r)); err != nil {
		d.failure(w, r, "make the form", err)
		return
	}
	if r.URL.Query().Has("waiting") && !view.Ready {
		view.Refresh = 1
	}
	offer, _, err := d.Bus.Offers().Get(r.Context(), string(conn.UID))
	switch target, parseErr := url.Parse(offer.AuthorizeURL); {
	case err == nil && parseErr == nil:
		w.Header().Set("Content-Security-Policy", policy(origin(target)))
	case !view.Authorized:
		view.Refresh = 2 // the operator publishes the offer within moments
	}
	d.render(w, http.StatusOK, "connect.html", view)
}

func steps(conditions []metav1.Condition) (views []stepView) {
	for _, s := range connectSteps {
		view := stepView{Words: s.words, Status: string(metav1.ConditionUnknown)}
		if c := meta.FindStatusCondition(conditions, s.condition); c != nil {
			view.Status, view.Reason, view.Message = string(c.Status), c.Reason, c.Message
			if entry, ok := errcode.Lookup(errcode.Code(c.Reason)); ok {
				view.Remedy = &entry
			}
		}
		views = append(views, view)
	}
	return views
}

func (d *Dashboard) notOffered(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, bus.ErrNotFound) {
		d.problem(w, r, http.StatusConflict, "The operator has not prepared this connection yet",
			"Its status says why: kubectl get stripeconnection "+r.PathValue("name")+" -n "+r.PathValue("namespace")+" -o wide.")
		return
	}
	d.failure(w, r, "read the offer", err)
}
