package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
)

var _ = Describe("A Backfill", func() {
	initial := func(ctx context.Context, s *story) *v1alpha1.Backfill {
		b := &v1alpha1.Backfill{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "main-initial"}}
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(b), b) }).Should(Succeed())
		return b
	}
	report := func(ctx context.Context, b *v1alpha1.Backfill, p bus.Progress) {
		_, err := euBus.Progress().Put(ctx, string(b.UID), p)
		Expect(err).NotTo(HaveOccurred())
	}
	expectBackfill := func(ctx context.Context, b *v1alpha1.Backfill, want types.GomegaMatcher) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).To(Succeed())
			g.Expect(*b).To(want)
		}).Should(Succeed())
	}
	condition := func(conditionType, conditionStatus, reason string) types.GomegaMatcher {
		return HaveField("Status.Conditions", ContainElement(And(
			HaveField("Type", conditionType), HaveField("Status", metav1.ConditionStatus(conditionStatus)), HaveField("Reason", reason))))
	}

	It("shows the workers' progress up to its end", func(ctx context.Context) {
		s := newStory(ctx)
		c := s.connected(ctx, "main", account("DE", true))
		b := initial(ctx, s)
		expectBackfill(ctx, b, condition("Complete", "False", v1alpha1.ReasonInProgress))
		Expect(kstatusOf(b)).To(Equal(status.InProgressStatus))

		started := clk.Now().Add(-time.Minute).Unix()
		report(ctx, b, bus.Progress{Phase: bus.PhaseRunning, Percent: 50, Objects: 600, Requests: 8, Signals: 40, Throttled: 1, StartedAt: started,
			Resources: map[string]bus.ResourceProgress{"invoices": {Objects: 600, Cursor: "in_1", Windows: 4, Left: 3, Percent: 40, Requests: 7}},
			Found:     map[signal.Kind]bus.Provenances{signal.PaymentFailed: {Event: 1, Object: 2}},
			Lost:      []bus.Loss{{Kind: signal.PaymentFailed, Count: 3, Reason: "why"}}})
		expectBackfill(ctx, b, HaveField("Status.Percent", int32(50)))
		Expect(b.Status.Phase).To(Equal(v1alpha1.BackfillRunning))
		Expect(b.Status.Rate).To(Equal("10 objects/s"))
		Expect(b.Status.ETA).NotTo(BeNil())
		Expect(b.Status.Resources).To(ConsistOf(v1alpha1.ResourceStatus{
			Name: "invoices", Objects: 600, Cursor: "in_1", Windows: 4, WindowsLeft: 3, Percent: 40, Requests: 7}))
		Expect(b.Status.SignalKinds).To(ConsistOf(v1alpha1.SignalCount{Kind: "invoice.payment_failed", Events: 1, Objects: 2}))
		Expect(b.Status.Unrecoverable).To(ConsistOf(v1alpha1.SignalLoss{Kind: "invoice.payment_failed", Count: 3, Reason: "why"}))

		report(ctx, b, bus.Progress{Phase: bus.PhaseSucceeded, Percent: 100, Objects: 1200, Requests: 16, Signals: 90, StartedAt: started, CompletedAt: clk.Now().Unix()})
		expectBackfill(ctx, b, condition("Ready", "True", v1alpha1.ReasonSucceeded))
		Expect(kstatusOf(b)).To(Equal(status.CurrentStatus))
		expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionTrue, v1alpha1.ReasonComplete)
		Expect(tasks.of(b)).To(HaveLen(1), "published once")

		By("not being read again when it is removed")
		remove(ctx, b)
		clk.Step(probePace)
		nudge(ctx, c)
		expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionTrue, v1alpha1.ReasonComplete)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(b), b)).NotTo(Succeed())
	})

	It("that failed says why, and a replay mends it", func(ctx context.Context) {
		s := newStory(ctx)
		c := s.connected(ctx, "main", account("DE", true))
		b := initial(ctx, s)
		report(ctx, b, bus.Progress{Phase: bus.PhaseFailed, Code: "ERR_ST_403", Message: "Invoices may not be read.", CompletedAt: clk.Now().Unix()})
		expectBackfill(ctx, b, condition("Complete", "True", v1alpha1.ReasonFailed))
		Expect(kstatusOf(b)).To(Equal(status.FailedStatus))
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonBackfillFailed)

		replay := &v1alpha1.Backfill{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "replay"},
			Spec: v1alpha1.BackfillSpec{ConnectionRef: v1alpha1.LocalRef{Name: "main"}, Window: v1alpha1.Window90d}}
		Expect(k8s.Create(ctx, replay)).To(Succeed())
		Eventually(func() []bus.BackfillTask { return tasks.of(replay) }).Should(HaveExactElements(HaveField("Window", "90d")))
		report(ctx, replay, bus.Progress{Phase: bus.PhaseSucceeded, Percent: 100, CompletedAt: clk.Now().Unix()})
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})

	It("held back by Stripe says so and leaves the connection ready", func(ctx context.Context) {
		s := newStory(ctx)
		c := s.connected(ctx, "main", account("DE", true))
		b := initial(ctx, s)
		report(ctx, b, bus.Progress{Phase: bus.PhaseRunning, Code: "ERR_ST_429", StartedAt: clk.Now().Unix()})
		expectBackfill(ctx, b, condition("Complete", "False", v1alpha1.ReasonStripe429))
		expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionFalse, v1alpha1.ReasonStripe429)
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})

	It("waits for its connection", func(ctx context.Context) {
		s := newStory(ctx)
		b := &v1alpha1.Backfill{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "early"},
			Spec: v1alpha1.BackfillSpec{ConnectionRef: v1alpha1.LocalRef{Name: "main"}}}
		Expect(k8s.Create(ctx, b)).To(Succeed())
		expectBackfill(ctx, b, condition("Ready", "False", v1alpha1.ReasonConnectionNotFound))
		Expect(kstatusOf(b)).To(Equal(status.FailedStatus))
		c := s.connection(ctx, "main")
		expectBackfill(ctx, b, condition("Ready", "False", v1alpha1.ReasonConnectionNotReady))
		Expect(b.Status.Phase).To(Equal(v1alpha1.BackfillPending))
		clk.Step(2 * time.Hour)
		consent(ctx, c, account("DE", true).ID)
		expectBackfill(ctx, b, condition("Ready", "False", v1alpha1.ReasonInProgress))
		Eventually(func() []bus.BackfillTask { return tasks.of(b) }).Should(HaveLen(1))
		Expect(tasks.of(b)[0].Until).To(BeNumerically(">=", b.CreationTimestamp.Unix()+7000), "what happened before the consent is no live event")
	})

	It("does not begin while suspended", func(ctx context.Context) {
		s := newStory(ctx)
		s.connected(ctx, "main", account("DE", true))
		b := &v1alpha1.Backfill{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "later"},
			Spec: v1alpha1.BackfillSpec{ConnectionRef: v1alpha1.LocalRef{Name: "main"}, Suspend: true}}
		Expect(k8s.Create(ctx, b)).To(Succeed())
		expectBackfill(ctx, b, HaveField("Status.Phase", v1alpha1.BackfillSuspended))
		Expect(tasks.of(b)).To(BeEmpty())
		change(ctx, b, func() { b.Spec.Suspend = false })
		Eventually(func() []bus.BackfillTask { return tasks.of(b) }).Should(HaveLen(1))
	})

	It("is suspended in the middle and resumed", func(ctx context.Context) {
		s := newStory(ctx)
		c := s.connected(ctx, "main", account("DE", true))
		b := initial(ctx, s)
		expectBackfill(ctx, b, condition("Complete", "False", v1alpha1.ReasonInProgress))
		report(ctx, b, bus.Progress{Phase: bus.PhaseRunning, Percent: 40, Objects: 600, StartedAt: clk.Now().Unix(), Owner: "a worker"})
		expectBackfill(ctx, b, HaveField("Status.Percent", int32(40)))

		change(ctx, b, func() { b.Spec.Suspend = true })
		expectBackfill(ctx, b, And(HaveField("Status.Phase", v1alpha1.BackfillSuspended), condition("Complete", "False", v1alpha1.ReasonSuspended)))
		p, _, err := euBus.Progress().Get(ctx, string(b.UID))
		Expect(err).NotTo(HaveOccurred())
		Expect(p).To(And(HaveField("Suspend", true), HaveField("Owner", "a worker"), HaveField("Objects", int64(600))), "by which a worker knows")
		Eventually(func() string { // the connection hears of it after the Backfill
			return expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionFalse, v1alpha1.ReasonInProgress).Message
		}).Should(ContainSubstring("suspended"))
		p.Phase, p.Owner = bus.PhaseSuspended, ""
		report(ctx, b, p)

		change(ctx, b, func() { b.Spec.Suspend = false })
		Eventually(func() []bus.BackfillTask { return tasks.of(b) }).Should(HaveLen(2), "published again")
		p, _, err = euBus.Progress().Get(ctx, string(b.UID))
		Expect(err).NotTo(HaveOccurred())
		Expect(p).To(And(HaveField("Suspend", false), HaveField("Resumes", 1), HaveField("Percent", 40)))
		report(ctx, b, bus.Progress{Phase: bus.PhaseSucceeded, Percent: 100, Resumes: 1, StartedAt: clk.Now().Unix(), CompletedAt: clk.Now().Unix()})
		expectBackfill(ctx, b, condition("Ready", "True", v1alpha1.ReasonSucceeded))
		Expect(tasks.of(b)).To(HaveLen(2))
	})

	DescribeTable("stops while its connection may not be read:",
		func(ctx context.Context, stop, goOn func(ctx context.Context, s *story, c *v1alpha1.StripeConnection)) {
			s := newStory(ctx, func(w *v1alpha1.Workspace) { w.Spec.CrossRegion = v1alpha1.CrossRegionAllow })
			c := s.connected(ctx, "main", account("US", true))
			b := initial(ctx, s)
			expectBackfill(ctx, b, condition("Complete", "False", v1alpha1.ReasonInProgress))
			stop(ctx, s, c)
			expectBackfill(ctx, b, And(HaveField("Status.Phase", v1alpha1.BackfillSuspended), condition("Complete", "False", v1alpha1.ReasonConnectionNotReady)))
			p, _, err := euBus.Progress().Get(ctx, string(b.UID))
			Expect(err).NotTo(HaveOccurred())
			Expect(p.Suspend).To(BeTrue(), "by which a worker knows")
			Eventually(func() string {
				return expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionFalse, v1alpha1.ReasonInProgress).Message
			}).Should(ContainSubstring("goes on by itself"))
			goOn(ctx, s, c)
			Eventually(func() []bus.BackfillTask { return tasks.of(b) }).Should(HaveLen(2), "published again")
			expectBackfill(ctx, b, condition("Complete", "False", v1alpha1.ReasonInProgress))
		},
		Entry("the plan lapsed",
			func(ctx context.Context, s *story, _ *v1alpha1.StripeConnection) {
				change(ctx, s.workspace, func() { s.workspace.Spec.Plan = v1alpha1.PlanInsight })
			},
			func(ctx context.Context, s *story, _ *v1alpha1.StripeConnection) {
				change(ctx, s.workspace, func() { s.workspace.Spec.Plan = v1alpha1.PlanPro })
			}),
		Entry("the region does not fit",
			func(ctx context.Context, s *story, _ *v1alpha1.StripeConnection) {
				change(ctx, s.workspace, func() { s.workspace.Spec.CrossRegion = v1alpha1.CrossRegionDeny })
			},
			func(ctx context.Context, s *story, _ *v1alpha1.StripeConnection) {
				change(ctx, s.workspace, func() { s.workspace.Spec.CrossRegion = v1alpha1.CrossRegionAllow })
			}),
		Entry("it is suspended",
			func(ctx context.Context, _ *story, c *v1alpha1.StripeConnection) {
				change(ctx, c, func() { c.Spec.Suspend = true })
			},
			func(ctx context.Context, _ *story, c *v1alpha1.StripeConnection) {
				change(ctx, c, func() { c.Spec.Suspend = false })
			}),
	)

	It("ends with its connection, and does not go on with the next of that name", func(ctx context.Context) {
		s := newStory(ctx)
		c := s.connected(ctx, "main", account("DE", true))
		b := &v1alpha1.Backfill{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "replay"},
			Spec: v1alpha1.BackfillSpec{ConnectionRef: v1alpha1.LocalRef{Name: "main"}}}
		Expect(k8s.Create(ctx, b)).To(Succeed())
		expectBackfill(ctx, b, condition("Complete", "False", v1alpha1.ReasonInProgress))
		remove(ctx, c)
		expectBackfill(ctx, b, condition("Complete", "False", v1alpha1.ReasonConnectionNotFound))
		consent(ctx, s.connection(ctx, "main"), account("DE", true).ID)
		expectBackfill(ctx, b, And(HaveField("Status.Phase", v1alpha1.BackfillFailed), condition("Complete", "True", v1alpha1.ReasonFailed)))
		Expect(tasks.of(b)).To(HaveLen(1))
	})

	It("that Stripe lets nothing through of is stalled after twelve hours", func(ctx context.Context) {
		s := newStory(ctx)
		s.connected(ctx, "main", account("DE", true))
		b := initial(ctx, s)
		since := clk.Now().Add(-time.Hour)
		report(ctx, b, bus.Progress{Phase: bus.PhaseRunning, Code: "ERR_ST_429", Requests: 50, Throttled: 7, StartedAt: since.Unix(), ThrottledSince: since.Unix()})
		expectBackfill(ctx, b, HaveField("Status.Conditions", ContainElement(And(
			HaveField("Type", "Complete"), HaveField("Message", ContainSubstring("7 of 50 requests were answered 429"))))))
		Expect(kstatusOf(b)).To(Equal(status.InProgressStatus))
		since = clk.Now().Add(-13 * time.Hour)
		report(ctx, b, bus.Progress{Phase: bus.PhaseRunning, Code: "ERR_ST_429", Requests: 50, Throttled: 9, StartedAt: since.Unix(), ThrottledSince: since.Unix()})
		expectBackfill(ctx, b, condition("Stalled", "True", v1alpha1.ReasonUserAction))
	})

	It("is called off when it is deleted", func(ctx context.Context) {
		s := newStory(ctx)
		c := s.connected(ctx, "main", account("DE", true))
		b := initial(ctx, s)
		expectBackfill(ctx, b, condition("Complete", "False", v1alpha1.ReasonInProgress))
		remove(ctx, b)
		expectCondition(ctx, c, v1alpha1.ConditionBackfillComplete, metav1.ConditionFalse, v1alpha1.ReasonBackfillFailed)
		_, _, err := euBus.Progress().Get(ctx, string(b.UID))
		Expect(err).To(MatchError(bus.ErrNotFound), "by which a worker knows")
	})

	It("is removed when its time is over", func(ctx context.Context) {
		s := newStory(ctx)
		s.connected(ctx, "main", account("DE", true))
		b := &v1alpha1.Backfill{ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "brief"}, Spec: v1alpha1.BackfillSpec{
			ConnectionRef: v1alpha1.LocalRef{Name: "main"}, TTLAfterFinished: &metav1.Duration{Duration: time.Hour}}}
		Expect(k8s.Create(ctx, b)).To(Succeed())
		Eventually(func() []bus.BackfillTask { return tasks.of(b) }).Should(HaveLen(1))
		report(ctx, b, bus.Progress{Phase: bus.PhaseSucceeded, Percent: 100, CompletedAt: clk.Now().Unix()})
		expectBackfill(ctx, b, condition("Complete", "True", v1alpha1.ReasonSucceeded))
		clk.Step(time.Hour)
		change(ctx, b, func() { b.Labels = map[string]string{"nudge": "1"} })
		Eventually(func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(b), b) }).ShouldNot(Succeed())
	})
})
