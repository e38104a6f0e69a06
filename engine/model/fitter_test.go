package model

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/vault"
)

var acme = store.Scope{Workspace: "acme/prod", Livemode: true}

// rig is a store on disk with fitters on it.
type rig struct {
	ctx   context.Context
	path  string
	store *store.Store
	clock *clocktesting.FakeClock
}

func newRig(t testing.TB) *rig {
	t.Helper()
	g := NewWithT(t)
	keyset, err := vault.NewKeyset()
	g.Expect(err).NotTo(HaveOccurred())
	v, err := vault.Open(keyset)
	g.Expect(err).NotTo(HaveOccurred())
	r := &rig{ctx: t.Context(), path: filepath.Join(t.TempDir(), "store.db"), clock: clocktesting.NewFakeClock(end)}
	r.store, err = store.Open(r.ctx, store.Options{DSN: "sqlite://" + r.path, Vault: v, Clock: r.clock,
		Logger: slog.New(slog.DiscardHandler)})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = r.store.Close() })
	return r
}

func (r *rig) fitter(t testing.TB, owner string) *Fitter {
	t.Helper()
	f, err := New(Options{Store: r.store, Clock: r.clock, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Owner: owner})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return f
}

// settle stores people as the engine does, evaluated by the prior.
func (r *rig) settle(t testing.TB, scope store.Scope, people []person) {
	t.Helper()
	for page := range slices.Chunk(people, 200) {
		err := r.store.Update(r.ctx, func(tx *store.Tx) error {
			if _, err := tx.Workspaces(r.ctx, []store.Scope{scope}); err != nil {
				return err
			}
			var signals []store.ScopedSignal
			var keys []store.CustomerKey
			for i := range page {
				keys = append(keys, store.CustomerKey{Scope: scope, Customer: page[i].id})
				for _, s := range page[i].signals {
					signals = append(signals, store.ScopedSignal{Scope: scope, Signal: s})
				}
			}
			if _, err := tx.InsertSignals(r.ctx, signals); err != nil {
				return err
			}
			records, err := tx.Customers(r.ctx, keys)
			if err != nil {
				return err
			}
			var all []*store.CustomerRecord
			for i := range page {
				record := records[keys[i]]
				state := scoring.Fold(page[i].signals)
				if record.State, err = json.Marshal(state); err != nil {
					return err
				}
				record.Evaluation, record.EvaluatedAt = scoring.Evaluate(state, r.clock.Now(), scoring.Prior()), r.clock.Now()
				all = append(all, record)
			}
			return tx.SaveCustomers(r.ctx, all)
		})
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
	}
}

func (r *rig) model(t testing.TB) (store.ModelView, report.ModelCard) {
	t.Helper()
	g := NewWithT(t)
	v, err := r.store.Model(r.ctx, acme.Workspace)
	g.Expect(err).NotTo(HaveOccurred())
	var card report.ModelCard
	if len(v.Current.Card) > 0 {
		g.Expect(json.Unmarshal(v.Current.Card, &card)).To(Succeed())
	}
	return v, card
}

