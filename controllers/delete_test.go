package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

var _ = Describe("Deleting a connection", func() {
	It("undoes everything that it made", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		uid := string(c.UID)
		token, err := tokens.Load(ctx, uid)
		Expect(err).NotTo(HaveOccurred())

		remove(ctx, c)
		Expect(routeOf(ctx, acct)).To(BeNil())
		_, err = tokens.Load(ctx, uid)
		Expect(err).To(MatchError(tokenstore.ErrNotFound))
		_, err = stripe.Account(token.Access).Get(ctx)
		Expect(err).To(HaveField("Code", errcode.ST401), "Stripe no longer knows the grant")
		_, _, err = euBus.Offers().Get(ctx, uid)
		Expect(err).To(MatchError(bus.ErrNotFound))
		_, _, err = euBus.Endpoints().Get(ctx, "live")
		Expect(err).To(MatchError(bus.ErrNotFound))
		Expect(ownEndpoints(ctx, true)).To(BeEmpty())
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "kustiq-endpoint-eu-live"}, &corev1.Secret{})).NotTo(Succeed())
	})

	It("keeps the endpoint while another connection needs it", func(ctx context.Context) {
		s := newStory(ctx)
		first, second := s.connected(ctx, "first", account("DE", true)), s.connected(ctx, "second", account("DE", true))
		kept := second.Status.Endpoint.ID
		remove(ctx, first)
		Expect(ownEndpoints(ctx, true)).To(HaveExactElements(HaveField("ID", kept)))
		remove(ctx, second)
		Expect(ownEndpoints(ctx, true)).To(BeEmpty())
	})

	It("is done at once for one that was never authorised", func(ctx context.Context) {
		c := newStory(ctx).connection(ctx, "main")
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
		remove(ctx, c)
	})

	It("takes a grant that is gone already for given back", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		sim.Revoke(acct.ID, true)
		remove(ctx, c)
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
	})

	It("does not claim to have erased scores", func(ctx context.Context) {
		s := newStory(ctx)
		c := s.connection(ctx, "main", func(c *v1alpha1.StripeConnection) { c.Spec.DeletionPolicy = v1alpha1.DeletionErase })
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
		remove(ctx, c)
		Eventually(func() []string { return eventReasons(ctx, c) }).Should(ContainElement("ScoresRetained"))
	})
})

// remove deletes an object and waits until it is gone.
func remove(ctx context.Context, o client.Object) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, o)).To(Succeed())
	Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(o), o) }).ShouldNot(Succeed())
}
