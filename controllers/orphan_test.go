package controllers_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/orphan"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

var _ = Describe("Deleting a connection while Stripe cannot be reached", func() {
	It("does not take a grant for gone because the platform's credentials are wrong", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		setClientID(ctx, "ca_other")
		DeferCleanup(setClientID, platform.ClientIDLive)
		Expect(k8s.Delete(ctx, c)).To(Succeed())
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
		giveUp(ctx, c)
		record := orphanOf(c)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(record), record)).To(Succeed())

		By("keeping it in mind until they are right")
		refused := refusedDeauthorizations()
		clk.Step(11 * time.Minute)
		for range 2 { // the second begins when the first has come to its end
			change(ctx, record, func() { record.Data["note"] = fmt.Sprint(serial.Add(1)) })
			Eventually(refusedDeauthorizations).Should(BeNumerically(">", refused))
			refused = refusedDeauthorizations()
		}
		setClientID(ctx, platform.ClientIDLive)
		Eventually(func() error {
			if err := k8s.Get(ctx, client.ObjectKeyFromObject(record), record); err != nil {
				return err
			}
			record.Data["note"] = fmt.Sprint(serial.Add(1))
			return client.IgnoreNotFound(k8s.Update(ctx, record))
		}).ShouldNot(Succeed())
		Expect(authorized(acct)).To(BeFalse())
	})

	It("stops events first, says what it waits for, and gives up after a while", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		sim.SetFault(stripeFault("POST /oauth/deauthorize", 503))
		Expect(k8s.Delete(ctx, c)).To(Succeed())
		waiting := expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
		Expect(waiting.Message).To(ContainSubstring("deauthorize"))
		Expect(routeOf(ctx, acct)).To(BeNil())

		clk.Step(16 * time.Minute)
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(c), c) }).ShouldNot(Succeed())
		Eventually(func() []string { return eventReasons(ctx, c) }).Should(ContainElement("LeftBehind"))
		_, err := tokens.Load(ctx, string(c.UID))
		Expect(err).To(MatchError(tokenstore.ErrNotFound))

		By("keeping the grant in mind, and giving it back once Stripe answers")
		record := orphanOf(c)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(record), record)).To(Succeed())
		Expect(record.Data).To(And(HaveKeyWithValue("account", acct.ID), HaveKeyWithValue("region", "EU"), HaveKeyWithValue("livemode", "true")))
		Expect(authorized(acct)).To(BeTrue())
		sim.ClearFaults()
		clk.Step(11 * time.Minute)
		change(ctx, record, func() { record.Data["note"] = "seen" })
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(record), record) }).ShouldNot(Succeed())
		Expect(authorized(acct)).To(BeFalse())
	})

	It("removes an endpoint that it had to leave, once Stripe answers", func(ctx context.Context) {
		acct := account("DE", true)
		record := leaveEndpoint(ctx, newStory(ctx).connected(ctx, "main", acct))
		Expect(ownEndpoints(ctx, true)).To(HaveLen(1))
		clk.Step(11 * time.Minute)
		change(ctx, record, func() { record.Data["note"] = "seen" })
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(record), record) }).ShouldNot(Succeed())
		Expect(ownEndpoints(ctx, true)).To(BeEmpty())
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "kustiq-endpoint-eu-live"}, &corev1.Secret{})).NotTo(Succeed())
	})

	It("leaves that endpoint to a connection that needs it by then", func(ctx context.Context) {
		s := newStory(ctx)
		record := leaveEndpoint(ctx, s.connected(ctx, "first", account("DE", true)))
		second := s.connected(ctx, "second", account("DE", true))
		clk.Step(11 * time.Minute)
		change(ctx, record, func() { record.Data["note"] = "seen" })
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(record), record) }).ShouldNot(Succeed())
		Expect(ownEndpoints(ctx, true)).To(HaveExactElements(HaveField("ID", second.Status.Endpoint.ID)))
	})

	It("does not give back a grant that another connection has taken over", func(ctx context.Context) {
		acct := account("DE", true)
		first := newStory(ctx).connected(ctx, "main", acct)
		sim.SetFault(stripeFault("POST /oauth/deauthorize", 503))
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		expectCondition(ctx, first, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
		clk.Step(16 * time.Minute)
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(first), first) }).ShouldNot(Succeed())
		sim.ClearFaults()
		second := newStory(ctx).connected(ctx, "main", acct)
		record := orphanOf(first)
		clk.Step(11 * time.Minute)
		change(ctx, record, func() { record.Data["note"] = "seen" })
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(record), record) }).ShouldNot(Succeed())
		Expect(authorized(acct)).To(BeTrue())
		expectCondition(ctx, second, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})
})

// giveUp lets the time pass for which a deletion waits, and waits until it has let go of the connection.
func giveUp(ctx context.Context, c *v1alpha1.StripeConnection) {
	GinkgoHelper()
	clk.Step(16 * time.Minute)
	nudge(ctx, c)
	Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(c), c) }).ShouldNot(Succeed())
}

// leaveEndpoint deletes a connection, the last of its mode, while Stripe is out of reach for its endpoint. It returns the
// record of that, with Stripe answering again.
func leaveEndpoint(ctx context.Context, c *v1alpha1.StripeConnection) *corev1.ConfigMap {
	GinkgoHelper()
	sim.SetFault(stripeFault("GET /v1/webhook_endpoints", 503))
	Expect(k8s.Delete(ctx, c)).To(Succeed())
	expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
	giveUp(ctx, c)
	Eventually(func() []string { return eventReasons(ctx, c) }).Should(ContainElement("LeftBehind"))
	sim.ClearFaults()
	record := recordNamed("kustiq-orphan-endpoint-eu-live")
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(record), record)).To(Succeed())
	return record
}

// orphanOf is the record of a connection's grant.
func orphanOf(c *v1alpha1.StripeConnection) *corev1.ConfigMap {
	return recordNamed(orphan.Orphan{UID: string(c.UID), Account: "any"}.Name())
}

func recordNamed(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: name}}
}

// setClientID changes the platform's credentials for live mode, as its administrator does.
func setClientID(ctx context.Context, id string) {
	GinkgoHelper()
	secret := platformSecret()
	change(ctx, secret, func() { secret.Data["client-id-live"] = []byte(id) })
}

// refusedDeauthorizations counts how often Stripe has refused to end a grant.
func refusedDeauthorizations() float64 {
	GinkgoHelper()
	families, err := asked.Gather()
	Expect(err).NotTo(HaveOccurred())
	n := 0.0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if text := m.String(); family.GetName() == "kustiq_stripe_requests_total" && strings.Contains(text, "oauth_deauthorize") && strings.Contains(text, "4xx") {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}
