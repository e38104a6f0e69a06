package store_test

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

func testDetail(t *testing.T, f *fixture) {
	g := NewWithT(t)
	_, err := f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).To(MatchError(store.ErrNotFound))

	e := atRisk(scoring.Critical, 95, 4900)
	e.NextChangeAt = start.Add(time.Hour)
	signals := []signal.Signal{person("cus_1", "evt_0", 1699999999, "ada@example.com", "Ada")}
	for i := range 60 {
		signals = append(signals, failed("cus_1", "evt_"+strconv.Itoa(i+1), 1700000000+int64(i)))
	}
	f.update(t, func(tx *store.Tx) error {
		var scoped []store.ScopedSignal
		for _, s := range signals {
			scoped = append(scoped, store.ScopedSignal{Scope: acme, Signal: s})
		}
		if _, err := tx.InsertSignals(f.ctx, scoped); err != nil {
			return err
		}
		return f.put(tx, customer(acme, "cus_1"), e, signals...)
	})

	d, err := f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.CustomerRow).To(Equal(store.CustomerRow{Customer: "cus_1", Name: "Ada", Email: "ada@example.com", Score: 95,
		P30: .95, Tier: "Critical", MRR: 4900, Currency: "usd", Interval: store.Monthly, LastSignalKind: "invoice.payment_failed",
		LastSignalAt: time.Unix(1700000059, 0).UTC(), EvaluatedAt: start, NextChangeAt: start.Add(time.Hour), ModelVersion: "prior-1"}))
	g.Expect(d.Livemode).To(BeTrue())
	g.Expect(d.AtRisk).To(BeTrue())
	g.Expect(d.ProfileID).To(Equal("profile-7"))
	g.Expect(d.Terms).To(Equal(e.Terms))
	g.Expect(d.Signals).To(HaveLen(50))
	g.Expect(d.Signals[0]).To(Equal(signals[60]))
	g.Expect(d.History).To(Equal([]store.ScorePoint{{Day: start.Truncate(24 * time.Hour), Score: 95, Tier: "Critical", P30: .95}}))
	page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Rows).To(Equal([]store.CustomerRow{d.CustomerRow}))
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{Customers: 1, AtRisk: 1, Critical: 1, Signals: 61}))
}

// testNewestIdentity lets the same signals arrive in many orders, in one batch and in several.
func testNewestIdentity(t *testing.T, f *fixture) {
	g := NewWithT(t)
	signals := []signal.Signal{
		person("", "evt_1", 100, "old@example.com", "Old"), person("", "evt_2", 200, "new@example.com", "Tie"),
		person("", "evt_3", 200, "new@example.com", "New"), failed("", "evt_4", 300),
		{ID: "evt_5", Kind: signal.PaymentFailed, Created: 400, Person: &signal.Person{ProfileID: "of an invoice"}},
	}
	random := rand.New(rand.NewPCG(3, 4))
	for i, id := range names(12, "cus_%d") {
		random.Shuffle(len(signals), func(a, b int) { signals[a], signals[b] = signals[b], signals[a] })
		cut := i % len(signals)
		f.save(t, customer(acme, id), atRisk(scoring.Normal, 60, 0), signals[:cut]...)
		f.save(t, customer(acme, id), atRisk(scoring.Normal, 60, 0), signals[cut:]...)
		d, err := f.Customer(f.ctx, "acme/prod", id)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect([]string{d.Email, d.Name, d.ProfileID}).To(Equal([]string{"new@example.com", "New", "profile-7"}))
	}
	// An e-mail removed at Stripe is removed here.
	f.save(t, customer(acme, "cus_0"), atRisk(scoring.Normal, 60, 0), person("", "evt_6", 500, "", ""))
	d, err := f.Customer(f.ctx, "acme/prod", "cus_0")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Email + d.Name).To(BeEmpty())
}

