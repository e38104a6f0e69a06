package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

// BenchmarkTop50 is the dashboard's first page of 100,000 customers, a fifth of them at risk, with names unsealed.
func BenchmarkTop50(b *testing.B) {
	f := newSQLite(b)
	f.crowd(b, 100_000)
	for b.Loop() {
		page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Limit: 50})
		if err != nil || len(page.Rows) != 50 || page.Rows[0].Email == "" {
			b.Fatal(err, len(page.Rows))
		}
	}
}

// BenchmarkLastPage starts deep in the list: it must cost what the first page costs.
func BenchmarkLastPage(b *testing.B) {
	f := newSQLite(b)
	f.crowd(b, 100_000)
	q := store.AtRiskQuery{Limit: 500}
	for {
		page, err := f.AtRisk(f.ctx, "acme/prod", q)
		NewWithT(b).Expect(err).NotTo(HaveOccurred())
		if page.Next == "" {
			break
		}
		q.After = page.Next
	}
	q.Limit = 50
	for b.Loop() {
		if _, err := f.AtRisk(f.ctx, "acme/prod", q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCounts is the head of every page.
func BenchmarkCounts(b *testing.B) {
	f := newSQLite(b)
	f.crowd(b, 100_000)
	for b.Loop() {
		if c, err := f.Counts(f.ctx, "acme/prod"); err != nil || c.Customers != 100_000 {
			b.Fatal(err, c)
		}
	}
}

// crowd stores n customers of which every fifth is at risk.
func (f *fixture) crowd(b *testing.B, n int) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	tiers := []scoring.Tier{scoring.Normal, scoring.Normal, scoring.Leaving, scoring.Critical}
	for from := 0; from < n; from += 2000 {
		f.update(b, func(tx *store.Tx) error {
			if _, err := tx.Workspaces(f.ctx, []store.Scope{acme}); err != nil {
				return err
			}
			var keys []store.CustomerKey
			for i := from; i < min(n, from+2000); i++ {
				keys = append(keys, customer(acme, fmt.Sprintf("cus_%06d", i)))
			}
			records, err := tx.Customers(f.ctx, keys)
			if err != nil {
				return err
			}
			save := make([]*store.CustomerRecord, 0, len(keys))
			for i, key := range keys {
				r := records[key]
				r.State = make([]byte, 600)
				r.Evaluation = atRisk(tiers[random.IntN(len(tiers))], 60+random.IntN(38), float64(random.IntN(90000)))
				r.Evaluation.Segment, r.Evaluation.ModelVersion = i%5 == 0, "prior-1"
				r.EvaluatedAt, r.Evaluation.NextChangeAt = start, start.Add(1)
				r.Observe(signal.Signal{ID: "evt_1", Kind: signal.CustomerUpdated, Created: 1,
					Person: &signal.Person{Email: key.Customer + "@example.com", Name: "A Name"}})
				save = append(save, r)
			}
			return tx.SaveCustomers(f.ctx, save)
		})
	}
}
