package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

// record enters events in the ledger and returns which were fresh.
func (f *fixture) record(t testing.TB, refs ...store.EventRef) (fresh map[store.EventRef]bool) {
	t.Helper()
	f.update(t, func(tx *store.Tx) (err error) {
		fresh, err = tx.RecordEvents(f.ctx, refs, f.clock.Now())
		return err
	})
	return fresh
}

func testLedger(t *testing.T, f *fixture) {
	g := NewWithT(t)
	one, two := store.EventRef{Scope: acme, EventID: "evt_1"}, store.EventRef{Scope: acme, EventID: "evt_2"}
	g.Expect(f.record(t, one, one)).To(Equal(map[store.EventRef]bool{one: true}))
	g.Expect(f.record(t, two, one)).To(Equal(map[store.EventRef]bool{two: true}))
	g.Expect(f.record(t, one)).To(BeEmpty())

	elsewhere := store.EventRef{Scope: store.Scope{Workspace: "other/prod", Livemode: true}, EventID: "evt_1"}
	test := store.EventRef{Scope: store.Scope{Workspace: "acme/prod"}, EventID: "evt_1"}
	g.Expect(f.record(t, elsewhere, test)).To(HaveLen(2))
}

func testPruning(t *testing.T, f *fixture) {
	g := NewWithT(t)
	refs := make([]store.EventRef, 12000) // more than one pruning transaction takes
	for i := range refs {
		refs[i] = store.EventRef{Scope: acme, EventID: fmt.Sprintf("evt_%d", i)}
	}
	f.record(t, refs...)
	f.clock.SetTime(start.Add(30 * 24 * time.Hour))
	g.Expect(f.PruneEvents(f.ctx)).To(BeZero(), "Stripe can still list these events")
	late := store.EventRef{Scope: acme, EventID: "evt_late"}
	f.record(t, late)

	f.clock.SetTime(start.Add(36 * 24 * time.Hour))
	g.Expect(f.PruneEvents(f.ctx)).To(Equal(len(refs)))
	g.Expect(f.record(t, refs[0], late)).To(Equal(map[store.EventRef]bool{refs[0]: true}))
}

func testSignals(t *testing.T, f *fixture) {
	g := NewWithT(t)
	next := int64(1700003600)
	full := failed("cus_1", "evt_1", 1700000000)
	full.Invoice.NextAttempt = &next
	about := person("cus_1", "evt_2", 1700000001, "ada@example.com", "Ada")
	insert := func(signals ...store.ScopedSignal) (fresh map[store.SignalRef]bool) {
		f.update(t, func(tx *store.Tx) (err error) {
			fresh, err = tx.InsertSignals(f.ctx, signals)
			return err
		})
		return fresh
	}
	a, b := store.ScopedSignal{Scope: acme, Signal: full}, store.ScopedSignal{Scope: acme, Signal: about}
	g.Expect(insert(a, b, a)).To(Equal(map[store.SignalRef]bool{a.Ref(): true, b.Ref(): true}))
	g.Expect(insert(a, b)).To(BeEmpty())

	var got map[store.CustomerKey][]signal.Signal
	f.update(t, func(tx *store.Tx) (err error) {
		got, err = tx.CustomerSignals(f.ctx, []store.CustomerKey{customer(acme, "cus_1"), customer(acme, "cus_2")})
		return err
	})
	stripped := about
	stripped.Person = &signal.Person{ProfileID: "profile-7", CustomerCreated: 1600000000}
	g.Expect(got).To(HaveLen(1))
	g.Expect(got[customer(acme, "cus_1")]).To(ConsistOf(full, stripped))
	g.Expect(about.Person.Email).To(Equal("ada@example.com"), "the caller's signal stays as it was")
}

// testBadSignal holds that the database itself refuses what would break a later read.
func testBadSignal(t *testing.T, f *fixture) {
	g := NewWithT(t)
	for name, change := range map[string]func(s *signal.Signal){
		"no id":       func(s *signal.Signal) { s.ID = "" },
		"no kind":     func(s *signal.Signal) { s.Kind = "" },
		"no customer": func(s *signal.Signal) { s.Customer = "" },
		"before 1970": func(s *signal.Signal) { s.Created = -1 },
	} {
		s := failed("cus_1", "evt_1", 1700000000)
		change(&s)
		err := f.Update(f.ctx, func(tx *store.Tx) error {
			_, err := tx.InsertSignals(f.ctx, []store.ScopedSignal{{Scope: acme, Signal: s}})
			return err
		})
		g.Expect(err).To(HaveOccurred(), name)
		g.Expect(f.Unavailable(err)).To(BeFalse(), name)
	}
}

