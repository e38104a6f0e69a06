package explain_test

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/engine/explain"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/vault"
)

var (
	now  = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)
	acme = store.Scope{Workspace: "acme/main", Livemode: true}
)

const day = 24 * time.Hour

func ago(d time.Duration) int64 { return now.Add(-d).Unix() }

// history is the specification's example: a monthly customer of 225 days whose payment fails twice. Its first payment was
// read from a list.
func history() []signal.Signal {
	mrr, next := 4900.0, now.Add(3*day).Unix()
	failed := func(id string, attempt int, at time.Duration) signal.Signal {
		return signal.Signal{ID: id, EventID: id, Kind: signal.PaymentFailed, Created: ago(at), Provenance: signal.FromEvent, Customer: "cus_1",
			Invoice: &signal.Invoice{ID: "in_1", Subscription: "sub_1", BillingReason: "subscription_cycle", AttemptCount: attempt, NextAttempt: &next,
				AmountDue: 4900, Created: ago(3*day + time.Hour)}}
	}
	first := signal.Signal{ID: "in_0:paid", Kind: signal.PaymentSucceeded, Created: ago(225 * day), Provenance: signal.FromListed, Customer: "cus_1",
		Invoice: &signal.Invoice{ID: "in_0", Subscription: "sub_1", BillingReason: "subscription_create", AmountPaid: 4900, AmountDue: 4900, Created: ago(225 * day), PaidAt: ago(225 * day)}}
	return []signal.Signal{
		failed("evt_2", 2, 0), first, failed("evt_1", 1, 3*day),
		{ID: "evt_0", EventID: "evt_0", Kind: signal.SubscriptionObserved, Created: ago(225 * day), Provenance: signal.FromEvent, Customer: "cus_1",
			Subscription: &signal.Subscription{ID: "sub_1", Status: "active", Currency: "usd", Start: ago(225 * day), MRR: &mrr, IntervalMonths: 1}},
	}
}

func newStore(t *testing.T, c *clocktesting.FakePassiveClock) *store.Store {
	g := NewWithT(t)
	keyset, err := vault.NewKeyset()
	g.Expect(err).NotTo(HaveOccurred())
	v, err := vault.Open(keyset)
	g.Expect(err).NotTo(HaveOccurred())
	s, err := store.Open(t.Context(), store.Options{DSN: "sqlite://" + filepath.Join(t.TempDir(), "store.db"), Vault: v, Clock: c, Logger: slog.New(slog.DiscardHandler)})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// save stores a customer as the engine does; state nil stands for one that cannot be read.
func save(t *testing.T, s *store.Store, state *scoring.State, signals []signal.Signal) {
	NewWithT(t).Expect(s.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Workspaces(t.Context(), []store.Scope{acme}); err != nil {
			return err
		}
		var all []store.ScopedSignal
		for _, sig := range signals {
			all = append(all, store.ScopedSignal{Scope: acme, Signal: sig})
		}
		if _, err := tx.InsertSignals(t.Context(), all); err != nil {
			return err
		}
		key := store.CustomerKey{Scope: acme, Customer: "cus_1"}
		records, err := tx.Customers(t.Context(), []store.CustomerKey{key})
		if err != nil {
			return err
		}
		r := records[key]
		r.State = []byte("{")
		if state != nil {
			if r.State, err = json.Marshal(state); err != nil {
				return err
			}
		}
		r.Evaluation, r.EvaluatedAt = scoring.Evaluate(scoring.Fold(signals), now, scoring.Prior()), now
		return tx.SaveCustomers(t.Context(), []*store.CustomerRecord{r})
	})).To(Succeed())
}

