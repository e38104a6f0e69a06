package access_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

func TestIntegrations(t *testing.T) {
	w := newWorld(t)
	w.tenant("alpha", "acme", "amber")
	w.bind("alpha", "ada@example.com", "kustiq-view", "kustiq-edit")
	w.bind("alpha", "vic@example.com", "kustiq-view")
	for _, part := range []struct {
		name string
		test func(*testing.T, *world)
	}{
		{"a card says what is wrong and what to do", cardsSayWhatToDo},
		{"somebody who may only view is offered no button", viewersSeeNoButtons},
		{"buttons ask by annotation, and Kubernetes knows who wrote", buttonsAnnotate},
		{"what a connection declares is changed by a patch", specIsPatched},
		{"a replay is a Backfill with a progress bar", replays},
		{"failed events are driven again", failedAreDriven},
		{"a connection that a tool keeps is left to it", keptConnections},
		{"disconnecting asks for the name", disconnects},
	} {
		t.Run(part.name, func(t *testing.T) {
			here := *w
			here.t = t
			part.test(t, &here)
		})
	}
}

const (
	page    = "/dashboard/integrations?workspace=alpha/acme"
	actions = "/dashboard/workspaces/alpha/acme/connections/"
)

// press sends the form of a button.
func (b *browser) press(verb string, fields ...string) (status int, body string) {
	b.w.t.Helper()
	form := url.Values{"token": {b.token()}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return b.post(actions+"amber-live/"+verb, form)
}

func (w *world) connection(name string) *v1alpha1.StripeConnection {
	w.t.Helper()
	conn := &v1alpha1.StripeConnection{}
	NewWithT(w.t).Expect(w.kube.Get(w.t.Context(), client.ObjectKey{Namespace: "alpha", Name: name}, conn)).To(Succeed())
	return conn
}

// lastAction is the newest entry of the audit log.
func (w *world) lastAction() store.AuditEntry {
	w.t.Helper()
	entries, _, err := w.store.Audit(w.t.Context(), "alpha/acme", "", 1)
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	NewWithT(w.t).Expect(entries).To(HaveLen(1))
	return entries[0]
}

func cardsSayWhatToDo(t *testing.T, w *world) {
	g := NewWithT(t)
	conn := w.connection("amber-live")
	conn.Status.Conditions = append(conn.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionAuthorized, Status: "False", Reason: "ERR_ST_401",
		Message: "Stripe answered 401.", LastTransitionTime: metav1.Now()},
		metav1.Condition{Type: v1alpha1.ConditionEndpointRegistered, Status: "False", Reason: "EndpointQuota", Message: "There are 16 endpoints.", LastTransitionTime: metav1.Now()})
	g.Expect(w.kube.Status().Update(t.Context(), conn)).To(Succeed())
	status, body := w.signedIn("ada@example.com").get(page)
	g.Expect(status).To(Equal(http.StatusOK))
	for _, want := range []string{
		"Needs attention", "Access of amber was withdrawn.", "acct_amber", "Stripe answered 401.", "Open the connect URL and authorise the account again.",
		"docs/troubleshooting.md#err_st_401", "There are 16 endpoints.", "docs/stripeconnection.md#endpointregistered", `href="/connect/alpha/amber-live"`,
		"Rotate secret", "evt_failedamber", "could not be scored in any try", "It does not",
	} {
		g.Expect(body).To(ContainSubstring(want))
	}
	g.Expect(body).NotTo(Or(ContainSubstring("style="), ContainSubstring("onclick")))
}

func viewersSeeNoButtons(t *testing.T, w *world) {
	g := NewWithT(t)
	_, body := w.signedIn("vic@example.com").get(page)
	g.Expect(body).To(And(ContainSubstring("amber-live"), ContainSubstring("You may look at these connections")))
	g.Expect(body).NotTo(Or(ContainSubstring("Rotate secret"), ContainSubstring("Disconnect amber-live"), ContainSubstring("Fetch all again")))
}

