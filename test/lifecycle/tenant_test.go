package lifecycle_test

import (
	"context"
	"fmt"
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

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripesim"
)

var serial atomic.Int64

// tenant is a namespace with a Workspace, a Stripe account and a connection to it.
type tenant struct {
	r         *region
	workspace *v1alpha1.Workspace
	c         *v1alpha1.StripeConnection
	account   *stripesim.Account
	tick      time.Duration
}

// newTenant declares a connection that nobody has authorised yet.
func newTenant(ctx context.Context, r *region, country string, mode v1alpha1.Mode) *tenant {
	n := serial.Add(1)
	ns := fmt.Sprintf("tenant-%d", n)
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})).To(Succeed())
	t := &tenant{r: r, tick: tick}
	t.workspace = &v1alpha1.Workspace{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "acme"},
		Spec:       v1alpha1.WorkspaceSpec{Plan: v1alpha1.PlanPro, Region: v1alpha1.Region(r.name), CrossRegion: v1alpha1.CrossRegionAllow},
	}
	Expect(k8s.Create(ctx, t.workspace)).To(Succeed())
	t.account = stripesim.Generate(stripesim.GenerateOptions{
		AccountID: fmt.Sprintf("acct_%d", n), Name: ns, Country: country, Currency: "eur", Customers: 20, Years: 0.5, Seed: uint64(n),
		End: clk.Now(), Livemode: mode == v1alpha1.ModeLive,
	})
	sim.AddAccount(t.account)
	t.declare(ctx, mode)
	DeferCleanup(func(ctx context.Context) {
		sim.ClearFaults()
		t.end(ctx)
	})
	return t
}

func (t *tenant) declare(ctx context.Context, mode v1alpha1.Mode) {
	t.c = &v1alpha1.StripeConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.workspace.Namespace, Name: "main"},
		Spec:       v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: mode},
	}
	Expect(k8s.Create(ctx, t.c)).To(Succeed())
}

// connected is a tenant whose connection is ready and has read its history.
func connected(ctx context.Context, r *region, country string) *tenant {
	t := newTenant(ctx, r, country, v1alpha1.ModeLive)
	t.consent(ctx)
	t.read(ctx)
	t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	return t
}

// end deletes the connection and waits until it is gone.
func (t *tenant) end(ctx context.Context) {
	Expect(client.IgnoreNotFound(k8s.Delete(ctx, t.c))).To(Succeed())
	Eventually(func() bool {
		clk.Step(5 * time.Second)
		t.nudge(ctx)
		return k8s.Get(ctx, client.ObjectKeyFromObject(t.c), t.c) != nil
	}).Should(BeTrue())
}

// consent does what the account's owner and the dashboard do.
func (t *tenant) consent(ctx context.Context) {
	GinkgoHelper()
	var offer bus.Offer
	Eventually(func() (err error) {
		offer, _, err = t.r.bus.Offers().Get(ctx, string(t.c.UID))
		return err
	}).Should(Succeed())
	answer, err := sim.Consent(offer.AuthorizeURL, t.r.platform.RedirectURIs[0], t.account.ID)
	Expect(err).NotTo(HaveOccurred())
	Expect(answer.Get("code")).NotTo(BeEmpty(), "Stripe said %s", answer.Get("error"))
	sealed, err := t.r.vault.Seal([]byte(answer.Get("code")), "grant/"+string(t.c.UID))
	Expect(err).NotTo(HaveOccurred())
	_, err = t.r.bus.Grants().Put(ctx, string(t.c.UID), bus.Grant{At: clk.Now().Unix(), SealedCode: sealed})
	Expect(err).NotTo(HaveOccurred())
}

// act lets something happen to a customer and returns the event.
func (t *tenant) act(n int, action stripesim.Action) string {
	GinkgoHelper()
	customers := sim.Customers(t.account.ID)
	event, err := sim.Act(t.account.ID, customers[n%len(customers)].ID, action)
	Expect(err).NotTo(HaveOccurred())
	return event
}

