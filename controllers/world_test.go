package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/stripesim"
)

var (
	stripeURL string
	serial    atomic.Int64
)

// story is one tenant: a namespace with a Workspace, and whatever the test adds.
type story struct {
	ns        string
	workspace *v1alpha1.Workspace
}

// newStory makes a namespace with a Workspace on plan Pro in the EU, and takes everything away at the end.
func newStory(ctx context.Context, change ...func(*v1alpha1.Workspace)) *story {
	s := &story{ns: fmt.Sprintf("tenant-%d", serial.Add(1))}
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}})).To(Succeed())
	s.workspace = &v1alpha1.Workspace{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "acme"},
		Spec: v1alpha1.WorkspaceSpec{Plan: v1alpha1.PlanPro, Region: v1alpha1.RegionEU}}
	for _, c := range change {
		c(s.workspace)
	}
	Expect(k8s.Create(ctx, s.workspace)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		sim.ClearFaults()
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.StripeConnection{}, client.InNamespace(s.ns))).To(Succeed())
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.Backfill{}, client.InNamespace(s.ns))).To(Succeed())
		Eventually(func(g Gomega) {
			var connections v1alpha1.StripeConnectionList
			g.Expect(k8s.List(ctx, &connections, client.InNamespace(s.ns))).To(Succeed())
			g.Expect(connections.Items).To(BeEmpty())
		}).Should(Succeed())
	})
	return s
}

// account makes a Stripe account that can be connected.
func account(country string, livemode bool) *stripesim.Account {
	id := fmt.Sprintf("acct_%d", serial.Add(1))
	a := stripesim.Generate(stripesim.GenerateOptions{
		AccountID: id, Name: id, Country: country, Currency: "eur", Customers: 1, Years: 0.2, Seed: 1, End: clk.Now(), Livemode: livemode,
	})
	sim.AddAccount(a)
	return a
}

// connection declares one, without anybody's consent.
func (s *story) connection(ctx context.Context, name string, change ...func(*v1alpha1.StripeConnection)) *v1alpha1.StripeConnection {
	c := &v1alpha1.StripeConnection{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name},
		Spec: v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: v1alpha1.ModeLive}}
	for _, apply := range change {
		apply(c)
	}
	Expect(k8s.Create(ctx, c)).To(Succeed())
	return c
}

func testMode(c *v1alpha1.StripeConnection) { c.Spec.Mode = v1alpha1.ModeTest }

// connected declares a connection, has the account's owner consent, and waits until it is ready.
func (s *story) connected(ctx context.Context, name string, a *stripesim.Account) *v1alpha1.StripeConnection {
	c := s.connection(ctx, name, func(c *v1alpha1.StripeConnection) {
		if !a.Livemode {
			testMode(c)
		}
	})
	consent(ctx, c, a.ID)
	expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	return c
}

// consent does what the dashboard does: it sends somebody to Stripe by the published offer and hands over the answer.
// An account of "" declines. It returns the code.
func consent(ctx context.Context, c *v1alpha1.StripeConnection, accountID string) string {
	var offer bus.Offer
	Eventually(func() (err error) {
		offer, _, err = euBus.Offers().Get(ctx, string(c.UID))
		return err
	}).Should(Succeed())
	answer, err := sim.Consent(offer.AuthorizeURL, redirectURI, accountID)
	Expect(err).NotTo(HaveOccurred())
	handOver(ctx, c, answer.Get("code"), answer.Get("error"))
	return answer.Get("code")
}

// handOver puts a grant on the bus, sealed as the dashboard seals it.
func handOver(ctx context.Context, c *v1alpha1.StripeConnection, code, problem string) {
	grant := bus.Grant{At: clk.Now().Unix(), Error: problem}
	if code != "" {
		sealed, err := busVault.Seal([]byte(code), "grant/"+string(c.UID))
		Expect(err).NotTo(HaveOccurred())
		grant.SealedCode = sealed
	}
	_, err := euBus.Grants().Put(ctx, string(c.UID), grant)
	Expect(err).NotTo(HaveOccurred())
}

// nudge has a connection reconciled without changing it: its label is nothing that the operator reads.
func nudge(ctx context.Context, c *v1alpha1.StripeConnection) {
	change(ctx, c, func() { c.Labels = map[string]string{"nudge": fmt.Sprint(serial.Add(1))} })
}

// look has a connection reconciled and waits until that is done.
func look(ctx context.Context, c *v1alpha1.StripeConnection) {
	GinkgoHelper()
	asked := fmt.Sprint(serial.Add(1))
	change(ctx, c, func() { c.Annotations = map[string]string{v1alpha1.ReconcileAtAnnotation: asked} })
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
		g.Expect(c.Status.Handled.ReconcileAt).To(Equal(asked))
	}).Should(Succeed())
}

