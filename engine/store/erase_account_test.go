package store_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// connect gives an account one customer with an identity, a signal, a score and a ledger entry, and one failed event.
func (f *fixture) connect(t testing.TB, a store.AccountRef, id string) {
	t.Helper()
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{a.Scope}); err != nil {
			return err
		}
		event := store.EventRef{Scope: a.Scope, EventID: "evt_" + id, Account: a.Account}
		if _, err := tx.RecordEvents(f.ctx, []store.EventRef{event}, f.clock.Now()); err != nil {
			return err
		}
		who := person(id, "evt_"+id, 1, id+"@example.com", "Name of "+id)
		if _, err := tx.InsertSignals(f.ctx, []store.ScopedSignal{{Scope: a.Scope, Signal: who}}); err != nil {
			return err
		}
		err := tx.RecordFailed(f.ctx, a.Workspace, []store.FailedEvent{
			{EventID: "evt_failed_" + id, Livemode: a.Livemode, Account: a.Account, FailedAt: start}})
		if err != nil {
			return err
		}
		records, err := tx.Customers(f.ctx, []store.CustomerKey{customer(a.Scope, id)})
		if err != nil {
			return err
		}
		r := records[customer(a.Scope, id)]
		r.Observe(who)
		r.Account, r.State, r.EvaluatedAt = a.Account, []byte(`{}`), f.clock.Now()
		r.Evaluation = atRisk(scoring.Critical, 95, 0)
		r.Evaluation.ModelVersion = "prior-1"
		return tx.SaveCustomers(f.ctx, []*store.CustomerRecord{r})
	})
}

// erasedAt reads the accounts' tombstones as a batch does.
func (f *fixture) erasedAt(t testing.TB, refs ...store.AccountRef) (atMs map[store.AccountRef]int64) {
	t.Helper()
	f.update(t, func(tx *store.Tx) (err error) {
		atMs, err = tx.ErasedAccounts(f.ctx, refs)
		return err
	})
	return atMs
}

func testEraseAccount(t *testing.T, f *fixture) {
	g := NewWithT(t)
	gone := store.AccountRef{Scope: acme, Account: "acct_gone"}
	stays := store.AccountRef{Scope: acme, Account: "acct_stays"}
	otherMode := store.AccountRef{Scope: acmeTest, Account: "acct_gone"}
	otherWorkspace := store.AccountRef{Scope: rival, Account: "acct_gone"}
	nobody := store.AccountRef{Scope: store.Scope{Workspace: "nobody/here", Livemode: true}, Account: "acct_gone"}
	f.connect(t, gone, "cus_gone")
	f.connect(t, stays, "cus_stays")
	f.connect(t, otherMode, "cus_mode")
	f.connect(t, otherWorkspace, "cus_rival")
	erased := start.Add(time.Minute)
	f.clock.SetTime(erased)

	g.Expect(f.EraseAccount(f.ctx, gone, f.clock.Now())).To(Equal(store.ErasedCounts{
		Customers: 1, Identities: 1, Signals: 1, Scores: 1, Events: 1, Failed: 1}))
	dump := f.dump(t)
	for _, id := range []string{"cus_gone", "evt_cus_gone", "evt_failed_cus_gone"} {
		g.Expect(contains(dump, id)).To(BeFalse(), id)
	}
	_, err := f.Customer(f.ctx, "acme/prod", "cus_gone")
	g.Expect(err).To(MatchError(store.ErrNotFound))
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{Customers: 1, AtRisk: 1, Critical: 1, Signals: 1}))
	trend, err := f.Trend(f.ctx, "acme/prod", 1)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(trend.Days).To(ConsistOf(HaveField("Critical", 1)), "what the account added to the past is gone as well")

	for workspace, id := range map[string]string{"acme/prod": "cus_stays", "rival/prod": "cus_rival"} {
		d, err := f.Customer(f.ctx, workspace, id)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(d.Email).To(Equal(id+"@example.com"), "its data key stays")
		g.Expect(d.Signals).To(HaveLen(1))
		g.Expect(d.History).To(HaveLen(1))
	}
	d, err := f.Customer(f.ctx, "acme/prod", "cus_mode")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Livemode).To(BeFalse())
	g.Expect(f.Failed(f.ctx, "acme/prod", store.FailedQuery{})).To(HaveField("Events", ConsistOf(
		HaveField("EventID", "evt_failed_cus_stays"), HaveField("EventID", "evt_failed_cus_mode"))))
	g.Expect(f.record(t, store.EventRef{Scope: acme, EventID: "evt_cus_stays"})).To(BeEmpty(), "the ledger still knows it")

	g.Expect(f.erasedAt(t, gone, stays, otherMode, otherWorkspace)).To(Equal(map[store.AccountRef]int64{gone: erased.UnixMilli()}))
	_, err = f.EraseAccount(f.ctx, gone, erased.Add(-time.Hour))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.erasedAt(t, gone)).To(HaveKeyWithValue(gone, erased.UnixMilli()), "a later erasure is not undone by one that was asked for before")
	g.Expect(f.EraseAccount(f.ctx, gone, f.clock.Now())).To(Equal(store.ErasedCounts{}), "nothing is left")
	g.Expect(f.EraseAccount(f.ctx, nobody, f.clock.Now())).To(Equal(store.ErasedCounts{}))
	_, err = f.EraseAccount(f.ctx, store.AccountRef{Scope: acme}, f.clock.Now())
	g.Expect(err).To(HaveOccurred(), "rows without an account are nobody's to erase")

	f.connect(t, gone, "cus_gone")
	d, err = f.Customer(f.ctx, "acme/prod", "cus_gone")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Email).To(Equal("cus_gone@example.com"), "the account can be connected again")
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(HaveField("Customers", 2))

	f.clock.SetTime(erased.Add(time.Minute))
	_, err = f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.erasedAt(t, gone)).To(BeEmpty(), "the workspace's own tombstone covers it")
}

