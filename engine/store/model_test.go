package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// claim plans the scopes that hold customers for now and takes up the one that is due first.
func (f *fixture) claim(t testing.TB, owner string) store.ModelClaim {
	t.Helper()
	g := NewWithT(t)
	_, err := f.PlanModelRuns(f.ctx, func(store.Scope) time.Time { return f.clock.Now() })
	g.Expect(err).NotTo(HaveOccurred())
	c, ok, err := f.ClaimModelRun(f.ctx, owner, f.clock.Now().Add(time.Minute))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeTrue())
	return c
}

func noCard(version string, _ time.Time) ([]byte, error) {
	return []byte(`{"version":"` + version + `"}`), nil
}

// someParams are fitted parameters that differ from the prior.
func someParams(intercept float64) scoring.Params {
	w := scoring.PriorWeights()
	w[scoring.CoefficientIndex("dispute")] = 1.25
	p := scoring.Params{Intercept: intercept, Weights: &w}
	p.Fitted[scoring.CoefficientIndex("dispute")] = true
	return p
}

// inUse reads a scope's parameters as a batch does.
func (f *fixture) inUse(t testing.TB, s store.Scope) (p scoring.Params, revision int64) {
	t.Helper()
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{s}); err != nil {
			return err
		}
		revisions, err := tx.ModelRevisions(f.ctx, []store.Scope{s})
		if err != nil {
			return err
		}
		revision = revisions[s]
		p, err = tx.ModelParams(f.ctx, s, revision)
		return err
	})
	// The scheduler, which opens no workspace, finds the same.
	f.update(t, func(tx *store.Tx) error {
		revisions, err := tx.ModelRevisions(f.ctx, []store.Scope{s})
		NewWithT(t).Expect(revisions).To(Equal(map[store.Scope]int64{s: revision}))
		return err
	})
	return p, revision
}

func testModels(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "a@example.com", 90)
	f.fill(t, rival, "r@example.com", 90)
	p, revision := f.inUse(t, acme)
	g.Expect(p).To(Equal(scoring.Prior()))
	g.Expect(revision).To(BeZero())
	v, err := f.Model(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v).To(Equal(store.ModelView{Livemode: true, Current: store.StoredModel{Version: "prior-1", Kind: "prior", Params: scoring.Prior()}}))

	c := f.claim(t, "engine-1")
	g.Expect(c.Scope).To(Equal(acme))
	m, err := f.SaveModel(f.ctx, c, "fitted", someParams(0.25), noCard)
	g.Expect(err).NotTo(HaveOccurred())
	want := someParams(0.25)
	want.Version = "fitted-1"
	g.Expect(m.Params).To(Equal(want))
	p, revision = f.inUse(t, acme)
	g.Expect(p).To(Equal(want), "to the bit")
	g.Expect(revision).To(Equal(int64(1)))
	g.Expect(f.CurrentModel(f.ctx, acme)).To(Equal(m))
	for _, other := range []store.Scope{acmeTest, rival} {
		p, revision = f.inUse(t, other)
		g.Expect(p).To(Equal(scoring.Prior()), fmt.Sprint(other))
		g.Expect(revision).To(BeZero())
	}
	g.Expect(f.Model(f.ctx, "rival/prod")).To(HaveField("Versions", BeEmpty()))

	g.Expect(f.SaveCard(f.ctx, c, []byte(`{"checked":true}`))).To(Succeed())
	m2, err := f.SaveModel(f.ctx, c, "intercept", scoring.Params{Intercept: -0.1}, noCard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m2.Version).To(Equal("intercept-2"))
	v, err = f.Model(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.Current.Params).To(Equal(scoring.Params{Intercept: -0.1, Version: "intercept-2"}))
	g.Expect(v.Versions).To(HaveLen(2))
	g.Expect(v.Versions[0]).To(And(HaveField("Version", "intercept-2"), HaveField("CreatedAt", start)))
	g.Expect(string(v.Versions[1].Card)).To(Equal(`{"checked":true}`))
	m3, err := f.SaveModel(f.ctx, c, "prior", scoring.Params{}, noCard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m3.Version).To(Equal("prior-1"))
}

