package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/vault"
)

// start is the instant at which every test's clock begins.
var start = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

var acme = store.Scope{Workspace: "acme/prod", Livemode: true}

// fixture is one test's database; open may be called again to come back to the same data.
type fixture struct {
	*store.Store
	ctx   context.Context
	clock *clocktesting.FakePassiveClock
	dsn   string
	vault *vault.Vault
	// enrolled counts the persons that enrol has made known, whose signals are each newer than the one before.
	enrolled int64
	// dump returns every byte that the database holds on disk or in a table.
	dump func(t testing.TB) []byte
}

func newFixture(t testing.TB, dsn string) *fixture {
	t.Helper()
	g := NewWithT(t)
	keyset, err := vault.NewKeyset()
	g.Expect(err).NotTo(HaveOccurred())
	v, err := vault.Open(keyset)
	g.Expect(err).NotTo(HaveOccurred())
	f := &fixture{ctx: t.Context(), clock: clocktesting.NewFakePassiveClock(start), dsn: dsn, vault: v}
	f.Store = f.open(t)
	t.Cleanup(func() { _ = f.Store.Close() })
	return f
}

func (f *fixture) open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(f.ctx, store.Options{DSN: f.dsn, Vault: f.vault, Clock: f.clock, Logger: slog.New(slog.DiscardHandler)})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return s
}

// raw opens the database without the store.
func (f *fixture) raw(t testing.TB) *sql.DB {
	t.Helper()
	driver, dsn := "pgx", f.dsn
	if path, ok := strings.CutPrefix(f.dsn, "sqlite://"); ok {
		driver, dsn = "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, dsn)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func newSQLite(t testing.TB) *fixture {
	path := filepath.Join(t.TempDir(), "store with space #1.db")
	f := newFixture(t, "sqlite://"+path)
	f.dump = func(t testing.TB) []byte { return readFiles(t, path+"*") }
	return f
}

// update runs fn in a transaction that must succeed.
func (f *fixture) update(t testing.TB, fn func(tx *store.Tx) error) {
	t.Helper()
	NewWithT(t).Expect(f.Update(f.ctx, fn)).To(Succeed())
}

// save stores one customer with an evaluation, as a batch of ingest does, after letting it observe the signals.
func (f *fixture) save(t testing.TB, key store.CustomerKey, e scoring.Evaluation, observed ...signal.Signal) {
	t.Helper()
	f.update(t, func(tx *store.Tx) error { return f.put(tx, key, e, observed...) })
}

func (f *fixture) put(tx *store.Tx, key store.CustomerKey, e scoring.Evaluation, observed ...signal.Signal) error {
	if _, err := tx.Workspaces(f.ctx, []store.Scope{key.Scope}); err != nil {
		return err
	}
	records, err := tx.Customers(f.ctx, []store.CustomerKey{key})
	if err != nil {
		return err
	}
	r := records[key]
	for _, s := range observed {
		r.Observe(s)
	}
	if e.ModelVersion == "" {
		e.ModelVersion = "prior-1"
	}
	r.State, r.Evaluation, r.EvaluatedAt = []byte(`{}`), e, f.clock.Now()
	return tx.SaveCustomers(f.ctx, []*store.CustomerRecord{r})
}

// saveMany stores customers as change makes the one at an index, in as many batches as it takes.
func (f *fixture) saveMany(t testing.TB, s store.Scope, ids []string, change func(i int, r *store.CustomerRecord)) {
	t.Helper()
	const most = 2000
	for from := 0; from < len(ids); from += most {
		f.update(t, func(tx *store.Tx) error {
			if _, err := tx.Workspaces(f.ctx, []store.Scope{s}); err != nil {
				return err
			}
			var keys []store.CustomerKey
			for _, id := range ids[from:min(from+most, len(ids))] {
				keys = append(keys, customer(s, id))
			}
			records, err := tx.Customers(f.ctx, keys)
			if err != nil {
				return err
			}
			save := make([]*store.CustomerRecord, 0, len(keys))
			for i, key := range keys {
				r := records[key]
				r.State, r.EvaluatedAt = []byte(`{}`), start
				change(from+i, r)
				r.Evaluation.ModelVersion = "prior-1"
				save = append(save, r)
			}
			return tx.SaveCustomers(f.ctx, save)
		})
	}
}

func customer(s store.Scope, id string) store.CustomerKey {
	return store.CustomerKey{Scope: s, Customer: id}
}

// atRisk is an evaluation inside the at-risk segment.
func atRisk(tier scoring.Tier, score int, mrr float64) scoring.Evaluation {
	return scoring.Evaluation{Tier: tier, Score: score, MRR: mrr, P30: float64(score) / 100, Currency: "usd", Segment: true,
		Terms: []scoring.Term{{Name: "open_dunning", Label: "Payment failed", LogOdds: 1.9, Evidence: []string{"evt_1"}}}}
}

func failed(customer, id string, created int64) signal.Signal {
	return signal.Signal{ID: id, EventID: id, Kind: signal.PaymentFailed, Created: created, Provenance: signal.FromEvent,
		Customer: customer, Invoice: &signal.Invoice{ID: "in_" + id, AttemptCount: 1, Currency: "usd", AmountDue: 4900}}
}

func person(customer, id string, created int64, email, name string) signal.Signal {
	return signal.Signal{ID: id, EventID: id, Kind: signal.CustomerUpdated, Created: created, Provenance: signal.FromEvent,
		Customer: customer, Person: &signal.Person{Email: email, Name: name, ProfileID: "profile-7", CustomerCreated: 1600000000}}
}

func names(n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}