// testEraseAccountWaits holds that a batch which has opened its workspace is erased as a whole.
func testEraseAccountWaits(t *testing.T, f *fixture) {
	g := NewWithT(t)
	gone := store.AccountRef{Scope: acme, Account: "acct_gone"}
	f.connect(t, gone, "cus_1")
	done := make(chan error, 1)
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{acme}); err != nil {
			return err
		}
		go func() {
			_, err := f.EraseAccount(f.ctx, gone, f.clock.Now())
			done <- err
		}()
		g.Consistently(done, "100ms").ShouldNot(Receive())
		return f.put(tx, customer(acme, "cus_1"), atRisk(scoring.Normal, 60, 0))
	})
	g.Expect(<-done).To(Succeed())
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{}))
	g.Expect(contains(f.dump(t), "cus_1")).To(BeFalse(), "not even in its history")
}

// testEraseAccountAndDue erases while the scheduler, which opens no workspace, re-evaluates the customer.
func testEraseAccountAndDue(t *testing.T, f *fixture) {
	g := NewWithT(t)
	gone := store.AccountRef{Scope: acme, Account: "acct_gone"}
	f.connect(t, gone, "cus_1")
	done := make(chan error, 1)
	f.clock.SetTime(start.Add(48 * time.Hour))
	f.update(t, func(tx *store.Tx) error {
		records, err := tx.Customers(f.ctx, []store.CustomerKey{customer(acme, "cus_1")})
		if err != nil {
			return err
		}
		go func() {
			_, err := f.EraseAccount(f.ctx, gone, f.clock.Now())
			done <- err
		}()
		g.Consistently(done, "100ms").ShouldNot(Receive())
		r := records[customer(acme, "cus_1")]
		r.Evaluation, r.EvaluatedAt = atRisk(scoring.Normal, 60, 0), f.clock.Now()
		r.Evaluation.ModelVersion = "prior-1"
		return tx.SaveCustomers(f.ctx, []*store.CustomerRecord{r})
	})
	g.Expect(<-done).To(Succeed())
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{}))
	g.Expect(contains(f.dump(t), "cus_1")).To(BeFalse(), "not even in its history")
}
