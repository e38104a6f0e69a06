package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/stripesim"
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

	It("gives back a grant whose token is lost", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		Expect(tokens.Delete(ctx, string(c.UID))).To(Succeed())
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
		remove(ctx, c)
		Expect(authorized(acct)).To(BeFalse())
	})

	It("takes one whose token is lost for gone when Stripe shows the account no more", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		sim.Revoke(acct.ID, true)
		Expect(tokens.Delete(ctx, string(c.UID))).To(Succeed())
		remove(ctx, c)
	})

	It("leaves the account to another connection that has it, whichever of the two goes", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		stays := s.connected(ctx, "stays", acct)
		goes := s.taken(ctx, "goes", acct, func(c *v1alpha1.StripeConnection) { c.Spec.DeletionPolicy = v1alpha1.DeletionErase })
		remove(ctx, goes)
		Expect(authorized(acct)).To(BeTrue(), "the grant is the other's too")
		_, _, err := euBus.Erasures().Get(ctx, string(goes.UID))
		Expect(err).To(MatchError(bus.ErrNotFound))
		Eventually(func() []string { return eventReasons(ctx, goes) }).Should(ContainElements("GrantKept", "ScoresKept"))
		Expect(routeOf(ctx, acct)).To(HaveValue(HaveField("Connection", string(stays.UID))))

		By("letting the other one take over")
		heir := s.taken(ctx, "heir", acct)
		remove(ctx, stays)
		nudge(ctx, heir)
		expectCondition(ctx, heir, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(routeOf(ctx, acct)).To(HaveValue(HaveField("Connection", string(heir.UID))))
	})

	It("gives the account back when both of two connections go", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		one := s.connected(ctx, "one", acct)
		s.taken(ctx, "other", acct)
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.StripeConnection{}, client.InNamespace(one.Namespace))).To(Succeed())
		Eventually(func() bool { return authorized(acct) }).Should(BeFalse())
	})

	It("has the engine erase scores when it is told to, and says what went", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		c := s.connection(ctx, "main", func(c *v1alpha1.StripeConnection) { c.Spec.DeletionPolicy = v1alpha1.DeletionErase })
		consent(ctx, c, acct.ID)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(k8s.Delete(ctx, c)).To(Succeed())
		var asked bus.Erasure
		var revision uint64
		Eventually(func() (err error) {
			asked, revision, err = euBus.Erasures().Get(ctx, string(c.UID))
			return err
		}).Should(Succeed())
		Expect(asked).To(And(HaveField("Workspace", s.ns+"/acme"), HaveField("Account", acct.ID), HaveField("Livemode", true)))
		Expect(routeOf(ctx, acct)).To(BeNil(), "nothing new may come in behind it")
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
		asked.DoneAt, asked.Customers, asked.Signals = clk.Now().Unix(), 7, 70
		_, err := euBus.Erasures().Update(ctx, string(c.UID), asked, revision)
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(c), c) }).ShouldNot(Succeed())
		Eventually(func() []string { return eventReasons(ctx, c) }).Should(ContainElement("Erased"))
	})

	It("leaves the request to an engine that is away", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		c := s.connection(ctx, "main", func(c *v1alpha1.StripeConnection) { c.Spec.DeletionPolicy = v1alpha1.DeletionErase })
		consent(ctx, c, acct.ID)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(k8s.Delete(ctx, c)).To(Succeed())
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
		giveUp(ctx, c)
		Eventually(func() []string { return eventReasons(ctx, c) }).Should(ContainElement("ErasurePending"))
		_, _, err := euBus.Erasures().Get(ctx, string(c.UID))
		Expect(err).NotTo(HaveOccurred())
	})
})

// taken makes a connection that has redeemed a consent for an account at the same moment as another one, which has the
// account's route.
func (s *story) taken(ctx context.Context, name string, a *stripesim.Account, change ...func(*v1alpha1.StripeConnection)) *v1alpha1.StripeConnection {
	GinkgoHelper()
	c := s.connection(ctx, name, change...)
	expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
	p := stripeapi.Platform{ClientID: platform.ClientIDLive, SecretKey: platform.SecretKeyLive}
	answer, err := sim.Consent(stripe.AuthorizeURL(p), redirectURI, a.ID)
	Expect(err).NotTo(HaveOccurred())
	granted, err := stripe.Exchange(ctx, p, answer.Get("code"))
	Expect(err).NotTo(HaveOccurred())
	_, err = tokens.Save(ctx, string(c.UID), tokenstore.Record{
		Generation: 1, Account: granted.Account, Livemode: granted.Livemode, Scope: granted.Scope,
		Access: granted.Access, Refresh: granted.Refresh, IssuedAt: clk.Now(), RotatedAt: clk.Now(),
	})
	Expect(err).NotTo(HaveOccurred())
	expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAccountTaken)
	return c
}

// remove deletes an object and waits until it is gone.
func remove(ctx context.Context, o client.Object) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, o)).To(Succeed())
	Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(o), o) }).ShouldNot(Succeed())
}