func testRollback(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.save(t, customer(acme, "cus_0"), atRisk(scoring.Normal, 60, 1))
	boom := errors.New("boom")
	err := f.Update(f.ctx, func(tx *store.Tx) error {
		s := store.ScopedSignal{Scope: acme, Signal: failed("cus_1", "evt_1", 1)}
		if _, err := tx.RecordEvents(f.ctx, []store.EventRef{{Scope: acme, EventID: "evt_1"}}, start); err != nil {
			return err
		}
		if _, err := tx.InsertSignals(f.ctx, []store.ScopedSignal{s}); err != nil {
			return err
		}
		if err := f.put(tx, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 1)); err != nil {
			return err
		}
		return boom
	})
	g.Expect(err).To(MatchError(boom))
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{Customers: 1, AtRisk: 1}))
	g.Expect(f.record(t, store.EventRef{Scope: acme, EventID: "evt_1"})).To(HaveLen(1))
	_, err = f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).To(MatchError(store.ErrNotFound))
}

func testFailed(t *testing.T, f *fixture) {
	g := NewWithT(t)
	event := func(id string, at time.Time, attempts int) store.FailedEvent {
		return store.FailedEvent{EventID: id, EventType: "invoice.payment_failed", Connection: "uid-1", Account: "acct_1",
			Livemode: true, Reason: store.FailureProcessing, Attempts: attempts, Created: start.Add(-time.Hour), FailedAt: at}
	}
	first, second, again := event("evt_1", start, 6), event("evt_2", start.Add(time.Minute), 6), event("evt_1", start.Add(time.Hour), 7)
	put := func(events ...store.FailedEvent) {
		f.update(t, func(tx *store.Tx) error { return tx.RecordFailed(f.ctx, "acme/prod", events) })
	}
	put(first, second)
	g.Expect(f.Failed(f.ctx, "acme/prod", store.FailedQuery{})).To(HaveField("Events", Equal([]store.FailedEvent{second, first})))
	put(again)
	g.Expect(f.Failed(f.ctx, "acme/prod", store.FailedQuery{})).To(HaveField("Events", Equal([]store.FailedEvent{again, second})))
	f.update(t, func(tx *store.Tx) error {
		return tx.ClearFailed(f.ctx, []store.EventRef{{Scope: acme, EventID: "evt_1"}, {Scope: acme, EventID: "evt_9"}})
	})
	g.Expect(f.Failed(f.ctx, "acme/prod", store.FailedQuery{})).To(HaveField("Events", Equal([]store.FailedEvent{second})))
}

// testFailedPages walks through more than a page, among them some of the same instant and of both modes.
func testFailedPages(t *testing.T, f *fixture) {
	g := NewWithT(t)
	var all []store.FailedEvent
	for i := range 1005 {
		all = append(all, store.FailedEvent{EventID: fmt.Sprintf("evt_%04d", i/2), Livemode: i%2 == 0, FailedAt: start.Add(time.Duration(i/10) * time.Second)})
	}
	f.update(t, func(tx *store.Tx) error { return tx.RecordFailed(f.ctx, "acme/prod", all) })
	for _, limit := range []int{0, 3, 2000} {
		var listed []string
		for q := (store.FailedQuery{Limit: limit}); ; {
			page, err := f.Failed(f.ctx, "acme/prod", q)
			g.Expect(err).NotTo(HaveOccurred())
			for _, e := range page.Events {
				listed = append(listed, fmt.Sprint(e.EventID, e.Livemode))
				g.Expect(e.FailedAt.After(page.Events[0].FailedAt)).To(BeFalse(), "the newest first")
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		slices.Sort(listed)
		g.Expect(listed).To(HaveLen(1005))
		g.Expect(slices.Compact(listed)).To(HaveLen(1005), "each once")
	}
	page, err := f.Failed(f.ctx, "acme/prod", store.FailedQuery{Events: []string{"evt_0000", "evt_none"}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Events).To(HaveLen(2))
	_, err = f.Failed(f.ctx, "acme/prod", store.FailedQuery{After: "bm9uZQ"})
	g.Expect(err).To(MatchError(store.ErrCursor))
}

func testLargeBatch(t *testing.T, f *fixture) {
	g := NewWithT(t)
	const n = 2300 // several statements, the last one not full
	signals := make([]store.ScopedSignal, n)
	for i := range signals {
		signals[i] = store.ScopedSignal{Scope: acme, Signal: failed(fmt.Sprintf("cus_%d", i%700), fmt.Sprintf("evt_%d", i), int64(i))}
	}
	f.update(t, func(tx *store.Tx) error {
		fresh, err := tx.InsertSignals(f.ctx, signals)
		g.Expect(fresh).To(HaveLen(n))
		return err
	})
	f.update(t, func(tx *store.Tx) error {
		keys := make([]store.CustomerKey, 700)
		for i, name := range names(len(keys), "cus_%d") {
			keys[i] = customer(acme, name)
		}
		got, err := tx.CustomerSignals(f.ctx, keys)
		total := 0
		for _, s := range got {
			total += len(s)
		}
		g.Expect(total).To(Equal(n))
		return err
	})
}