// change writes an object's metadata or spec as a user does, whatever the operator wrote meanwhile.
func change(ctx context.Context, o client.Object, apply func()) {
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		apply()
		return k8s.Update(ctx, o)
	}).Should(Succeed())
}

// expectCondition waits for a connection's condition and returns it.
func expectCondition(ctx context.Context, c *v1alpha1.StripeConnection, conditionType string, want metav1.ConditionStatus, reason string) metav1.Condition {
	GinkgoHelper()
	var found metav1.Condition
	Eventually(func(g Gomega) {
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
		condition := meta.FindStatusCondition(c.Status.Conditions, conditionType)
		g.Expect(condition).NotTo(BeNil(), "%s of %+v", conditionType, c.Status.Conditions)
		g.Expect(string(condition.Status)+" "+condition.Reason).To(Equal(string(want)+" "+reason), "%s says: %s", conditionType, condition.Message)
		found = *condition
	}).Should(Succeed())
	return found
}

// kstatusOf is what generic tools make of an object.
func kstatusOf(o client.Object) status.Status {
	GinkgoHelper()
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	Expect(err).NotTo(HaveOccurred())
	u := &unstructured.Unstructured{Object: raw}
	gvk, err := apiutil.GVKForObject(o, k8s.Scheme())
	Expect(err).NotTo(HaveOccurred())
	u.SetGroupVersionKind(gvk)
	result, err := status.Compute(u)
	Expect(err).NotTo(HaveOccurred())
	return result.Status
}

// ownEndpoints lists the platform's endpoints at Stripe, in one mode, that carry our mark.
func ownEndpoints(ctx context.Context, livemode bool) []stripeapi.Endpoint {
	GinkgoHelper()
	listed, err := platformEndpoints(livemode).List(ctx)
	Expect(err).NotTo(HaveOccurred())
	var own []stripeapi.Endpoint
	for _, e := range listed {
		if e.Metadata["kustiq_installation"] == installation {
			own = append(own, e)
		}
	}
	return own
}

func platformEndpoints(livemode bool) *stripeapi.Endpoints {
	p := stripeapi.Platform{ClientID: platform.ClientIDTest, SecretKey: platform.SecretKeyTest}
	if livemode {
		p = stripeapi.Platform{ClientID: platform.ClientIDLive, SecretKey: platform.SecretKeyLive}
	}
	return stripe.Endpoints(p)
}

// routeOf is an account's route; nil when there is none.
func routeOf(ctx context.Context, a *stripesim.Account) *bus.Route {
	route, _, err := euBus.Routes().Get(ctx, bus.RouteKey(a.ID, a.Livemode))
	if err != nil {
		Expect(err).To(MatchError(bus.ErrNotFound))
		return nil
	}
	return &route
}

// eventReasons are the reasons of the Kubernetes Events about an object.
func eventReasons(ctx context.Context, o client.Object) []string {
	var list eventsv1.EventList
	Expect(k8s.List(ctx, &list, client.InNamespace(o.GetNamespace()))).To(Succeed())
	var reasons []string
	for _, e := range list.Items {
		if e.Regarding.UID == o.GetUID() {
			reasons = append(reasons, e.Reason)
		}
	}
	return reasons
}

// probes counts how often an account was asked for.
func probes(a *stripesim.Account) int {
	n := 0
	for _, r := range sim.Requests() {
		if r.Account == a.ID && r.Path == "/v1/account" {
			n++
		}
	}
	return n
}

// authorized says whether the platform still holds the account's grant, as Stripe sees it.
func authorized(a *stripesim.Account) bool {
	GinkgoHelper()
	request, err := http.NewRequest(http.MethodGet, stripeURL+"/v1/accounts/"+a.ID, nil)
	Expect(err).NotTo(HaveOccurred())
	key := platform.SecretKeyTest
	if a.Livemode {
		key = platform.SecretKeyLive
	}
	request.Header.Set("Authorization", "Bearer "+key)
	answer, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// taskLog stands in for the workers: it takes every task and remembers it.
type taskLog struct {
	mu  sync.Mutex
	all []bus.BackfillTask
}

func (l *taskLog) take(_ context.Context, d bus.TaskDelivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.Task.Backfill != nil {
		l.all = append(l.all, *d.Task.Backfill)
	}
	_ = d.Ack() // a task that comes again would only be counted again
}

// of returns the tasks that were published for a Backfill.
func (l *taskLog) of(b *v1alpha1.Backfill) []bus.BackfillTask {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []bus.BackfillTask
	for _, task := range l.all {
		if task.UID == string(b.UID) {
			found = append(found, task)
		}
	}
	return found
}

// probePace is beyond the age from which the operator asks Stripe again.
const probePace = 5 * time.Minute

// stripeFault makes Stripe fail on a path until the faults are cleared.
func stripeFault(match string, status int) stripesim.Fault {
	return stripesim.Fault{Match: match, Status: status}
}