// TestNights lives through some days of a workspace with two engines.
func TestNights(t *testing.T) {
	g := NewWithT(t)
	r := newRig(t)
	people := mild(5).populate(1200)
	r.settle(t, acme, people)
	one, two := r.fitter(t, "engine-1"), r.fitter(t, "engine-2")
	g.Expect(one.RunDue(r.ctx)).To(BeFalse(), "planned for the night")
	g.Expect(two.RunDue(r.ctx)).To(BeFalse())
	v, _ := r.model(t)
	night := v.Run.NextAt.Sub(end.Add(24 * time.Hour)) // end is at midnight, and the first night is too soon
	g.Expect(night).To(And(BeNumerically(">=", nightFrom), BeNumerically("<", nightFrom+nightLength)))

	r.clock.SetTime(v.Run.NextAt)
	g.Expect(r.store.Update(r.ctx, func(tx *store.Tx) error { // as after a day's evaluations
		due, err := tx.Due(r.ctx, r.clock.Now(), 5000)
		return errors.Join(err, tx.PutOff(r.ctx, due, r.clock.Now().Add(time.Hour)))
	})).To(Succeed())
	g.Expect(two.RunDue(r.ctx)).To(BeTrue())
	g.Expect(one.RunDue(r.ctx)).To(BeFalse(), "one engine is enough")
	v, card := r.model(t)
	g.Expect(v.Current.Version).To(Equal("fitted-1"))
	g.Expect(card).To(And(HaveField("Version", "fitted-1"), HaveField("Kind", report.ModelFitted), HaveField("CreatedAt", r.clock.Now()),
		HaveField("Test.Accepted", true)))
	g.Expect(v.Run).To(And(HaveField("Failed", false), HaveField("Running", false), HaveField("Result", card.Reason),
		HaveField("NextAt", nightOf(acme, r.clock.Now()))))
	g.Expect(testutil.ToFloat64(two.runs.WithLabelValues("changed"))).To(Equal(1.0))

	// What is stored is what the panel of these people gives, wherever it is laid out.
	want := Decide(panelAt(people, r.clock.Now()), Current{Params: scoring.Prior()}, false, 1)
	g.Expect(*v.Current.Params.Weights).To(Equal(*want.Params.Weights))
	g.Expect(v.Current.Params.Fitted).To(Equal(want.Params.Fitted))

	// All customers are due within a second, in pages.
	g.Expect(r.store.Update(r.ctx, func(tx *store.Tx) error {
		now, err := tx.Due(r.ctx, r.clock.Now(), 5000)
		g.Expect(now).To(HaveLen(rescorePage))
		soon, err2 := tx.Due(r.ctx, r.clock.Now().Add(time.Second), 5000)
		g.Expect(soon).To(HaveLen(1200))
		return errors.Join(err, err2)
	})).To(Succeed())

	// The next night the same model is still good.
	r.clock.SetTime(v.Run.NextAt)
	g.Expect(one.RunDue(r.ctx)).To(BeTrue())
	again, card := r.model(t)
	g.Expect(again.Current.Version).To(Equal("fitted-1"))
	g.Expect(card.CheckedAt).To(Equal(r.clock.Now()))
	g.Expect(card.CreatedAt).To(Equal(v.Current.CreatedAt))
	g.Expect(again.Versions).To(HaveLen(1))
	g.Expect(testutil.ToFloat64(one.runs.WithLabelValues("kept"))).To(Equal(1.0))
}

func TestOnDemand(t *testing.T) {
	g := NewWithT(t)
	r := newRig(t)
	r.settle(t, acme, agreed(1, 1).populate(50))
	f := r.fitter(t, "engine-1")
	g.Expect(r.store.AskModelRun(r.ctx, acme.Workspace)).To(Succeed())
	g.Expect(f.RunDue(r.ctx)).To(BeTrue())
	v, card := r.model(t)
	g.Expect(v.Run.Asked).To(BeFalse())
	g.Expect(card.Kind).To(Equal(report.ModelIntercept))
	g.Expect(card.Reason).To(HavePrefix("fitted weights were not accepted: "))
	g.Expect(f.RunDue(r.ctx)).To(BeFalse())

	// Test data has a model of its own.
	test := store.Scope{Workspace: acme.Workspace}
	r.settle(t, test, odd(2, 1).populate(50))
	f.planAt = time.Time{}
	f.RunDue(r.ctx)
	r.clock.SetTime(nightOf(test, r.clock.Now().Add(settling)))
	for f.RunDue(r.ctx) {
	}
	live, err := r.store.CurrentModel(r.ctx, acme)
	g.Expect(err).NotTo(HaveOccurred())
	other, err := r.store.CurrentModel(r.ctx, test)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(other.Params.Intercept).NotTo(Equal(live.Params.Intercept))
}

// TestAWorkspaceWithoutHistory keeps the prior, and its card says why.
func TestAWorkspaceWithoutHistory(t *testing.T) {
	g := NewWithT(t)
	r := newRig(t)
	r.settle(t, acme, []person{{id: "cus_1", signals: told("cus_1", end.Unix()-3*day)}})
	g.Expect(r.store.AskModelRun(r.ctx, acme.Workspace)).To(Succeed())
	f := r.fitter(t, "engine-1")
	for range 2 {
		g.Expect(f.RunDue(r.ctx)).To(BeTrue())
		v, card := r.model(t)
		g.Expect(v.Current.Version).To(Equal("prior-1"))
		g.Expect(v.Versions).To(HaveLen(1))
		g.Expect(card).To(And(HaveField("Kind", report.ModelPrior), HaveField("Figures", BeNil()),
			HaveField("Reason", "no history whose outcome is known yet")))
		r.clock.SetTime(v.Run.NextAt)
	}
	g.Expect(testutil.ToFloat64(f.runs.WithLabelValues("kept"))).To(Equal(2.0))
}

