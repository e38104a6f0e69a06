package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripesim"
)

func (t *tenant) counts(ctx context.Context, r *region) store.Counts {
	GinkgoHelper()
	counts, err := r.store.Counts(ctx, t.workspace.Namespace+"/"+t.workspace.Name)
	Expect(err).NotTo(HaveOccurred())
	return counts
}

var _ = Describe("Two regions", func() {
	It("share nothing", func(ctx context.Context) {
		tenants := map[*region]*tenant{eu: connected(ctx, eu, "DE"), us: connected(ctx, us, "US")}
		for r, t := range tenants {
			t.act(0, stripesim.FailPayment)
			Eventually(func() int { return r.saw(t.account.ID) }).Should(BeNumerically(">", 0))
			t.wait(ctx, v1alpha1.ConditionEventsVerified, metav1.ConditionTrue, "")
			Eventually(func() store.Counts { return t.counts(ctx, r) }).ShouldNot(BeZero())
		}
		for r, t := range tenants {
			other := map[*region]*region{eu: us, us: eu}[r]
			By("keeping " + r.name + " out of " + other.name)
			Expect(t.counts(ctx, other)).To(BeZero())
			Expect(other.saw(t.account.ID)).To(BeZero())
			key := bus.RouteKey(t.account.ID, true)
			_, _, err := r.bus.Routes().Get(ctx, key)
			Expect(err).NotTo(HaveOccurred())
			for what, err := range map[string]error{
				"route":    second(other.bus.Routes().Get(ctx, key)),
				"policy":   second(other.bus.MatchPolicies().Get(ctx, key)),
				"health":   second(other.bus.Health().Get(ctx, string(t.c.UID))),
				"offer":    second(other.bus.Offers().Get(ctx, string(t.c.UID))),
				"grant":    second(other.bus.Grants().Get(ctx, string(t.c.UID))),
				"progress": second(other.bus.Progress().Get(ctx, string(t.c.UID))),
			} {
				Expect(err).To(MatchError(bus.ErrNotFound), what)
			}
			asked := 0
			for _, request := range sim.Requests() {
				if request.Account == t.account.ID {
					Expect(request.Platform).To(Equal(r.platform.Name))
					asked++
				}
			}
			Expect(asked).To(BeNumerically(">", 0))
			Expect(t.c.Status.Endpoint.URL).To(HavePrefix(r.receiver.URL))
		}
	})
})

func second[T any](_ T, _ uint64, err error) error { return err }

