package store_test

import (
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// lived lets three customers of each of three currencies change their tier every day for 400 days, beside a crowd.
func lived(b *testing.B, crowd int) *fixture {
	b.Helper()
	f := newSQLite(b)
	f.crowd(b, crowd)
	tiers := []scoring.Tier{scoring.Critical, scoring.Leaving, scoring.Normal}
	for day := range 400 {
		f.clock.SetTime(start.Add(time.Duration(day) * oneDay))
		f.update(b, func(tx *store.Tx) error {
			for i, currency := range []string{"eur", "gbp", "usd"} {
				for n := range tiers {
					e := atRisk(tiers[(n+day)%3], 60+day%30, 4900)
					e.Currency = currency
					if err := f.put(tx, customer(acme, "cus_trend_"+currency+string(rune('a'+n+i))), e); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	return f
}

// BenchmarkTrend is the at-risk segment over 400 days, in three tiers and three currencies. What it reads grows with the
// days and not with the customers.
func BenchmarkTrend(b *testing.B) {
	f := lived(b, 100_000)
	for b.Loop() {
		trend, err := f.Trend(f.ctx, "acme/prod", 400)
		if err != nil || len(trend.Days) != 400 || len(trend.Days[399].MRR) != 3 {
			b.Fatal(err, len(trend.Days))
		}
	}
}

// BenchmarkScoreHistory is one customer's score over 400 days.
func BenchmarkScoreHistory(b *testing.B) {
	f := lived(b, 10_000)
	for b.Loop() {
		h, err := f.ScoreHistory(f.ctx, "acme/prod", "cus_trend_eura", 400)
		if err != nil || len(h.Points) != 400 {
			b.Fatal(err, len(h.Points))
		}
	}
}

// BenchmarkClaim is one claim of deliveries beside 100,000 settled ones and a receiver that has failed for 10,000 customers.
func BenchmarkClaim(b *testing.B) {
	f := newSQLite(b)
	fill := func(n int, endpoint string) {
		f.update(b, func(tx *store.Tx) error {
			if _, err := tx.Workspaces(f.ctx, []store.Scope{acme}); err != nil {
				return err
			}
			all := make([]store.Delivery, n)
			for i, id := range names(n, "cus_%d") {
				all[i] = store.Delivery{Scope: acme, Customer: id, Endpoint: endpoint, MessageID: id, EventType: "score.changed", Body: make([]byte, 700)}
			}
			return tx.Enqueue(f.ctx, all)
		})
	}
	fill(10_000, "down")
	f.clock.SetTime(start.Add(time.Second))
	fill(64, "up")
	for b.Loop() {
		claimed, _, err := f.ClaimDeliveries(f.ctx, 4, 0, []string{"down"})
		if err != nil || len(claimed) != 4 {
			b.Fatal(err, len(claimed))
		}
	}
}
