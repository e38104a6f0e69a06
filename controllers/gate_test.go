package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripesim"
)

var _ = Describe("The plan", func() {
	It("must be Pro; an upgrade goes on by itself", func(ctx context.Context) {
		s := newStory(ctx, func(w *v1alpha1.Workspace) { w.Spec.Plan = v1alpha1.PlanInsight })
		c := s.connection(ctx, "main")
		required := expectCondition(ctx, c, v1alpha1.ConditionEntitled, metav1.ConditionFalse, v1alpha1.ReasonPlanRequired)
		Expect(required.Message).To(And(ContainSubstring("Insight"), ContainSubstring("Pro")))
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPlanRequired)
		Expect(kstatusOf(c)).To(Equal(status.FailedStatus))
		expectAllConditions(c)
		_, _, err := euBus.Offers().Get(ctx, string(c.UID))
		Expect(err).To(MatchError(bus.ErrNotFound), "no link before the plan allows it")
		change(ctx, s.workspace, func() { s.workspace.Spec.Plan = v1alpha1.PlanPro })
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
	})

	It("stops events when it is lowered, and resumes without another consent", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		c := s.connected(ctx, "main", acct)
		change(ctx, s.workspace, func() { s.workspace.Spec.Plan = v1alpha1.PlanFree })
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPlanRequired)
		Expect(routeOf(ctx, acct)).To(BeNil())
		_, err := tokens.Load(ctx, string(c.UID))
		Expect(err).NotTo(HaveOccurred(), "the grant is kept")
		change(ctx, s.workspace, func() { s.workspace.Spec.Plan = v1alpha1.PlanPro })
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(routeOf(ctx, acct)).NotTo(BeNil())
	})

	It("is unknown without a Workspace, until there is one", func(ctx context.Context) {
		s := newStory(ctx)
		Expect(k8s.Delete(ctx, s.workspace)).To(Succeed())
		c := s.connection(ctx, "main")
		missing := expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonWorkspaceNotFound)
		Expect(missing.Message).To(ContainSubstring(`"acme"`))
		Expect(k8s.Create(ctx, &v1alpha1.Workspace{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "acme"},
			Spec: v1alpha1.WorkspaceSpec{Plan: v1alpha1.PlanPro, Region: v1alpha1.RegionEU}})).To(Succeed())
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent)
	})
})

var _ = Describe("The region", func() {
	It("must be the account's, unless the Workspace allows another", func(ctx context.Context) {
		s, acct := newStory(ctx), account("US", true)
		c := s.connection(ctx, "main")
		consent(ctx, c, acct.ID)
		mismatch := expectCondition(ctx, c, v1alpha1.ConditionRegionPinned, metav1.ConditionFalse, v1alpha1.ReasonRegionMismatch)
		Expect(mismatch.Message).To(And(ContainSubstring("US"), ContainSubstring("EU"), ContainSubstring("crossRegion")))
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRegionMismatch)
		Expect(kstatusOf(c)).To(Equal(status.FailedStatus))
		Expect(routeOf(ctx, acct)).To(BeNil(), "no event is accepted")
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: s.ns, Name: "main-initial"}, &v1alpha1.Backfill{})).NotTo(Succeed(), "no history is read")
		replay := &v1alpha1.Backfill{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "replay"},
			Spec: v1alpha1.BackfillSpec{ConnectionRef: v1alpha1.LocalRef{Name: "main"}}}
		Expect(k8s.Create(ctx, replay)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(replay), replay)).To(Succeed())
			g.Expect(replay.Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonConnectionNotReady)), "not by a replay either")
		}).Should(Succeed())

		change(ctx, s.workspace, func() { s.workspace.Spec.CrossRegion = v1alpha1.CrossRegionAllow })
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(routeOf(ctx, acct)).NotTo(BeNil())

		change(ctx, s.workspace, func() { s.workspace.Spec.CrossRegion = v1alpha1.CrossRegionDeny })
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRegionMismatch)
		Expect(routeOf(ctx, acct)).To(BeNil())
	})

	It("is held to when Stripe does not let the account be read", func(ctx context.Context) {
		s, acct := newStory(ctx, func(w *v1alpha1.Workspace) { w.Spec.CrossRegion = v1alpha1.CrossRegionAllow }), account("US", true)
		c := s.connected(ctx, "main", acct)
		sim.SetFault(stripesim.Fault{Match: "GET /v1/account", Status: 403, Type: "invalid_request_error", Code: "more_permissions_required_for_application"})
		clk.Step(probePace)
		nudge(ctx, c)
		expectCondition(ctx, c, v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonStripe403)
		expectCondition(ctx, c, v1alpha1.ConditionRegionPinned, metav1.ConditionTrue, v1alpha1.ReasonPinned)
		Expect(routeOf(ctx, acct)).NotTo(BeNil(), "events still come")
		change(ctx, s.workspace, func() { s.workspace.Spec.CrossRegion = v1alpha1.CrossRegionDeny })
		expectCondition(ctx, c, v1alpha1.ConditionRegionPinned, metav1.ConditionFalse, v1alpha1.ReasonRegionMismatch)
		Expect(routeOf(ctx, acct)).To(BeNil())
	})

	It("does not move with a Workspace that is made again elsewhere", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		c := s.connected(ctx, "main", acct)
		Expect(k8s.Delete(ctx, s.workspace)).To(Succeed())
		Expect(k8s.Create(ctx, &v1alpha1.Workspace{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "acme"},
			Spec: v1alpha1.WorkspaceSpec{Plan: v1alpha1.PlanPro, Region: v1alpha1.RegionUS}})).To(Succeed())
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRegionMismatch)
		Expect(routeOf(ctx, acct)).To(BeNil())
		remove(ctx, c)
	})

	It("must be served by this installation", func(ctx context.Context) {
		s := newStory(ctx, func(w *v1alpha1.Workspace) { w.Spec.Region = v1alpha1.RegionUS })
		c := s.connection(ctx, "main")
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRegionNotServed)
		expectAllConditions(c)
		By("and can be deleted nevertheless")
		Expect(k8s.Delete(ctx, c)).To(Succeed())
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(c), c) }).ShouldNot(Succeed())
	})
})