func testManyModels(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "a@example.com", 90)
	c := f.claim(t, "engine-1")
	for i := range 103 {
		_, err := f.SaveModel(f.ctx, c, "intercept", scoring.Params{Intercept: float64(i)}, noCard)
		g.Expect(err).NotTo(HaveOccurred())
	}
	v, err := f.Model(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.Versions).To(HaveLen(100))
	g.Expect(v.Versions[99].Version).To(Equal("intercept-4"))
	g.Expect(v.Current.Params.Intercept).To(Equal(102.0))
}

// testModelErasure holds that models go with their workspace, and that a run under way cannot bring one back.
func testModelErasure(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "a@example.com", 90)
	f.fill(t, acmeTest, "t@example.com", 90)
	c := f.claim(t, "engine-1")
	_, err := f.SaveModel(f.ctx, c, "fitted", someParams(0.25), noCard)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())

	g.Expect(f.Model(f.ctx, "acme/prod")).To(And(HaveField("Versions", BeEmpty()), HaveField("Current.Version", "prior-1"),
		HaveField("Run", store.ModelRun{})))
	_, err = f.SaveModel(f.ctx, c, "fitted", someParams(0.25), noCard)
	g.Expect(err).To(MatchError(store.ErrClaimLost))
	g.Expect(f.SaveCard(f.ctx, c, []byte(`{}`))).To(MatchError(store.ErrClaimLost))
	g.Expect(f.ProgressModelRun(f.ctx, c, "fitting", 1, 2, f.clock.Now())).To(MatchError(store.ErrClaimLost))
	g.Expect(f.FinishModelRun(f.ctx, c, "done", false, f.clock.Now())).To(MatchError(store.ErrClaimLost))
	p, revision := f.inUse(t, acme)
	g.Expect(p).To(Equal(scoring.Prior()))
	g.Expect(revision).To(Equal(int64(2)), "a cache that knows revision 1 notices")
	f.fill(t, acme, "back@example.com", 90)
	m, err := f.SaveModel(f.ctx, f.claim(t, "engine-1"), "intercept", scoring.Params{Intercept: 1}, noCard)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m.Revision).To(Equal(int64(3)), "no number is used twice")
}

func testModelRuns(t *testing.T, f *fixture) {
	g := NewWithT(t)
	nobody := func(why string) {
		_, ok, err := f.ClaimModelRun(f.ctx, "engine-2", f.clock.Now().Add(time.Minute))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(ok).To(BeFalse(), why)
	}
	nobody("there are no scopes")
	g.Expect(f.AskModelRun(f.ctx, "acme/prod")).To(MatchError(store.ErrNotFound))
	f.fill(t, acme, "a@example.com", 90)
	tonight := start.Add(14 * time.Hour)
	plan := func() (int, error) { return f.PlanModelRuns(f.ctx, func(store.Scope) time.Time { return tonight }) }
	g.Expect(plan()).To(Equal(1))
	g.Expect(plan()).To(BeZero())
	nobody("it is not night")

	f.clock.SetTime(tonight)
	c := f.claim(t, "engine-1")
	g.Expect(c.Asked).To(BeFalse())
	nobody("one engine is at it")
	g.Expect(f.ProgressModelRun(f.ctx, c, "reading", 5, 10, tonight.Add(2*time.Minute))).To(Succeed())
	v, err := f.Model(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.Run).To(And(HaveField("Phase", "reading"), HaveField("Done", 5), HaveField("Total", 10), HaveField("StartedAt", tonight)))
	g.Expect(v.Run.RunningAt(tonight.Add(time.Minute))).To(BeTrue())
	g.Expect(v.Run.RunningAt(tonight.Add(2*time.Minute))).To(BeFalse(), "its engine may have died")

	// Asked for meanwhile: the next run follows at once.
	f.clock.SetTime(tonight.Add(time.Minute))
	g.Expect(f.AskModelRun(f.ctx, "acme/prod")).To(Succeed())
	nobody("a request does not break a claim")
	g.Expect(f.FinishModelRun(f.ctx, c, "kept", false, tonight.Add(24*time.Hour))).To(Succeed())
	c = f.claim(t, "engine-2")
	g.Expect(c.Asked).To(BeTrue())
	g.Expect(f.FinishModelRun(f.ctx, c, "broken", true, tonight.Add(time.Hour))).To(Succeed())
	v, err = f.Model(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.Run).To(And(HaveField("Asked", false), HaveField("Running", false), HaveField("Failed", true), HaveField("Result", "broken"),
		HaveField("NextAt", tonight.Add(time.Hour)), HaveField("FinishedAt", tonight.Add(time.Minute))))

	// Of several engines one gets it.
	var won atomic.Int32
	var all sync.WaitGroup
	f.clock.SetTime(tonight.Add(time.Hour))
	for i := range 8 {
		all.Go(func() {
			c, ok, err := f.ClaimModelRun(f.ctx, fmt.Sprintf("engine-%d", i), f.clock.Now().Add(time.Minute))
			g.Expect(err).NotTo(HaveOccurred())
			if ok {
				won.Add(1)
				g.Expect(f.FinishModelRun(f.ctx, c, "kept", false, tonight.Add(2*time.Hour))).To(Succeed())
			}
		})
	}
	all.Wait()
	g.Expect(won.Load()).To(Equal(int32(1)))

	// An engine that died is followed by another, and has lost its claim when it comes back.
	f.clock.SetTime(tonight.Add(2 * time.Hour))
	dead := f.claim(t, "engine-1")
	f.clock.SetTime(tonight.Add(2*time.Hour + time.Minute))
	f.claim(t, "engine-2")
	g.Expect(f.FinishModelRun(f.ctx, dead, "late", false, tonight)).To(MatchError(store.ErrClaimLost))
}

