package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/bus"
)

// namedCondition is a condition with the words that pages have for it.
type namedCondition struct{ condition, words string }

// connectSteps are the conditions that the connect page shows, in the order in which they come true.
var connectSteps = []namedCondition{
	{v1alpha1.ConditionEntitled, "Plan includes Stripe"},
	{v1alpha1.ConditionAuthorized, "Account authorised"},
	{v1alpha1.ConditionRegionPinned, "Region pinned"},
	{v1alpha1.ConditionAccountActive, "Account active"},
	{v1alpha1.ConditionTokenFresh, "Token sealed"},
	{v1alpha1.ConditionEndpointRegistered, "Webhook endpoint registered"},
	{v1alpha1.ConditionEventsVerified, "Events verified"},
	{v1alpha1.ConditionBackfillComplete, "History read"},
}

// allSteps are the conditions of a connection, but for their sum.
var allSteps = append(connectSteps[:len(connectSteps):len(connectSteps)], namedCondition{v1alpha1.ConditionCustomersMatched, "Customers matched"})

// stepView is one condition on a page.
type stepView struct {
	Condition, Words, Status, Reason, Message string
	Remedy                                    *errcode.Entry
	// Told says that the message ends in the remedy already.
	Told bool
}

// Calm says that it is false and yet nothing is the matter: it takes its time.
func (v stepView) Calm() bool {
	return v.Reason == v1alpha1.ReasonInProgress || v.Reason == v1alpha1.ReasonAwaitingConsent ||
		(v.Remedy != nil && v.Remedy.Class == errcode.Wait)
}

type connectView struct {
	layout
	Connection *v1alpha1.StripeConnection
	Workspace  v1alpha1.Workspace
	Steps      []stepView
	Authorized bool
	Ready      bool
	Declined   bool
	// Renewed says that a new grant is on its way to the operator, while it has one already.
	Renewed bool
	// Offered says that Stripe's page may be opened; the operator publishes its address.
	Offered bool
}

// HowFar sums the steps up for those who cannot see them come true.
func (v connectView) HowFar() string {
	if v.Ready {
		return "Connected"
	}
	done, open := 0, ""
	for _, s := range v.Steps {
		if s.Status == string(metav1.ConditionTrue) {
			done++
		} else if open == "" && s.Status == string(metav1.ConditionFalse) {
			open = ". " + s.Words + ": " + s.Reason
		}
	}
	return fmt.Sprintf("%d of %d steps are done%s", done, len(v.Steps), open)
}

// connection reads the resource named in the path, in whose workspace the caller has the right, or answers.
func (d *Dashboard) connection(w http.ResponseWriter, r *http.Request, right access.Right) (*v1alpha1.StripeConnection, bool) {
	return d.connectionAt(w, r, right, client.ObjectKey{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")})
}

// connectionAt is connection, of any name.
func (d *Dashboard) connectionAt(
	w http.ResponseWriter, r *http.Request, right access.Right, key client.ObjectKey,
) (*v1alpha1.StripeConnection, bool) {
	conn := &v1alpha1.StripeConnection{}
	err := d.Kube.Get(r.Context(), key, conn)
	if err == nil {
		err = d.may(r, right, conn.Namespace, conn.Spec.WorkspaceRef.Name)
	}
	if apierrors.IsNotFound(err) || errors.Is(err, errNoWorkspace) {
		d.problem(w, r, http.StatusNotFound, "There is no such connection",
			"Apply a StripeConnection of this name to a Workspace that you may see, then open its connect URL.")
		return nil, false
	}
	return conn, d.permitted(w, r, err)
}

// connect shows what will be connected, and how far it is.
func (d *Dashboard) connect(w http.ResponseWriter, r *http.Request) {
	if r.Host != d.host {
		// The cookie must belong to the host that Stripe sends the browser back to: localhost is not 127.0.0.1.
		http.Redirect(w, r, d.BaseURL+r.URL.RequestURI(), http.StatusSeeOther)
		return
	}
	conn, ok := d.connection(w, r, access.View)
	if !ok {
		return
	}
	view := connectView{
		layout:     d.layout(r, "Connect Stripe", conn.Namespace+"/"+conn.Spec.WorkspaceRef.Name),
		Connection: conn, Declined: r.URL.Query().Has("declined"), Renewed: r.URL.Query().Has("renewed"), Steps: steps(connectSteps, conn.Status.Conditions),
		Authorized: meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionAuthorized),
		Ready:      meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionReady),
	}
	key := client.ObjectKey{Namespace: conn.Namespace, Name: conn.Spec.WorkspaceRef.Name}
	if err := d.Kube.Get(r.Context(), key, &view.Workspace); client.IgnoreNotFound(err) != nil {
		d.failure(w, r, "read the workspace", err)
		return
	}
	if err := d.prepareForm(w, r, &view); err != nil {
		d.failure(w, r, "make the form", err)
		return
	}
	if view.Offered && r.URL.Query().Has(withoutForm) && partOnly(r) {
		// The button has come. Its form may lead to Stripe only under the policy that a whole page comes with.
		w.Header().Set("HX-Refresh", "true")
		return
	}
	view.follow(r.URL)
	d.render(w, r, http.StatusOK, "connect.html", view)
}

const (
	// withoutForm is the parameter by which a page without the button asks for itself.
	withoutForm = "without-form"
	// How often the page asks how the connection stands, in seconds: after a consent, which the operator redeems in moments; when
	// that came to nothing, and somebody reads why; and until there is an offer, which the operator publishes in moments.
	consentRefresh, stuckRefresh, offerRefresh = 1, 5, 2
)

// follow says whether and how the page at the address follows the connection.
func (v *connectView) follow(at *url.URL) {
	switch {
	case v.Ready:
	case at.Query().Has("waiting") && v.stuck():
		v.Refresh = stuckRefresh
	case at.Query().Has("waiting"):
		v.Refresh = consentRefresh
	case !v.Offered:
		v.Refresh = offerRefresh
	}
	if !v.Offered {
		query := at.Query()
		query.Set(withoutForm, "1")
		v.RefreshFrom = at.Path + "?" + query.Encode()
	}
}

// stuck says that it goes on only when somebody does something about it.
func (v *connectView) stuck() bool {
	return slices.ContainsFunc(v.Steps, func(s stepView) bool { return s.Status == string(metav1.ConditionFalse) && !s.Calm() })
}

// prepareForm adds what the button needs: an offer, and a policy that lets the form lead to Stripe.
func (d *Dashboard) prepareForm(w http.ResponseWriter, r *http.Request, view *connectView) error {
	offer, _, err := d.Bus.Offers().Get(r.Context(), string(view.Connection.UID))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	target, err := url.Parse(offer.AuthorizeURL)
	if err != nil {
		return errors.New("the offer's address cannot be read")
	}
	view.Offered = true
	w.Header().Set("Content-Security-Policy", policy(origin(target)))
	return nil
}

// steps lists conditions in the page's order, each with what to do about it.
func steps(named []namedCondition, conditions []metav1.Condition) (views []stepView) {
	for _, s := range named {
		view := stepView{Condition: s.condition, Words: s.words, Status: string(metav1.ConditionUnknown)}
		if c := meta.FindStatusCondition(conditions, s.condition); c != nil {
			view.Status, view.Reason, view.Message = string(c.Status), c.Reason, c.Message
			view.Remedy = remedy(c.Reason)
			view.Told = view.Remedy != nil && strings.Contains(c.Message, view.Remedy.Remedy)
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
