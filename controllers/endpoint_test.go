package controllers_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

var _ = Describe("The webhook endpoint", func() {
	spec := func(changes ...func(*stripeapi.EndpointSpec)) stripeapi.EndpointSpec {
		s := stripeapi.EndpointSpec{
			URL: receiverURL + "/webhooks/stripe/live", Events: []string{"customer.created"}, Enabled: true,
			Metadata: map[string]string{"kustiq_installation": installation, "kustiq_region": "eu", "kustiq_mode": "live"},
		}
		for _, change := range changes {
			change(&s)
		}
		return s
	}
	another := func(s *stripeapi.EndpointSpec) { s.Metadata = map[string]string{"owner": "somebody else"} }

	DescribeTable("is repaired when it drifts",
		func(ctx context.Context, reason string, drift func(context.Context, stripeapi.Endpoint)) {
			c := newStory(ctx).connected(ctx, "main", account("DE", true))
			want := ownEndpoints(ctx, true)[0]
			drift(ctx, want)
			asDeclared := HaveExactElements(And(HaveField("ID", want.ID), HaveField("URL", want.URL), HaveField("Status", "enabled"), HaveField("Events", ConsistOf(want.Events))))
			Expect(ownEndpoints(ctx, true)).NotTo(asDeclared)
			clk.Step(probePace)
			nudge(ctx, c)
			Eventually(func() []stripeapi.Endpoint { return ownEndpoints(ctx, true) }).Should(asDeclared)
			Eventually(func() []string { return eventReasons(ctx, c) }).Should(ContainElement(reason))
			expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
			expectCatchUp(ctx, c)
		},
		Entry("disabled", v1alpha1.ReasonEndpointDisabled, func(ctx context.Context, e stripeapi.Endpoint) {
			_, err := platformEndpoints(true).Update(ctx, e.ID, spec(func(s *stripeapi.EndpointSpec) { s.Events, s.Enabled = e.Events, false }))
			Expect(err).NotTo(HaveOccurred())
		}),
		Entry("sent elsewhere", v1alpha1.ReasonEndpointDrift, func(ctx context.Context, e stripeapi.Endpoint) {
			_, err := platformEndpoints(true).Update(ctx, e.ID, spec(func(s *stripeapi.EndpointSpec) { s.Events, s.URL = e.Events, "https://elsewhere.example" }))
			Expect(err).NotTo(HaveOccurred())
		}),
		Entry("listening to less", v1alpha1.ReasonEndpointDrift, func(ctx context.Context, e stripeapi.Endpoint) {
			_, err := platformEndpoints(true).Update(ctx, e.ID, spec())
			Expect(err).NotTo(HaveOccurred())
		}),
	)

	It("is made anew, with a new secret, when somebody deleted it", func(ctx context.Context) {
		c := newStory(ctx).connected(ctx, "main", account("DE", true))
		lost, generation := ownEndpoints(ctx, true)[0], c.Status.Endpoint.SecretGeneration
		Expect(platformEndpoints(true).Delete(ctx, lost.ID)).To(Succeed())
		clk.Step(probePace)
		nudge(ctx, c)
		Eventually(func(g Gomega) {
			expectCondition(ctx, c, v1alpha1.ConditionEndpointRegistered, metav1.ConditionTrue, v1alpha1.ReasonRegistered)
			g.Expect(c.Status.Endpoint.ID).NotTo(Equal(lost.ID))
		}).Should(Succeed())
		Expect(c.Status.Endpoint.SecretGeneration).To(Equal(generation + 1))
		expectCatchUp(ctx, c)
		published, _, err := euBus.Endpoints().Get(ctx, "live")
		Expect(err).NotTo(HaveOccurred())
		Expect(published.ID).To(Equal(c.Status.Endpoint.ID))
	})

	It("leaves no orphan of a crash, and touches nobody else's", func(ctx context.Context) {
		orphan, err := platformEndpoints(true).Create(ctx, spec())
		Expect(err).NotTo(HaveOccurred())
		foreign, err := platformEndpoints(true).Create(ctx, spec(another))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func(ctx context.Context) { Expect(platformEndpoints(true).Delete(ctx, foreign.ID)).To(Succeed()) })
		newStory(ctx).connected(ctx, "main", account("DE", true))
		Expect(ownEndpoints(ctx, true)).To(HaveExactElements(HaveField("ID", Not(Equal(orphan.ID)))))
		listed, err := platformEndpoints(true).List(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(listed).To(ContainElement(HaveField("ID", foreign.ID)))
	})

	It("says when the platform account has no room for it", func(ctx context.Context) {
		for range 16 {
			e, err := platformEndpoints(false).Create(ctx, spec(another))
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx context.Context) {
				Expect(platformEndpoints(false).Delete(ctx, e.ID)).To(Or(Succeed(), MatchError(stripeapi.ErrNotFound)))
			})
		}
		s, acct := newStory(ctx), account("DE", false)
		c := s.connection(ctx, "main", testMode)
		consent(ctx, c, acct.ID)
		full := expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonEndpointQuota)
		Expect(full.Message).To(ContainSubstring("16"))
		Expect(routeOf(ctx, acct)).To(BeNil())

		listed, err := platformEndpoints(false).List(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(platformEndpoints(false).Delete(ctx, listed[0].ID)).To(Succeed())
		nudge(ctx, c)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})

	It("is known again when its Secret is deleted", func(ctx context.Context) {
		c := newStory(ctx).connected(ctx, "main", account("DE", true))
		id := c.Status.Endpoint.ID
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kustiq-endpoint-eu-live"}}
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(secret), secret) }).Should(Succeed())
		Expect(ownEndpoints(ctx, true)).To(HaveExactElements(HaveField("ID", id)))
	})
})