func testMakeDue(t *testing.T, f *fixture) {
	g := NewWithT(t)
	later := atRisk(scoring.Normal, 60, 0)
	later.NextChangeAt = start.Add(20 * time.Hour)
	sooner := later
	sooner.NextChangeAt = start.Add(time.Minute)
	for _, id := range names(5, "cus_%d") {
		f.save(t, customer(acme, id), later)
	}
	f.save(t, customer(acme, "cus_2"), sooner)
	f.save(t, customer(rival, "cus_1"), later)
	at := start.Add(time.Hour)
	g.Expect(f.MakeDue(f.ctx, acme, "", 3, at)).To(Equal("cus_2"))
	g.Expect(f.MakeDue(f.ctx, acme, "cus_2", 3, at)).To(Equal("cus_4"))
	g.Expect(f.MakeDue(f.ctx, acme, "cus_4", 3, at)).To(BeEmpty())
	f.update(t, func(tx *store.Tx) error {
		due, err := tx.Due(f.ctx, at, 10)
		g.Expect(due).To(HaveLen(5))
		g.Expect(due[0]).To(Equal(customer(acme, "cus_2")), "it was due before")
		return err
	})
}

func testHistories(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "a@example.com", 90)
	f.fill(t, rival, "r@example.com", 91)
	f.save(t, customer(acme, "cus_2"), atRisk(scoring.Normal, 60, 0))
	g.Expect(f.CustomerCount(f.ctx, acme)).To(Equal(2))
	g.Expect(f.CustomerCount(f.ctx, acmeTest)).To(BeZero())
	g.Expect(f.CustomerIDs(f.ctx, acme, "", 1)).To(Equal([]string{"cus_1"}))
	g.Expect(f.CustomerIDs(f.ctx, acme, "cus_1", 10)).To(Equal([]string{"cus_2"}))
	h, err := f.Histories(f.ctx, acme, []string{"cus_1", "cus_2", "cus_9"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(h).To(HaveLen(1))
	g.Expect(h["cus_1"]).To(ConsistOf(And(HaveField("Created", int64(90)), HaveField("Person.Email", ""))))
}

// testModelAndBatch holds that a model comes into use between batches, never in one.
func testModelAndBatch(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "a@example.com", 90)
	c := f.claim(t, "engine-1")
	done := make(chan error, 1)
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{acme}); err != nil {
			return err
		}
		go func() {
			_, err := f.SaveModel(f.ctx, c, "intercept", scoring.Params{Intercept: 1}, noCard)
			done <- err
		}()
		g.Consistently(done, "100ms").ShouldNot(Receive())
		return nil
	})
	g.Expect(<-done).To(Succeed())
	failure := errors.New("no card")
	_, err := f.SaveModel(f.ctx, c, "intercept", scoring.Params{Intercept: 2}, func(string, time.Time) ([]byte, error) { return nil, failure })
	g.Expect(err).To(MatchError(failure))
	p, _ := f.inUse(t, acme)
	g.Expect(p.Version).To(Equal("intercept-1"), "what cannot be told of is not used")
}