func buttonsAnnotate(t *testing.T, w *world) {
	g := NewWithT(t)
	ada := w.signedIn("ada@example.com")
	for verb, annotation := range map[string]string{
		"check": v1alpha1.ReconcileAtAnnotation, "rotate-secret": v1alpha1.RotateSecretAtAnnotation, "rematch": v1alpha1.RematchAtAnnotation,
	} {
		before := w.connection("amber-live").Annotations[annotation]
		w.clock.Step(time.Second)
		status, body := ada.press(verb)
		g.Expect(status).To(Equal(http.StatusOK), body)
		g.Expect(body).To(ContainSubstring(`<div class="notice good" role="status">`), verb)
		g.Expect(w.connection("amber-live").Annotations[annotation]).NotTo(Or(BeEmpty(), Equal(before)), verb)
		g.Expect(w.lastAction()).To(And(HaveField("Actor", "oidc:ada@example.com"), HaveField("Action", verb),
			HaveField("Object", "stripeconnection/amber-live"), HaveField("Outcome", store.AuditDone)))
	}
	var managers []string
	for _, entry := range w.connection("amber-live").ManagedFields {
		managers = append(managers, entry.Manager)
	}
	g.Expect(managers).To(ContainElement("kustiq-dashboard"))
	g.Expect(w.connection("amber-live").Annotations).To(HaveLen(3), "one request does not take another back")
}

func specIsPatched(t *testing.T, w *world) {
	g := NewWithT(t)
	ada := w.signedIn("ada@example.com")
	_, _ = ada.press("window", "window", "90d")
	g.Expect(w.connection("amber-live").Spec.Backfill.Window).To(Equal(v1alpha1.Window90d))
	g.Expect(w.lastAction()).To(And(HaveField("Action", "window"), HaveField("Detail", "90d")))
	status, body := ada.press("window", "window", "5y")
	g.Expect(status).To(Equal(http.StatusBadRequest))
	g.Expect(body).To(ContainSubstring("Choose how much history"))
	_, body = ada.press("suspend")
	g.Expect(w.connection("amber-live").Spec.Suspend).To(BeTrue())
	g.Expect(body).To(And(ContainSubstring("Resume"), Not(ContainSubstring(`/suspend"`))))
	_, _ = ada.press("resume")
	g.Expect(w.connection("amber-live").Spec.Suspend).To(BeFalse())
	g.Expect(w.connection("amber-live").Spec.Backfill.Window).To(Equal(v1alpha1.Window90d), "nothing else was changed")
}

func replays(t *testing.T, w *world) {
	g := NewWithT(t)
	ada := w.signedIn("ada@example.com")
	status, body := ada.press("replay", "window", "AllTime")
	g.Expect(status).To(Equal(http.StatusOK), body)
	var list v1alpha1.BackfillList
	g.Expect(w.kube.List(t.Context(), &list, client.InNamespace("alpha"))).To(Succeed())
	var made *v1alpha1.Backfill
	for i := range list.Items {
		if strings.HasPrefix(list.Items[i].Name, "amber-live-replay-") {
			made = &list.Items[i]
		}
	}
	g.Expect(made).NotTo(BeNil())
	g.Expect(made.Spec).To(And(HaveField("Window", v1alpha1.WindowAllTime), HaveField("ConnectionRef.Name", "amber-live"), HaveField("TTLAfterFinished.Duration", 24*time.Hour)))
	made.Status.Phase, made.Status.Percent, made.Status.Objects = v1alpha1.BackfillRunning, 42, 12345
	g.Expect(w.kube.Status().Update(t.Context(), made)).To(Succeed())
	status, body = ada.get(actions + "amber-live/status")
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(body).To(And(HavePrefix(`<div id="status-amber-live"`), ContainSubstring("every 2s"), ContainSubstring(`<progress max="100" value="42"`),
		ContainSubstring("12,345 objects")))
	status, body = ada.get(actions + "none/status")
	g.Expect(status).To(Equal(http.StatusOK), "the card stays and says so")
	g.Expect(body).To(And(ContainSubstring("There is no such connection any more."), Not(ContainSubstring("hx-get"))))
}

