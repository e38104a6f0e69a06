package store_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

var (
	rival    = store.Scope{Workspace: "rival/prod", Livemode: true}
	acmeTest = store.Scope{Workspace: "acme/prod"}
)

// fill gives a scope one customer, one signal, one ledger entry and one failed event, all under the same ids.
func (f *fixture) fill(t testing.TB, s store.Scope, email string, score int) {
	t.Helper()
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{s}); err != nil {
			return err
		}
		if _, err := tx.RecordEvents(f.ctx, []store.EventRef{{Scope: s, EventID: "evt_1"}}, f.clock.Now()); err != nil {
			return err
		}
		who := person("cus_1", "evt_1", int64(score), email, "Name of "+email)
		if _, err := tx.InsertSignals(f.ctx, []store.ScopedSignal{{Scope: s, Signal: who}}); err != nil {
			return err
		}
		err := tx.RecordFailed(f.ctx, s.Workspace, []store.FailedEvent{{EventID: "evt_9", Livemode: s.Livemode, Connection: email, FailedAt: start}})
		if err != nil {
			return err
		}
		return f.put(tx, customer(s, "cus_1"), atRisk(scoring.Critical, score, 0), who)
	})
}

// testIsolation tries to reach one workspace's data through another's name.
func testIsolation(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "acme@example.com", 95)
	f.fill(t, rival, "rival@example.com", 91)
	for workspace, email := range map[string]string{"acme/prod": "acme@example.com", "rival/prod": "rival@example.com"} {
		page, err := f.AtRisk(f.ctx, workspace, store.AtRiskQuery{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(page.Total).To(Equal(1))
		g.Expect(page.Rows).To(HaveLen(1))
		g.Expect(page.Rows[0].Email).To(Equal(email))
		d, err := f.Customer(f.ctx, workspace, "cus_1")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(d.Email).To(Equal(email))
		g.Expect(d.Signals).To(HaveLen(1))
		g.Expect(d.History).To(HaveLen(1))
		g.Expect(f.Counts(f.ctx, workspace)).To(Equal(store.Counts{Customers: 1, AtRisk: 1, Critical: 1, Signals: 1}))
		g.Expect(f.Failed(f.ctx, workspace, store.FailedQuery{})).To(HaveField("Events", ConsistOf(HaveField("Connection", email))))
	}
	f.update(t, func(tx *store.Tx) error {
		got, err := tx.CustomerSignals(f.ctx, []store.CustomerKey{customer(acme, "cus_1")})
		g.Expect(got).To(HaveLen(1))
		g.Expect(got[customer(acme, "cus_1")]).To(ConsistOf(HaveField("Created", int64(95))))
		return err
	})
	for _, name := range []string{"", "acme", "acme/", "acme/pro_", "acme/%", "ACME/prod", "acme/prod' OR '1'='1"} {
		page, err := f.AtRisk(f.ctx, name, store.AtRiskQuery{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(page.Rows).To(BeEmpty(), name)
		_, err = f.Customer(f.ctx, name, "cus_1")
		g.Expect(err).To(MatchError(store.ErrNotFound), name)
		g.Expect(f.Counts(f.ctx, name)).To(Equal(store.Counts{}), name)
		g.Expect(f.Failed(f.ctx, name, store.FailedQuery{})).To(HaveField("Events", BeEmpty()), name)
		g.Expect(f.Erase(f.ctx, name)).To(Equal(store.ErasedCounts{}), name)
	}
	// A page of one workspace is no key to another's.
	f.save(t, customer(acme, "cus_2"), atRisk(scoring.Normal, 70, 0))
	page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Limit: 1})
	g.Expect(err).NotTo(HaveOccurred())
	crossed, err := f.AtRisk(f.ctx, "rival/prod", store.AtRiskQuery{After: page.Next})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ids(crossed)).To(Equal([]string{"cus_1"}), "it is a place in the order, 95 before rival's 91")
	g.Expect(crossed.Rows[0].Email).To(Equal("rival@example.com"))

	f.update(t, func(tx *store.Tx) error {
		return tx.ClearFailed(f.ctx, []store.EventRef{{Scope: acme, EventID: "evt_9"}})
	})
	g.Expect(f.Failed(f.ctx, "rival/prod", store.FailedQuery{})).To(HaveField("Events", HaveLen(1)))
}

func testModes(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acmeTest, "test@example.com", 92)
	shown := func(q store.AtRiskQuery) string {
		page, err := f.AtRisk(f.ctx, "acme/prod", q)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(page.Rows).To(HaveLen(1))
		return page.Rows[0].Email
	}
	g.Expect(shown(store.AtRiskQuery{})).To(Equal("test@example.com"), "as long as there is nothing else")
	f.fill(t, acme, "live@example.com", 95)
	g.Expect(shown(store.AtRiskQuery{})).To(Equal("live@example.com"))
	g.Expect(shown(store.AtRiskQuery{Mode: store.ModeTest})).To(Equal("test@example.com"))
	d, err := f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Score).To(Equal(95))
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{Customers: 1, AtRisk: 1, Critical: 1, Signals: 1}))
	_, err = f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Mode: "both"})
	g.Expect(err).To(HaveOccurred())
}