var _ = Describe("The token", func() {
	It("is refreshed and sealed again after six hours, the one before let go once it works", func(ctx context.Context) {
		c := newStory(ctx).connected(ctx, "main", account("DE", true))
		first, err := tokens.Load(ctx, string(c.UID))
		Expect(err).NotTo(HaveOccurred())
		clk.SetTime(c.Status.Token.NextRotation.Time.Add(probePace))
		nudge(ctx, c)
		Eventually(func(g Gomega) {
			expectCondition(ctx, c, v1alpha1.ConditionTokenFresh, metav1.ConditionTrue, v1alpha1.ReasonRotated)
			g.Expect(c.Status.Token.Generation).To(Equal(int64(2)))
		}).Should(Succeed())
		second, err := tokens.Load(ctx, string(c.UID))
		Expect(err).NotTo(HaveOccurred())
		Expect(second.Access.Reveal()).NotTo(Equal(first.Access.Reveal()))
		Expect(second.Previous).To(BeNil())
		Expect(c.Status.ConnectedAt.Time).To(BeTemporally("~", first.IssuedAt, time.Second), "the account was connected once")
		Expect(c.Status.Token.NextRotation.Time).To(BeTemporally(">", clk.Now()))
	})

	It("stays in use when it cannot be refreshed, which is tried again", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		sim.SetFault(stripeFault("POST /oauth/token", 500))
		clk.SetTime(c.Status.Token.NextRotation.Time.Add(probePace))
		nudge(ctx, c)
		expectCondition(ctx, c, v1alpha1.ConditionTokenFresh, metav1.ConditionFalse, v1alpha1.ReasonRotationFailed)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRotationFailed)
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonGranted)
		Expect(routeOf(ctx, acct)).NotTo(BeNil())
		sim.ClearFaults()
		clk.Step(probePace)
		nudge(ctx, c)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(c.Status.Token.Generation).To(Equal(int64(2)))
	})

	It("survives a hiccup of Stripe without a change of state", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionFalse, v1alpha1.ReasonInProgress)
		sim.SetFault(stripeFault("GET /v1/account", 500))
		clk.Step(probePace)
		nudge(ctx, c)
		settled := settledVersion(ctx, c)
		sim.ClearFaults()
		before := probes(acct)
		Eventually(func() int { return probes(acct) }).Should(BeNumerically(">", before), "it is tried again by itself")
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(c.ResourceVersion).To(Equal(settled))
	})
})

// expectCatchUp waits for the one Backfill that reads what a changed endpoint has missed.
func expectCatchUp(ctx context.Context, c *v1alpha1.StripeConnection) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var all v1alpha1.BackfillList
		g.Expect(k8s.List(ctx, &all, client.InNamespace(c.Namespace))).To(Succeed())
		var since []time.Time
		for _, b := range all.Items {
			if strings.HasPrefix(b.Name, c.Name+"-catchup-") {
				since = append(since, b.Spec.Since.Time)
			}
		}
		g.Expect(since).To(HaveLen(1))
		g.Expect(since[0]).To(BeTemporally("<=", clk.Now().Add(-probePace)))
	}).Should(Succeed())
}