func failedAreDriven(t *testing.T, w *world) {
	g := NewWithT(t)
	ada := w.signedIn("ada@example.com")
	const redrive = "/dashboard/workspaces/alpha/acme/failed/redrive"
	status, body := ada.post(redrive, url.Values{"token": {ada.token()}})
	g.Expect(status).To(Equal(http.StatusBadRequest))
	g.Expect(body).To(ContainSubstring("No event was chosen"))
	status, body = ada.post(redrive, url.Values{"token": {ada.token()}, "event": {"evt_failedamber", "evt_unknown"}})
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(body).To(ContainSubstring("fetched from Stripe once more"))
	g.Expect(w.lastAction()).To(And(HaveField("Action", "redrive"), HaveField("Subjects", "evt_failedamber")))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var task bus.Task
	_ = w.bus.ConsumeTasks(ctx, bus.TaskSlots{LookUps: 1, Backfills: 1}, func(_ context.Context, delivery bus.TaskDelivery) {
		task = delivery.Task
		_ = delivery.Ack()
		cancel()
	})
	g.Expect(task.Redrive).To(And(Not(BeNil()), HaveField("EventID", "evt_failedamber"), HaveField("Account", "acct_amber")))
}

func keptConnections(t *testing.T, w *world) {
	g := NewWithT(t)
	ada := w.signedIn("ada@example.com")
	for tool, change := range map[string]func(*metav1.ObjectMeta){
		"Argo CD": func(m *metav1.ObjectMeta) {
			m.Annotations["argocd.argoproj.io/tracking-id"] = "shop:integrations.kustiq.io/StripeConnection:alpha/amber-live"
		},
		"Flux": func(m *metav1.ObjectMeta) {
			m.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
		},
		"Helm": func(m *metav1.ObjectMeta) { m.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"} },
	} {
		conn := w.connection("amber-live")
		before := conn.DeepCopy()
		change(&conn.ObjectMeta)
		g.Expect(w.kube.Update(t.Context(), conn)).To(Succeed())
		_, body := ada.get(page)
		g.Expect(body).To(And(ContainSubstring("Kept by "+tool), Not(ContainSubstring(`/suspend"`)), Not(ContainSubstring(`/disconnect"`)), ContainSubstring(`/rotate-secret"`)))
		for _, verb := range []string{"suspend", "disconnect", "window"} {
			status, body := ada.press(verb, "confirm", "amber-live", "window", "30d")
			g.Expect(status).To(Equal(http.StatusConflict), verb)
			g.Expect(body).To(ContainSubstring(tool + " keeps this connection"))
		}
		status, _ := ada.press("rotate-secret")
		g.Expect(status).To(Equal(http.StatusOK))
		conn = w.connection("amber-live")
		g.Expect(conn.Spec).To(Equal(before.Spec))
		g.Expect(conn.DeletionTimestamp).To(BeNil())
		conn.Annotations, conn.Labels = before.Annotations, nil
		g.Expect(w.kube.Update(t.Context(), conn)).To(Succeed())
	}
	// One that writes under its own name and leaves no marks.
	conn := &v1alpha1.StripeConnection{ObjectMeta: metav1.ObjectMeta{Namespace: "alpha", Name: "amber-kept"},
		Spec: v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: v1alpha1.ModeTest}}
	g.Expect(w.kube.Create(t.Context(), conn, client.FieldOwner("argocd-controller"))).To(Succeed())
	_, body := ada.get(page)
	g.Expect(body).To(ContainSubstring("Kept by Argo CD"))
}

func disconnects(t *testing.T, w *world) {
	g := NewWithT(t)
	ada := w.signedIn("ada@example.com")
	status, body := ada.press("disconnect", "confirm", "amber")
	g.Expect(status).To(Equal(http.StatusBadRequest))
	g.Expect(body).To(ContainSubstring("type the connection&#39;s name"))
	w.connection("amber-live")
	status, body = ada.press("disconnect", "confirm", "amber-live")
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(body).To(ContainSubstring("being disconnected"))
	err := w.kube.Get(t.Context(), client.ObjectKey{Namespace: "alpha", Name: "amber-live"}, &v1alpha1.StripeConnection{})
	g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "without an operator no finalizer holds it")
	g.Expect(w.lastAction()).To(And(HaveField("Action", "disconnect"), HaveField("Outcome", store.AuditDone)))
	status, _ = ada.press("disconnect", "confirm", "amber-live")
	g.Expect(status).To(Equal(http.StatusNotFound))
}