var _ = Describe("A life", func() {
	It("only ever reads the connected account", func(ctx context.Context) {
		t := connected(ctx, eu, "DE")
		t.act(0, stripesim.FailPayment)
		t.act(0, stripesim.Pay)
		t.act(0, stripesim.Dispute)

		By("rotating the token")
		clk.Step(6 * time.Hour)
		Eventually(func(g Gomega) {
			t.nudge(ctx)
			t.condition(ctx, g, v1alpha1.ConditionReady)
			g.Expect(t.c.Status.Token.Generation).To(BeNumerically(">", 1))
		}).Should(Succeed())

		By("losing the grant and getting it again")
		sim.Revoke(t.account.ID, true)
		seen := t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonStripe401)
		Expect(seen).To(BeNumerically("<=", 30*time.Second), "Stripe's word of it does not wait for the next probe")
		t.consent(ctx)
		t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		before := t.counts(ctx, eu)
		Expect(before).NotTo(BeZero())

		By("ending, with its scores staying")
		t.end(ctx)
		Expect(t.metered("")).To(BeFalse())
		_, _, err := eu.bus.Routes().Get(ctx, bus.RouteKey(t.account.ID, true))
		Expect(err).To(MatchError(bus.ErrNotFound))
		after := t.counts(ctx, eu)
		Expect(after.Customers).To(Equal(before.Customers))
		Expect(after.Signals).To(BeNumerically(">=", before.Signals)) // the engine may still have been reading

		By("beginning again where it was")
		t.declare(ctx, v1alpha1.ModeLive)
		t.consent(ctx)
		t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		t.read(ctx)

		read := 0
		for _, request := range sim.Requests() {
			Expect(request.Method).To(Equal(http.MethodGet), "%s of %s", request.Path, request.Account)
			if request.Account == t.account.ID {
				read++
			}
		}
		Expect(read).To(BeNumerically(">", 5))
		for _, refused := range series("kustiq_stripe_refused_writes_total") {
			Expect(refused[""]).To(Equal("0"))
		}
	})

	It("leaves nothing behind when it is told to erase", func(ctx context.Context) {
		t, neighbour := connected(ctx, eu, "DE"), connected(ctx, eu, "DE")
		kept := neighbour.counts(ctx, eu)
		Expect(kept).NotTo(BeZero())
		Eventually(func() int { return t.counts(ctx, eu).Customers }).Should(BeNumerically(">", 0))
		change(ctx, t.c, func(c *v1alpha1.StripeConnection) { c.Spec.DeletionPolicy = v1alpha1.DeletionErase })
		t.end(ctx)
		Eventually(func() bool { return t.told(ctx, "Erased") }).Should(BeTrue(), "Events are written in the background")
		Eventually(func() store.Counts { return t.counts(ctx, eu) }).Should(BeZero())
		Expect(neighbour.counts(ctx, eu)).To(Equal(kept))
	})

	It("is not disturbed by junk from the internet", func(ctx context.Context) {
		t := connected(ctx, eu, "DE")
		t.act(0, stripesim.FailPayment)
		Eventually(func(g Gomega) {
			clk.Step(tick)
			t.nudge(ctx)
			t.condition(ctx, g, v1alpha1.ConditionReady)
			g.Expect(t.c.Status.Events.Accepted).To(BeNumerically(">", 0))
		}).Should(Succeed())
		for n := range 50 {
			body := fmt.Sprintf(`{"id":"evt_junk%d","object":"event","account":%q,"livemode":true,"type":"invoice.payment_failed","created":%d,`+
				`"data":{"object":{"id":"in_junk","object":"invoice","customer":"cus_junk"}}}`, n, t.account.ID, clk.Now().Unix())
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.c.Status.Endpoint.URL, strings.NewReader(body))
			Expect(err).NotTo(HaveOccurred())
			request.Header.Set("Stripe-Signature", stripesim.Sign([]byte(body), "whsec_guess", clk.Now().Unix()))
			answer, err := http.DefaultClient.Do(request)
			Expect(err).NotTo(HaveOccurred())
			Expect(answer.Body.Close()).To(Succeed())
			Expect(answer.StatusCode).To(BeNumerically(">=", 400))
		}
		Eventually(func(g Gomega) {
			clk.Step(tick)
			t.nudge(ctx)
			ready := t.condition(ctx, g, v1alpha1.ConditionReady)
			Expect(ready.Status).To(Equal(metav1.ConditionTrue), ready.Message)
			g.Expect(t.c.Status.Events.Rejected).To(BeNumerically(">", 0))
		}).Should(Succeed())
	})

	It("refuses no event while its signing secret is replaced", func(ctx context.Context) {
		t := connected(ctx, eu, "DE")
		ours := map[string]bool{}
		load := func() {
			for n := range 20 {
				ours[t.act(n, stripesim.FailPayment)] = true
			}
		}
		delivered := func(g Gomega) {
			arrived := map[string]bool{}
			for _, d := range sim.Deliveries() {
				if ours[d.Event] {
					g.Expect(d.Status).To(Equal(http.StatusOK), "attempt %d at %s over %s", d.Attempt, d.Type, d.Endpoint)
					arrived[d.Event] = true
				}
			}
			g.Expect(arrived).To(HaveLen(len(ours)))
		}
		generation := t.c.Status.Endpoint.SecretGeneration
		load()
		change(ctx, t.c, func(c *v1alpha1.StripeConnection) {
			c.Annotations = map[string]string{v1alpha1.RotateSecretAtAnnotation: "now"}
		})
		for {
			load()
			t.condition(ctx, Default, v1alpha1.ConditionReady)
			if t.c.Status.Endpoint.SecretGeneration > generation {
				break
			}
			if err := ctx.Err(); err != nil {
				Fail("the secret was not replaced")
			}
		}
		load()
		Eventually(delivered).Should(Succeed())
		Expect(t.c.Status.Endpoint.RetiringID).NotTo(BeEmpty())

		By("letting the old one go after the overlap")
		clk.Step(14 * time.Hour)
		Eventually(func(g Gomega) {
			clk.Step(tick)
			t.nudge(ctx)
			load()
			t.condition(ctx, g, v1alpha1.ConditionReady)
			g.Expect(t.c.Status.Endpoint.RetiringID).To(BeEmpty())
		}).Should(Succeed())
		load()
		Eventually(delivered).Should(Succeed())
	}, SpecTimeout(2*time.Minute))

	It("catches up on what a lapsed plan missed", func(ctx context.Context) {
		t := connected(ctx, eu, "DE")
		t.plan(ctx, v1alpha1.PlanFree)
		t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPlanRequired)
		clk.Step(2 * time.Hour)
		t.act(0, stripesim.FailPayment)
		t.plan(ctx, v1alpha1.PlanPro)
		t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Eventually(func(g Gomega) {
			clk.Step(poll) // for the worker's sake, as in read
			t.nudge(ctx)
			var backfills v1alpha1.BackfillList
			g.Expect(k8s.List(ctx, &backfills, client.InNamespace(t.c.Namespace))).To(Succeed())
			found := errors.New("no catch-up Backfill")
			for _, b := range backfills.Items {
				if b.Spec.Since != nil && strings.HasPrefix(b.Name, "main-catchup-") && b.Status.Phase == v1alpha1.BackfillSucceeded {
					found = nil
				}
			}
			g.Expect(found).NotTo(HaveOccurred())
		}).Should(Succeed())
	})
})

var _ = Describe("kubectl wait", func() {
	It("returns when a connection is ready", func(ctx context.Context) {
		t := newTenant(ctx, eu, "DE", v1alpha1.ModeLive)
		wait := func(condition, timeout string) (string, error) {
			out, err := exec.CommandContext(ctx, cluster.Kubectl, "--kubeconfig", cluster.Kubeconfig, "-n", t.c.Namespace,
				"wait", "--for=condition="+condition, "--timeout="+timeout, "strc/main").CombinedOutput()
			return string(out), err
		}
		out, err := wait("Ready=false", "30s")
		Expect(err).NotTo(HaveOccurred(), out)
		t.consent(ctx)
		done := make(chan error, 1)
		go func() {
			out, err := wait("Ready", "60s")
			if err != nil {
				err = fmt.Errorf("%w: %s", err, out)
			}
			done <- err
		}()
		t.wait(ctx, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
		Eventually(done).Should(Receive(BeNil()))
	})
})