// nudge has the connection looked at again. The queue of controller-runtime waits in real time, which a fake clock does
// not move; what is due by then is for the reconciler to say.
func (t *tenant) nudge(ctx context.Context) {
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{"nudge":"%d"}}}`, serial.Add(1))
	_ = k8s.Patch(ctx, t.c.DeepCopy(), client.RawPatch("application/merge-patch+json", patch)) // it may be gone by now
}

// change writes a Workspace or connection as a user does, whatever the operator wrote meanwhile.
func change[T client.Object](ctx context.Context, o T, apply func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		apply(o)
		return k8s.Update(ctx, o)
	}).Should(Succeed())
}

// poll is how often a test looks; a tick of that length is the pace of real time.
const poll = 50 * time.Millisecond

// tick is how far the clock moves at each look: what a measured time can be wrong by, with what the machine takes.
const tick = 5 * time.Second

// wait moves the clock on until a condition is as wanted, and returns how long that took. A reason of "" is any.
func (t *tenant) wait(ctx context.Context, conditionType string, want metav1.ConditionStatus, reason string) time.Duration {
	GinkgoHelper()
	start := clk.Now()
	Eventually(func(g Gomega) {
		condition := t.condition(ctx, g, conditionType)
		if string(condition.Status) != string(want) || reason != "" && condition.Reason != reason {
			clk.Step(t.tick)
			t.nudge(ctx)
		}
		g.Expect(condition.Status).To(Equal(want), "%s: %s: %s", conditionType, condition.Reason, condition.Message)
		if reason != "" {
			g.Expect(condition.Reason).To(Equal(reason), "%s says: %s", conditionType, condition.Message)
		}
	}).WithTimeout(2 * time.Minute).Should(Succeed())
	return clk.Since(start)
}

// read waits until history has been read. A worker renews its hold on a backfill every few seconds, and sends a request at
// the instant that the account's budget gave it or asks for another instant. With a real bus in between, a clock that leaps
// ahead would have it ask for ever.
func (t *tenant) read(ctx context.Context) {
	GinkgoHelper()
	usual := t.tick
	t.tick = poll
	t.wait(ctx, v1alpha1.ConditionBackfillComplete, metav1.ConditionTrue, "")
	t.tick = usual
}

func (t *tenant) condition(ctx context.Context, g Gomega, conditionType string) metav1.Condition {
	g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(t.c), t.c)).To(Succeed())
	found := meta.FindStatusCondition(t.c.Status.Conditions, conditionType)
	if found == nil {
		return metav1.Condition{}
	}
	return *found
}

// kstatus is what generic tools make of the connection.
func (t *tenant) kstatus() status.Status {
	GinkgoHelper()
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(t.c)
	Expect(err).NotTo(HaveOccurred())
	u := &unstructured.Unstructured{Object: raw}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("StripeConnection"))
	result, err := status.Compute(u)
	Expect(err).NotTo(HaveOccurred())
	return result.Status
}

// told says whether there is a Kubernetes Event with a reason about the connection.
func (t *tenant) told(ctx context.Context, reason string) bool {
	var list eventsv1.EventList
	Expect(k8s.List(ctx, &list, client.InNamespace(t.c.Namespace))).To(Succeed())
	for _, e := range list.Items {
		if e.Regarding.UID == t.c.UID && e.Reason == reason {
			return true
		}
	}
	return false
}

// metered says whether the connection has a series of the error metric with a code.
func (t *tenant) metered(code string) bool {
	GinkgoHelper()
	for _, labels := range series("kustiq_connection_error") {
		if labels["namespace"] == t.c.Namespace && labels["name"] == t.c.Name && (code == "" || labels["code"] == code) {
			return true
		}
	}
	return false
}

// series are the labels of each series of one metric, with its value under "".
func series(name string) (all []map[string]string) {
	GinkgoHelper()
	families, err := metrics.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{"": fmt.Sprint(m.GetGauge().GetValue() + m.GetCounter().GetValue())}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			all = append(all, labels)
		}
	}
	return all
}