// TestAnErasureEndsARun erases the workspace while it is being read.
func TestAnErasureEndsARun(t *testing.T) {
	g := NewWithT(t)
	r := newRig(t)
	r.settle(t, acme, agreed(1, 1).populate(50))
	g.Expect(r.store.AskModelRun(r.ctx, acme.Workspace)).To(Succeed())
	claim, ok, err := r.store.ClaimModelRun(r.ctx, "engine-1", r.clock.Now().Add(claimTime))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeTrue())
	_, err = r.store.Erase(r.ctx, acme.Workspace)
	g.Expect(err).NotTo(HaveOccurred())
	f := r.fitter(t, "engine-1")
	f.work(r.ctx, claim)
	v, _ := r.model(t)
	g.Expect(v.Versions).To(BeEmpty())
	g.Expect(v.Current.Version).To(Equal("prior-1"))
}

// TestAnInterruptedRunIsTakenUp stops an engine in a run; another has it at once.
func TestAnInterruptedRunIsTakenUp(t *testing.T) {
	g := NewWithT(t)
	r := newRig(t)
	r.settle(t, acme, agreed(1, 1).populate(50))
	g.Expect(r.store.AskModelRun(r.ctx, acme.Workspace)).To(Succeed())
	claim, _, err := r.store.ClaimModelRun(r.ctx, "engine-1", r.clock.Now().Add(claimTime))
	g.Expect(err).NotTo(HaveOccurred())
	stopped, stop := context.WithCancel(r.ctx)
	stop()
	r.fitter(t, "engine-1").work(stopped, claim)
	g.Expect(r.fitter(t, "engine-2").RunDue(r.ctx)).To(BeTrue())
	v, _ := r.model(t)
	g.Expect(v.Versions).To(HaveLen(1))
}

// TestFailedRun takes the store away in a run: it is counted, nothing is lost, and the claim lapses.
func TestFailedRun(t *testing.T) {
	g := NewWithT(t)
	r := newRig(t)
	r.settle(t, acme, agreed(1, 1).populate(5))
	f := r.fitter(t, "engine-1")
	g.Expect(r.store.AskModelRun(r.ctx, acme.Workspace)).To(Succeed())
	claim, _, err := r.store.ClaimModelRun(r.ctx, f.Owner, r.clock.Now().Add(claimTime))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.store.Close()).To(Succeed())
	f.work(r.ctx, claim)
	g.Expect(testutil.ToFloat64(f.runs.WithLabelValues("failed"))).To(Equal(1.0))
}

func TestRunWaitsOnTheClock(t *testing.T) {
	g := NewWithT(t)
	r := newRig(t)
	r.settle(t, acme, agreed(1, 1).populate(20))
	f := r.fitter(t, "engine-1")
	ctx, stop := context.WithCancel(r.ctx)
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	g.Eventually(r.clock.HasWaiters, "20s").Should(BeTrue())
	g.Expect(r.store.AskModelRun(r.ctx, acme.Workspace)).To(Succeed())
	g.Eventually(func() int {
		if r.clock.HasWaiters() {
			r.clock.Step(pollEvery)
		}
		v, _ := r.model(t)
		return len(v.Versions)
	}, "20s", "5ms").Should(Equal(1))
	stop()
	g.Expect(<-done).To(Succeed())
}

func TestASampleIsEvenAndStable(t *testing.T) {
	n := 0
	for i := range 100000 {
		id := "cus_" + strings.Repeat("x", i%7) + time.Unix(int64(i), 0).UTC().String()
		if sampled(id, 0.2) {
			n++
			if !sampled(id, 0.3) || !sampled(id, 1) {
				t.Fatal("a larger sample leaves out who is in a smaller one")
			}
		}
	}
	if math.Abs(float64(n)-20000) > 500 {
		t.Errorf("%d of 100000 in a sample of a fifth", n)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("nothing was enough")
	}
}
