package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
)

var _ = Describe("Connecting an account", func() {
	It("waits for consent, then receives, reads history and is ready", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		c := s.connection(ctx, "main")

		By("offering a link, and saying where it is")
		waiting := expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
		Expect(c.Status.ConnectURL).To(Equal(dashboardURL + "/connect/" + s.ns + "/main"))
		Expect(waiting.Message).To(ContainSubstring(c.Status.ConnectURL))
		Expect(kstatusOf(c)).To(Equal(status.InProgressStatus))
		expectAllConditions(c)
		Expect(routeOf(ctx, acct)).To(BeNil())

		By("exchanging the consent")
		consent(ctx, c, acct.ID)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(kstatusOf(c)).To(Equal(status.CurrentStatus))
		expectAllConditions(c)
		Expect(c.Status.AccountID).To(Equal(acct.ID))
		Expect(c.Status.Country).To(Equal("DE"))
		Expect(c.Status.Region).To(Equal(v1alpha1.RegionEU))
		Expect(c.Status.Livemode).To(HaveValue(BeTrue()))
		Expect(c.Status.Scope).To(Equal("read_only"))
		Expect(c.Status.Token.Generation).To(Equal(int64(1)))
		Expect(c.Status.Token.NextRotation.Time).To(BeTemporally(">", clk.Now()))

		By("reading nothing but the account, and writing nothing to it")
		for _, r := range sim.Requests() {
			if r.Account == acct.ID {
				Expect(r.Method + " " + r.Path).To(Equal("GET /v1/account"))
			}
		}
	})

	It("keeps the token sealed", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		record, err := tokens.Load(ctx, string(c.UID))
		Expect(err).NotTo(HaveOccurred())
		Expect(record.Account).To(Equal(acct.ID))
		var secret corev1.Secret
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "kustiq-token-" + string(c.UID)}, &secret)).To(Succeed())
		raw := fmt.Sprintf("%s %v", secret.Data, secret.ObjectMeta)
		shown, err := json.Marshal(c)
		Expect(err).NotTo(HaveOccurred())
		for _, clear := range []string{record.Access.Reveal(), record.Refresh.Reveal()} {
			Expect(clear).NotTo(BeEmpty())
			Expect(raw).NotTo(ContainSubstring(clear))
			Expect(string(shown)).NotTo(ContainSubstring(clear))
		}
	})

	It("registers one endpoint at Stripe and lets the receiver verify with its secret", func(ctx context.Context) {
		s := newStory(ctx)
		c := s.connected(ctx, "one", account("DE", true))
		s.connected(ctx, "two", account("FR", true))
		own := ownEndpoints(ctx, true)
		Expect(own).To(HaveLen(1))
		Expect(own[0].URL).To(Equal(receiverURL + "/webhooks/stripe/live"))
		Expect(own[0].Events).To(ConsistOf(append(signal.EventTypes(), signal.ControlEventTypes()...)))
		Expect(own[0].Metadata).To(Equal(map[string]string{"kustiq_installation": installation, "kustiq_region": "eu", "kustiq_mode": "live"}))
		Expect(c.Status.Endpoint).To(Equal(v1alpha1.EndpointStatus{ID: own[0].ID, URL: own[0].URL, APIVersion: "2023-10-16", SecretGeneration: c.Status.Endpoint.SecretGeneration}))

		published, _, err := euBus.Endpoints().Get(ctx, "live")
		Expect(err).NotTo(HaveOccurred())
		Expect(published.SecretIDs).To(Equal([]string{own[0].ID}))
		clear, err := busVault.Unseal(published.Secrets[0], "endpoint/"+own[0].ID)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(clear)).To(Equal(sim.EndpointSecret(true)))
		var secret corev1.Secret
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "kustiq-endpoint-eu-live"}, &secret)).To(Succeed())
		Expect(fmt.Sprintf("%s", secret.Data)).NotTo(ContainSubstring(string(clear)))
	})

	It("publishes the route and one backfill", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		c := s.connected(ctx, "main", acct)
		Expect(routeOf(ctx, acct)).To(HaveValue(Equal(bus.Route{
			Workspace: s.ns + "/acme", Connection: string(c.UID), Namespace: s.ns, Name: "main",
			Account: acct.ID, Livemode: true, Since: c.Status.ConnectedAt.Unix(),
		})))
		expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionFalse, v1alpha1.ReasonInProgress)
		var b v1alpha1.Backfill
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "main-initial"}, &b)).To(Succeed())
		Expect(metav1.IsControlledBy(&b, c)).To(BeTrue())
		Eventually(func() []bus.BackfillTask { return tasks.of(&b) }).Should(HaveLen(1))
		progress, _, err := euBus.Progress().Get(ctx, string(b.UID))
		Expect(err).NotTo(HaveOccurred())
		Expect(progress.Until).To(BeNumerically(">=", c.Status.ConnectedAt.Unix()))
		Expect(tasks.of(&b)).To(ConsistOf(bus.BackfillTask{
			UID: string(b.UID), Namespace: s.ns, Name: "main-initial", Connection: string(c.UID), Workspace: s.ns + "/acme",
			Account: acct.ID, Livemode: true, Window: "30d", Until: progress.Until,
		}))
	})

	It("tells of it in Events, and forgets no secret in them", func(ctx context.Context) {
		c := newStory(ctx).connected(ctx, "main", account("DE", true))
		Eventually(func() []string { return eventReasons(ctx, c) }).Should(ContainElements("AwaitingConsent", "Granted", "Registered", "BackfillCreated", "Ready"))
	})

	It("writes nothing when there is nothing to say", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionFalse, v1alpha1.ReasonInProgress)
		settled := settledVersion(ctx, c)
		// Two more full reconciles: when the second probes, the first has ended.
		for range 2 {
			before := probes(acct)
			clk.Step(probePace)
			_, err := euBus.Health().Put(ctx, string(c.UID), bus.Health{})
			Expect(err).NotTo(HaveOccurred())
			Eventually(func() int { return probes(acct) }).Should(BeNumerically(">", before))
		}
		Expect(settledVersion(ctx, c)).To(Equal(settled))
	})

	It("connects a test account beside the live one", func(ctx context.Context) {
		s := newStory(ctx)
		s.connected(ctx, "live", account("DE", true))
		c := s.connected(ctx, "test", account("DE", false))
		Expect(c.Status.Livemode).To(HaveValue(BeFalse()))
		Expect(ownEndpoints(ctx, false)).To(HaveLen(1))
		Expect(c.Status.Endpoint.URL).To(HaveSuffix("/webhooks/stripe/test"))
	})
})

// settledVersion is the resource version once two looks at it agree on everything but time passing.
func settledVersion(ctx context.Context, c *v1alpha1.StripeConnection) string {
	GinkgoHelper()
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
	return c.ResourceVersion
}

func expectAllConditions(c *v1alpha1.StripeConnection) {
	GinkgoHelper()
	for _, name := range []string{
		v1alpha1.ConditionEntitled, v1alpha1.ConditionRegionPinned, v1alpha1.ConditionAuthorized, v1alpha1.ConditionAccountActive,
		v1alpha1.ConditionTokenFresh, v1alpha1.ConditionEndpointRegistered, v1alpha1.ConditionEventsVerified,
		v1alpha1.ConditionBackfillComplete, v1alpha1.ConditionCustomersMatched, v1alpha1.ConditionReady,
	} {
		condition := meta.FindStatusCondition(c.Status.Conditions, name)
		Expect(condition).NotTo(BeNil(), "%s is absent", name)
		Expect(condition.ObservedGeneration).To(Equal(c.Generation))
		Expect(condition.Message).NotTo(BeEmpty())
	}
}