func TestExplain(t *testing.T) {
	for name, state := range map[string]*scoring.State{"a stored state": scoring.Fold(history()), "a state that cannot be read": nil} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := newStore(t, clocktesting.NewFakePassiveClock(now))
			save(t, s, state, history())
			e, err := explain.New(s, clocktesting.NewFakePassiveClock(now))
			g.Expect(err).NotTo(HaveOccurred())
			got, err := e.Explain(t.Context(), "acme/main", "cus_1")
			g.Expect(err).NotTo(HaveOccurred())
			second := report.Fact{ID: "evt_2", Event: "evt_2", Kind: "invoice.payment_failed", At: now, Provenance: "event"}
			g.Expect(got.Facts).To(Equal([]report.Fact{
				{ID: "evt_1", Event: "evt_1", Kind: "invoice.payment_failed", At: now.Add(-3 * day), Provenance: "event"}, second,
			}))
			g.Expect(got.LastChange.Signal).To(Equal(second))
			g.Expect(report.Arrow(got.LastChange.Before, got.LastChange.After)).To(Equal("65 → 95 (Normal → Critical)"))
			var told []string
			for _, w := range got.WhatIfs {
				told = append(told, w.Label+": "+report.Arrow(w.Before, w.After))
			}
			g.Expect(told).To(Equal([]string{"the open invoice is paid now: 95 → 57 (Critical → Normal)", "the payment fails once more now: 95 → 96"}))
		})
	}
}

// TestSeveralSignalsOfOneEvent: an update that downgrades and schedules the end is one event, and both of its signals are told.
func TestSeveralSignalsOfOneEvent(t *testing.T) {
	g := NewWithT(t)
	s := newStore(t, clocktesting.NewFakePassiveClock(now))
	before, mrr := 4900.0, 2450.0
	signals := append(history(),
		signal.Signal{ID: "evt_3", EventID: "evt_3", Kind: signal.SubscriptionDowngraded, Created: ago(0), Provenance: signal.FromEvent, Customer: "cus_1",
			Subscription: &signal.Subscription{ID: "sub_1", Currency: "usd", PreviousMRR: &before, MRR: &mrr, CancelAtPeriodEnd: true}},
		signal.Signal{ID: "evt_3#2", EventID: "evt_3", Kind: signal.CancelScheduled, Created: ago(0), Provenance: signal.FromEvent, Customer: "cus_1",
			Subscription: &signal.Subscription{ID: "sub_1", CancelAtPeriodEnd: true}})
	save(t, s, scoring.Fold(signals), signals)
	e, err := explain.New(s, clocktesting.NewFakePassiveClock(now))
	g.Expect(err).NotTo(HaveOccurred())
	got, err := e.Explain(t.Context(), "acme/main", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	var third []string
	for _, f := range got.Facts {
		if f.Event == "evt_3" {
			third = append(third, f.ID+" "+f.Kind)
		}
	}
	g.Expect(third).To(Equal([]string{"evt_3 subscription.downgraded", "evt_3 subscription.cancel_scheduled"}))
}

func TestTheThresholdCounts(t *testing.T) {
	g := NewWithT(t)
	s := newStore(t, clocktesting.NewFakePassiveClock(now))
	save(t, s, scoring.Fold(history()), history())
	g.Expect(s.SetAtRiskThreshold(t.Context(), "acme/main", 50)).To(Succeed())
	e, err := explain.New(s, clocktesting.NewFakePassiveClock(now))
	g.Expect(err).NotTo(HaveOccurred())
	got, err := e.Explain(t.Context(), "acme/main", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got.WhatIfs[0].After).To(And(HaveField("Score", 57), HaveField("AtRisk", true)))
}

func TestNobodyToExplain(t *testing.T) {
	g := NewWithT(t)
	s := newStore(t, clocktesting.NewFakePassiveClock(now))
	save(t, s, scoring.Fold(history()), history())
	e, err := explain.New(s, clocktesting.NewFakePassiveClock(now))
	g.Expect(err).NotTo(HaveOccurred())
	for _, who := range [][2]string{{"acme/main", "cus_2"}, {"rival/main", "cus_1"}} {
		_, err := e.Explain(t.Context(), who[0], who[1])
		g.Expect(err).To(MatchError(store.ErrNotFound))
	}
	_, err = explain.New(nil, nil)
	g.Expect(err).To(HaveOccurred())
}
