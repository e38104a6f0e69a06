package ingest

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kustiq/kustiq/engine/model"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

// leaving is a history of customers of whom a third leave, which a model notices.
func leaving(n int) (histories map[string][]signal.Signal) {
	histories = map[string][]signal.Signal{}
	for i := range n {
		id := fmt.Sprintf("cus_%d", i)
		histories[id] = []signal.Signal{subscribed(id, "evt_s_"+id, 200), paid(id, "evt_p_"+id, "in_p_"+id, 200)}
		if i%3 == 0 {
			ended := subscribed(id, "evt_d_"+id, 100+float64(i))
			ended.Kind, ended.Subscription.Status = signal.SubscriptionDeleted, "canceled"
			histories[id] = append(histories[id], ended)
		}
	}
	return histories
}

// TestAModelReachesEveryEngine lets two engines share a store: what one of them fits, both score by from their next
// transaction on, and all customers are scored anew by time alone. An erasure brings the prior back.
func TestAModelReachesEveryEngine(t *testing.T) {
	g := NewWithT(t)
	cached := func(o *Options) { o.Model = model.NewCache(slog.New(slog.DiscardHandler)) }
	one := newBench(t, cached)
	two := *one
	two.start(t, noBus{}, cached)
	histories := leaving(60)
	for _, signals := range histories {
		for _, s := range signals {
			one.deliver(message(s))
		}
	}
	g.Expect(one.shown(t, "cus_1").ModelVersion).To(Equal("prior-1"))
	two.deliver(message(subscribed("cus_new", "evt_new", 1)))

	fitter, err := model.New(model.Options{Store: one.store, Clock: one.clock, Logger: slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(), Owner: "one"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(one.store.AskModelRun(one.ctx, workspace)).To(Succeed())
	g.Expect(fitter.RunDue(one.ctx)).To(BeTrue())
	scope := store.Scope{Workspace: workspace, Livemode: true}
	m, err := one.store.CurrentModel(one.ctx, scope)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m.Version).To(Equal("intercept-1"))
	g.Expect(m.Params.Intercept).To(BeNumerically(">", 0.1))

	two.deliver(message(failed("cus_1", "evt_f", "in_f", 1, 0)))
	d := one.shown(t, "cus_1")
	g.Expect(d.ModelVersion).To(Equal("intercept-1"), "the other engine's next batch")
	g.Expect(d.Terms[0]).To(And(HaveField("Basis", scoring.BasisFitted), HaveField("Model", "intercept-1")))
	g.Expect(d.Terms[1]).To(And(HaveField("Name", "open_dunning"), HaveField("Basis", scoring.BasisData), HaveField("Model", "")))

	one.clock.Step(time.Second)
	n, err := two.reevaluate(two.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(n).To(Equal(60), "all others, among them the one that came before the fit")
	for id, signals := range histories {
		if id == "cus_1" {
			continue
		}
		e := scoring.Evaluate(scoring.Fold(signals), one.clock.Now(), m.Params)
		d := one.shown(t, id)
		g.Expect(d.ModelVersion).To(Equal("intercept-1"))
		g.Expect(d.Score).To(Equal(e.Score))
	}
	g.Expect(one.reevaluate(one.ctx)).To(BeZero())

	_, err = one.store.Erase(one.ctx, workspace)
	g.Expect(err).NotTo(HaveOccurred())
	back := message(failed("cus_1", "evt_f2", "in_f2", 1, 0))
	back.ReceivedAtMs = one.clock.Now().Add(time.Second).UnixMilli()
	two.deliver(back)
	g.Expect(one.shown(t, "cus_1").ModelVersion).To(Equal("prior-1"))
}