func testLastSignal(t *testing.T, f *fixture) {
	g := NewWithT(t)
	context := person("", "evt_2", 900, "", "")
	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Normal, 60, 0), context)
	d, _ := f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(d.LastSignalKind).To(Equal("customer.updated"))
	for range 2 { // also when the same signals come back
		f.save(t, customer(acme, "cus_1"), atRisk(scoring.Normal, 60, 0), failed("", "evt_3", 500), context, failed("", "evt_1", 400))
		d, _ = f.Customer(f.ctx, "acme/prod", "cus_1")
		g.Expect(d.LastSignalKind).To(Equal("invoice.payment_failed"))
		g.Expect(d.LastSignalAt).To(Equal(time.Unix(500, 0).UTC()), "a later signal that cannot move the score is not the last one")
	}
}

func testHistory(t *testing.T, f *fixture) {
	g := NewWithT(t)
	day := start.Truncate(24 * time.Hour)
	for _, at := range []struct {
		after time.Duration
		score int
	}{{0, 60}, {time.Hour, 65}, {2 * time.Hour, 63}, {24 * time.Hour, 63}, {48 * time.Hour, 63}, {72 * time.Hour, 40}} {
		f.clock.SetTime(start.Add(at.after))
		f.save(t, customer(acme, "cus_1"), atRisk(scoring.Normal, at.score, 0))
	}
	d, err := f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	last := store.ScorePoint{Day: day.AddDate(0, 0, 3), Score: 40, Tier: "Normal", P30: .40}
	g.Expect(d.History).To(Equal([]store.ScorePoint{{Day: day, Score: 63, Tier: "Normal", P30: .63}, last}),
		"the last score of each day on which it changed")

	f.clock.SetTime(start.AddDate(2, 0, 0))
	d, err = f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.History).To(Equal([]store.ScorePoint{last}), "the score with which the shown time begins")
}

// testWriters lets several engines add to one customer at the same time: no addition is lost.
func testWriters(t *testing.T, f *fixture) {
	g := NewWithT(t)
	other := f.open(t)
	defer func() { g.Expect(other.Close()).To(Succeed()) }()
	const each = 15
	keys := []store.CustomerKey{customer(acme, "cus_1"), customer(acme, "cus_2"), customer(store.Scope{Workspace: "b/c"}, "cus_1")}
	var all sync.WaitGroup
	for i, s := range []*store.Store{f.Store, f.Store, other, other} {
		all.Go(func() {
			for range each {
				g.Expect(s.Update(f.ctx, func(tx *store.Tx) error { return f.increment(tx, keys, i%2 == 0) })).To(Succeed())
			}
		})
	}
	all.Wait()
	f.update(t, func(tx *store.Tx) error {
		records, err := tx.Customers(f.ctx, keys)
		for _, key := range keys {
			g.Expect(string(records[key].State)).To(Equal(strconv.Itoa(4 * each)))
		}
		return err
	})
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(HaveField("Customers", 2))
}

// increment counts up in the customers' states; the order in which keys are named must not matter.
func (f *fixture) increment(tx *store.Tx, keys []store.CustomerKey, backwards bool) error {
	ordered := append([]store.CustomerKey{}, keys...)
	if backwards {
		ordered[0], ordered[2] = ordered[2], ordered[0]
	}
	scopes := []store.Scope{ordered[0].Scope, ordered[1].Scope, ordered[2].Scope}
	if _, err := tx.Workspaces(f.ctx, scopes); err != nil {
		return err
	}
	records, err := tx.Customers(f.ctx, ordered)
	if err != nil {
		return err
	}
	var save []*store.CustomerRecord
	for _, key := range ordered {
		r := records[key]
		n, _ := strconv.Atoi(string(r.State)) // 0 when new
		r.State, r.EvaluatedAt, r.Evaluation = []byte(strconv.Itoa(n+1)), start, atRisk(scoring.Normal, 60+n%20, 0)
		r.Evaluation.ModelVersion = "prior-1"
		save = append(save, r)
	}
	return tx.SaveCustomers(f.ctx, save)
}

func testReopen(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 0), person("", "evt_1", 1, "ada@example.com", "Ada"))
	before, err := f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.Close()).To(Succeed())
	f.Store = f.open(t)
	g.Expect(f.Ping(f.ctx)).To(Succeed())
	g.Expect(f.Customer(f.ctx, "acme/prod", "cus_1")).To(Equal(before))
}