var _ = Describe("Suspending", func() {
	It("stops events and keeps the grant, until it is resumed", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		change(ctx, c, func() { c.Spec.Suspend = true })
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSuspended)
		Expect(kstatusOf(c)).To(Equal(status.InProgressStatus))
		Expect(routeOf(ctx, acct)).To(BeNil())
		change(ctx, c, func() { c.Spec.Suspend = false })
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Expect(routeOf(ctx, acct)).NotTo(BeNil())
	})
})

var _ = Describe("A restricted account", func() {
	It("is shown as such, and its events are accepted all the same", func(ctx context.Context) {
		s, acct := newStory(ctx), account("DE", true)
		acct.Restricted = true
		c := s.connection(ctx, "main")
		consent(ctx, c, acct.ID)
		expectCondition(ctx, c, v1alpha1.ConditionAccountActive, metav1.ConditionFalse, v1alpha1.ReasonAccountRestricted)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonAccountRestricted)
		Expect(kstatusOf(c)).To(Equal(status.FailedStatus))
		Eventually(func() *bus.Route { return routeOf(ctx, acct) }).ShouldNot(BeNil())
	})
})

var _ = Describe("A Workspace", func() {
	It("says where its scores are and how many connections it has", func(ctx context.Context) {
		s := newStory(ctx)
		s.connection(ctx, "one")
		s.connection(ctx, "two")
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(s.workspace), s.workspace)).To(Succeed())
			g.Expect(s.workspace.Status.Connections).To(Equal(int32(2)))
		}).Should(Succeed())
		Expect(s.workspace.Status.DashboardURL).To(Equal(dashboardURL + "/dashboard/churn?workspace=" + s.ns + "%2Facme"))
		Expect(kstatusOf(s.workspace)).To(Equal(status.CurrentStatus))
	})

	It("is stalled in a region that is not served", func(ctx context.Context) {
		s := newStory(ctx, func(w *v1alpha1.Workspace) { w.Spec.Region = v1alpha1.RegionUS })
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(s.workspace), s.workspace)).To(Succeed())
			g.Expect(s.workspace.Status.Conditions).To(ContainElement(HaveField("Reason", v1alpha1.ReasonRegionNotServed)))
			g.Expect(kstatusOf(s.workspace)).To(Equal(status.FailedStatus))
		}).Should(Succeed())
	})
})

var _ = Describe("The operator's rights", func() {
	It("end at Secrets of tenants and at what tenants and the platform team declare", func(ctx context.Context) {
		s := newStory(ctx)
		var secrets corev1.SecretList
		Expect(operator.List(ctx, &secrets, client.InNamespace(operatorNamespace))).To(Succeed())
		Expect(operator.List(ctx, &secrets, client.InNamespace(s.ns))).To(MatchError(apierrors.IsForbidden, "forbidden"))
		Expect(operator.List(ctx, &secrets)).To(MatchError(apierrors.IsForbidden, "forbidden"))
		s.workspace.Spec.Plan = v1alpha1.PlanFree
		Expect(operator.Update(ctx, s.workspace)).To(MatchError(apierrors.IsForbidden, "forbidden"))
		Expect(operator.Delete(ctx, s.connection(ctx, "main"))).To(MatchError(apierrors.IsForbidden, "forbidden"))
	})
})