func testAtRest(t *testing.T, f *fixture) {
	g := NewWithT(t)
	const marker = "canary.person@marked.example"
	f.fill(t, acme, marker, 95)
	d, err := f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Email).To(Equal(marker))
	for _, s := range d.Signals {
		g.Expect(s.Person).To(Equal(&signal.Person{ProfileID: "profile-7", CustomerCreated: 1600000000}))
	}
	// The failed event of fill carries the e-mail as its connection: the search must find what is there.
	g.Expect(contains(f.dump(t), marker)).To(BeTrue())
	f.update(t, func(tx *store.Tx) error {
		return tx.ClearFailed(f.ctx, []store.EventRef{{Scope: acme, EventID: "evt_9"}})
	})
	_, err = f.Erase(f.ctx, "nobody/here") // empties SQLite's log
	g.Expect(err).NotTo(HaveOccurred())
	dump := f.dump(t)
	g.Expect(contains(dump, "cus_1")).To(BeTrue())
	for _, secret := range []string{marker, "Name of canary", "marked.example"} {
		g.Expect(contains(dump, secret)).To(BeFalse(), secret)
	}
}

// contains also looks for the text as PostgreSQL prints binary columns.
func contains(dump []byte, text string) bool {
	return bytes.Contains(dump, []byte(text)) || bytes.Contains(dump, []byte(hex.EncodeToString([]byte(text))))
}

func readFiles(t testing.TB, pattern string) (out []byte) {
	g := NewWithT(t)
	files, err := filepath.Glob(pattern)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).NotTo(BeEmpty())
	for _, file := range files {
		raw, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		out = append(out, raw...)
	}
	return out
}

func testErasure(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "acme@example.com", 95)
	f.fill(t, acmeTest, "test@example.com", 92)
	f.fill(t, rival, "rival@example.com", 91)
	f.clock.SetTime(start.Add(time.Minute))
	g.Expect(f.Erase(f.ctx, "acme/prod")).To(Equal(store.ErasedCounts{
		Customers: 2, Identities: 2, Signals: 2, Scores: 2, Events: 2, Failed: 2, Keys: 1}))
	g.Expect(f.Erase(f.ctx, "acme/prod")).To(Equal(store.ErasedCounts{}), "the second time there is nothing left")

	page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Rows).To(BeEmpty())
	_, err = f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).To(MatchError(store.ErrNotFound))
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{}))
	g.Expect(f.Failed(f.ctx, "acme/prod", store.FailedQuery{})).To(HaveField("Events", BeEmpty()))
	g.Expect(f.Counts(f.ctx, "rival/prod")).To(HaveField("Customers", 1))
	d, err := f.Customer(f.ctx, "rival/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Email).To(Equal("rival@example.com"))

	var erased map[string]int64
	f.update(t, func(tx *store.Tx) (err error) {
		erased, err = tx.Workspaces(f.ctx, []store.Scope{acme, rival})
		return err
	})
	g.Expect(erased).To(Equal(map[string]int64{"acme/prod": start.Add(time.Minute).UnixMilli(), "rival/prod": 0}))
	f.fill(t, acme, "back@example.com", 95)
	d, err = f.Customer(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Email).To(Equal("back@example.com"), "a workspace can start again")
}

// testErasedKey looks at the files: after an erasure neither the sealed identity nor the sealed key is left.
func testErasedKey(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "acme@example.com", 95)
	g.Expect(contains(f.dump(t), "cus_1")).To(BeTrue())
	_, err := f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	dump := f.dump(t)
	for _, gone := range []string{"cus_1", "evt_1", "evt_9", "customer.updated"} {
		g.Expect(contains(dump, gone)).To(BeFalse(), gone)
	}
	g.Expect(contains(dump, "acme/prod")).To(BeTrue(), "the tombstone stays")
}

// testEraseWaits holds that a batch which has opened its workspace is erased as a whole or not at all.
func testEraseWaits(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "acme@example.com", 95)
	done := make(chan error, 1)
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{acme}); err != nil {
			return err
		}
		go func() {
			_, err := f.Erase(f.ctx, "acme/prod")
			done <- err
		}()
		g.Consistently(done, "100ms").ShouldNot(Receive())
		return f.put(tx, customer(acme, "cus_2"), atRisk(scoring.Normal, 60, 0), person("", "evt_1", 1, "ada@example.com", "Ada"))
	})
	g.Expect(<-done).To(Succeed())
	g.Expect(f.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{}))
}

// testEraseRace erases while engines write: what is left is all of one side of the erasure, never an unreadable half.
func testEraseRace(t *testing.T, f *fixture) {
	g := NewWithT(t)
	who := person("", "evt_1", 1, "ada@example.com", "Ada")
	var all sync.WaitGroup
	for _, id := range names(2, "cus_%d") {
		all.Go(func() {
			for range 15 {
				g.Expect(f.Update(f.ctx, func(tx *store.Tx) error {
					return f.put(tx, customer(acme, id), atRisk(scoring.Normal, 60, 0), who)
				})).To(Succeed())
			}
		})
	}
	all.Go(func() {
		for range 8 {
			_, err := f.Erase(f.ctx, "acme/prod")
			g.Expect(err).NotTo(HaveOccurred())
		}
	})
	all.Wait()
	page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{})
	g.Expect(err).NotTo(HaveOccurred())
	for _, row := range page.Rows {
		d, err := f.Customer(f.ctx, "acme/prod", row.Customer)
		g.Expect(err).NotTo(HaveOccurred())
		if len(d.History) > 0 {
			g.Expect(row.Email).To(Equal("ada@example.com"))
		}
	}
	counts, err := f.Counts(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(counts.Customers).To(Equal(page.Total))
}
