package store_test

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/store"
)

func testInventory(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.connect(t, store.AccountRef{Scope: acme, Account: "acct_1"}, "cus_1")
	f.connect(t, store.AccountRef{Scope: acmeTest, Account: "acct_1"}, "cus_test")
	f.connect(t, store.AccountRef{Scope: rival, Account: "acct_2"}, "cus_rival")
	_, err := f.BeginAudit(f.ctx, store.AuditEntry{Workspace: "acme/prod", Action: "check"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.Inventory(f.ctx, "acme/prod")).To(ContainElements(
		store.Holding{Kind: "customers", Count: 2}, store.Holding{Kind: "signals", Count: 2}, store.Holding{Kind: "score_history", Count: 2},
		store.Holding{Kind: "events", Count: 2}, store.Holding{Kind: "failed_events", Count: 2}, store.Holding{Kind: "audit", Count: 1},
		store.Holding{Kind: "profiles"},
	))
	f.update(t, func(tx *store.Tx) error {
		events := make([]store.EventRef, 10_001)
		for i := range events {
			events[i] = store.EventRef{Scope: acme, EventID: fmt.Sprintf("evt_many_%d", i)}
		}
		_, err := tx.RecordEvents(f.ctx, events, f.clock.Now())
		return err
	})
	g.Expect(f.Inventory(f.ctx, "acme/prod")).To(ContainElement(store.Holding{Kind: "events", Count: 10_000, Least: true}))
	_, err = f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	held, err := f.Inventory(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	for _, h := range held {
		g.Expect(h.Count == 0 || h.Kind == "audit").To(BeTrue(), "%+v is left", h)
	}
}
