package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

var _ = Describe("Consent", func() {
	It("may be declined, and given later", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		c := s.connection(ctx, "main")
		consent(ctx, c, "")
		declined := expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonConsentDenied)
		Expect(declined.Message).To(ContainSubstring(c.Status.ConnectURL))
		Expect(kstatusOf(c)).To(Equal(status.FailedStatus))

		By("staying on display while nothing else happens")
		nudge(ctx, c)
		change(ctx, s.workspace, func() { s.workspace.Spec.Plan = v1alpha1.PlanPro })
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonConsentDenied)

		consent(ctx, c, acct.ID)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})

	It("works once: a used code asks for the link again", func(ctx context.Context) {
		s := newStory(ctx)
		first := s.connection(ctx, "first")
		code := consent(ctx, first, account("DE", true).ID)
		expectCondition(ctx, first, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		second := s.connection(ctx, "second")
		expectCondition(ctx, second, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
		handOver(ctx, second, code, "")
		Eventually(func(g Gomega) {
			said := expectCondition(ctx, second, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
			g.Expect(said.Message).To(And(ContainSubstring("had been used before"), ContainSubstring(second.Status.ConnectURL), Not(ContainSubstring(code))))
		}).Should(Succeed())
		_, _, err := euBus.Grants().Get(ctx, string(second.UID))
		Expect(err).To(HaveOccurred())
	})

	It("must be in the connection's own mode", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		// The mistake is the operator's: live keys under the names of test mode.
		secret := platformSecret()
		change(ctx, secret, func() {
			secret.Data["client-id-test"], secret.Data["secret-key-test"] = secret.Data["client-id-live"], secret.Data["secret-key-live"]
		})
		DeferCleanup(func(ctx context.Context) {
			change(ctx, secret, func() { secret.StringData = platformSecret().StringData })
		})
		c := s.connection(ctx, "main", testMode)
		consent(ctx, c, acct.ID)
		mismatch := expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonModeMismatch)
		Expect(mismatch.Message).To(ContainSubstring("live mode"))
		Expect(kstatusOf(c)).To(Equal(status.FailedStatus))

		By("leaving nothing half-made")
		_, err := tokens.Load(ctx, string(c.UID))
		Expect(err).To(MatchError(tokenstore.ErrNotFound))
		Expect(routeOf(ctx, acct)).To(BeNil())
		Expect(c.Status.AccountID).To(BeEmpty())
	})

	It("is refused for an account that another connection has, and leaves that one alone", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		first := s.connected(ctx, "first", acct)
		other := newStory(ctx)
		second := other.connection(ctx, "second")
		consent(ctx, second, acct.ID)
		taken := expectCondition(ctx, second, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAccountTaken)
		Expect(taken.Message).To(ContainSubstring(s.ns + "/first"))
		Expect(routeOf(ctx, acct).Connection).To(Equal(string(first.UID)))

		clk.Step(probePace)
		before := probes(acct)
		nudge(ctx, first)
		Eventually(func() int { return probes(acct) }).Should(BeNumerically(">", before))
		expectCondition(ctx, first, v1alpha1.ConditionAuthorized, metav1.ConditionTrue, v1alpha1.ReasonGranted)

		By("being given again when the first connection is deleted")
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(first), first) }).ShouldNot(Succeed())
		consent(ctx, second, acct.ID)
		expectCondition(ctx, second, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(routeOf(ctx, acct).Connection).To(Equal(string(second.UID)))
	})

	It("is refused for another account than before", func(ctx context.Context) {
		s, acct, other := newStory(ctx), account("DE", true), account("DE", true)
		c := s.connected(ctx, "main", acct)
		consent(ctx, c, other.ID)
		Eventually(func() []string { return eventReasons(ctx, c) }).Should(ContainElement(v1alpha1.ReasonAccountTaken))
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(c.Status.AccountID).To(Equal(acct.ID))
		Expect(routeOf(ctx, other)).To(BeNil())
	})

	It("waits for the platform's credentials, and goes on when they are there", func(ctx context.Context) {
		s, secret := newStory(ctx), platformSecret()
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		restored := false
		restore := func(ctx context.Context) {
			if !restored {
				restored = true
				Expect(k8s.Create(ctx, platformSecret())).To(Succeed())
			}
		}
		DeferCleanup(restore)
		c := s.connection(ctx, "main")
		missing := expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonPlatformCredentialsMissing)
		Expect(missing.Message).To(And(ContainSubstring("kustiq-platform-eu"), ContainSubstring("client-id-live")))
		restore(ctx)
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
	})

	It("says that Stripe refuses the platform's key until another one is there", func(ctx context.Context) {
		s, acct, secret := newStory(ctx), account("DE", true), platformSecret()
		c := s.connection(ctx, "main")
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
		sim.SetFault(stripesim.Fault{Match: "* /", Status: 401, Type: "invalid_request_error"})
		consent(ctx, c, acct.ID)
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonPlatformCredentialsRejected)
		look(ctx, c)
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonPlatformCredentialsRejected)
		Expect(kstatusOf(c)).To(Equal(status.FailedStatus))

		By("going by itself")
		sim.ClearFaults()
		change(ctx, secret, func() { secret.Labels = map[string]string{"changed": "1"} })
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
	})

	It("can be given again after the account withdrew it", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		c := s.connected(ctx, "main", acct)
		sim.Revoke(acct.ID, true)
		clk.Step(probePace)
		nudge(ctx, c)
		gone := expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonStripe401)
		Expect(gone.Message).To(ContainSubstring(c.Status.ConnectURL))
		Expect(kstatusOf(c)).To(Equal(status.FailedStatus))
		consent(ctx, c, acct.ID)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(c.Status.Token.Generation).To(Equal(int64(2)))
		var secrets corev1.SecretList
		Expect(k8s.List(ctx, &secrets, client.InNamespace(s.ns))).To(Succeed())
		Expect(secrets.Items).To(BeEmpty(), "no Secret in a tenant's namespace")
	})
})
