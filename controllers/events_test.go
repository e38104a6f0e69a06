package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripesim"
)

var _ = Describe("Arriving events", func() {
	hear := func(ctx context.Context, c *v1alpha1.StripeConnection, h bus.Health) {
		_, err := euBus.Health().Put(ctx, string(c.UID), h)
		Expect(err).NotTo(HaveOccurred())
	}

	It("show at once when they begin, and then not too often", func(ctx context.Context) {
		c := newStory(ctx).connected(ctx, "main", account("DE", true))
		expectCondition(ctx, c, v1alpha1.ConditionEventsVerified, metav1.ConditionTrue, v1alpha1.ReasonAwaitingFirstEvent)
		first := clk.Now().Unix()
		hear(ctx, c, bus.Health{Accepted: 1, LastEventAt: first, LastVerifiedAt: first})
		expectCondition(ctx, c, v1alpha1.ConditionEventsVerified, metav1.ConditionTrue, v1alpha1.ReasonVerified)
		Expect(c.Status.Events.Accepted).To(Equal(int64(1)))
		Expect(c.Status.LastEventTime.Unix()).To(Equal(first))

		By("keeping counts back for ten seconds")
		clk.Step(time.Second)
		hear(ctx, c, bus.Health{Accepted: 9, Duplicates: 1, LastEventAt: first + 1, LastVerifiedAt: first + 1})
		nudge(ctx, c)
		clk.Step(10 * time.Second)
		hear(ctx, c, bus.Health{Accepted: 10, Duplicates: 1, LastEventAt: first + 11, LastVerifiedAt: first + 11})
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
			g.Expect(c.Status.Events).To(Equal(v1alpha1.EventStatus{Accepted: 10, Duplicates: 1}))
			g.Expect(c.Status.LastEventTime.Unix()).To(Equal(first + 11))
		}).Should(Succeed())
	})

	DescribeTable("that are rejected show why until a good one comes",
		func(ctx context.Context, code string) {
			acct := account("DE", true)
			c := newStory(ctx).connected(ctx, "main", acct)
			genuine, err := sim.Act(acct.ID, sim.Customers(acct.ID)[0].ID, stripesim.FailPayment)
			Expect(err).NotTo(HaveOccurred())
			now := clk.Now().Unix()
			rejection := bus.Health{Accepted: 1, LastEventAt: now, LastVerifiedAt: now, RejectedSignature: 1, LastRejectedAt: now + 1, LastRejectedCode: code, SkewSeconds: 420}
			if code == v1alpha1.ReasonWebhookSig {
				rejection.LastRejectedAt, rejection.LastRejectedCode, rejection.LastUnprovenAt, rejection.LastUnprovenEvent = 0, "", now+1, genuine
			}
			hear(ctx, c, rejection)
			expectCondition(ctx, c, v1alpha1.ConditionEventsVerified, metav1.ConditionFalse, code)
			expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, code)
			Expect(kstatusOf(c)).To(Equal(status.FailedStatus))
			hear(ctx, c, bus.Health{Accepted: 2, LastEventAt: now + 2, LastVerifiedAt: now + 2, RejectedSignature: 1, LastRejectedAt: rejection.LastRejectedAt, LastRejectedCode: rejection.LastRejectedCode, LastUnprovenAt: rejection.LastUnprovenAt, LastUnprovenEvent: genuine})
			expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		},
		Entry("for their signature", v1alpha1.ReasonWebhookSig),
		Entry("for their age", v1alpha1.ReasonWebhookStale),
		Entry("for their mode", v1alpha1.ReasonModeMismatch),
	)

	It("that anybody may have forged do not stop a connection that works", func(ctx context.Context) {
		c := newStory(ctx).connected(ctx, "main", account("DE", true))
		now := clk.Now().Unix()
		hear(ctx, c, bus.Health{Accepted: 1, LastEventAt: now, LastVerifiedAt: now, RejectedSignature: 7, LastUnprovenAt: now + 7200, LastUnprovenEvent: "evt_thatStripeNeverSent"})
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
			g.Expect(c.Status.Events.Rejected).To(Equal(int64(7)))
		}).Should(Succeed())
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})

	It("that Stripe does not let us ask for are not asked for again", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		event, err := sim.Act(acct.ID, sim.Customers(acct.ID)[0].ID, stripesim.FailPayment)
		Expect(err).NotTo(HaveOccurred())
		sim.SetFault(stripesim.Fault{Match: "GET /v1/events", Status: 403, Type: "invalid_request_error", Code: "more_permissions_required_for_application", Times: 1})
		now := clk.Now().Unix()
		hear(ctx, c, bus.Health{Accepted: 1, LastEventAt: now, LastVerifiedAt: now, RejectedSignature: 1, LastUnprovenAt: now + 1, LastUnprovenEvent: event})
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
			g.Expect(c.Status.Events.Rejected).To(Equal(int64(1)))
		}).Should(Succeed())
		look(ctx, c)
		expectCondition(ctx, c, v1alpha1.ConditionEventsVerified, metav1.ConditionTrue, v1alpha1.ReasonVerified)
		Expect(sim.Requests()).NotTo(ContainElement(And(HaveField("Account", acct.ID), HaveField("Path", "/v1/events/"+event))), "the one that was refused is not among them")
	})

	It("of a withdrawn grant have it looked at before its time", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		sim.Revoke(acct.ID, true)
		hear(ctx, c, bus.Health{DeauthorizedAt: clk.Now().Unix() + 1})
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonStripe401)
	})

	It("of a late word of withdrawal change nothing when the grant is good", func(ctx context.Context) {
		acct := account("DE", true)
		c := newStory(ctx).connected(ctx, "main", acct)
		before := probes(acct)
		hear(ctx, c, bus.Health{DeauthorizedAt: clk.Now().Unix() + 1})
		Eventually(func() int { return probes(acct) }).Should(BeNumerically(">", before))
		expectCondition(ctx, c, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	})
})

var _ = Describe("Metrics", func() {
	It("count connections by readiness", func(ctx context.Context) {
		newStory(ctx).connected(ctx, "main", account("DE", true))
		Eventually(func(g Gomega) {
			families, err := metrics.Gather()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(families).To(ContainElement(HaveField("GetName()", "kustiq_connections")))
			for _, metric := range families[0].GetMetric() {
				if metric.GetLabel()[0].GetValue() == "True" {
					g.Expect(metric.GetGauge().GetValue()).To(BeNumerically(">=", 1))
				}
			}
		}).Should(Succeed())
	})
})
