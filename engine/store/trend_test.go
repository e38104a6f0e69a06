package store_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

const oneDay = 24 * time.Hour

// testTrend follows three customers over some days.
func testTrend(t *testing.T, f *fixture) {
	g := NewWithT(t)
	trend := func(days int) []store.TrendDay {
		got, err := f.Trend(f.ctx, "acme/prod", days)
		g.Expect(err).NotTo(HaveOccurred())
		return got.Days
	}
	midnight := start.Truncate(oneDay)
	g.Expect(trend(90)).To(BeEmpty(), "nothing was ever received")

	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 4900))
	f.save(t, customer(acme, "cus_2"), atRisk(scoring.Normal, 70, 1000.5))
	euros := atRisk(scoring.Leaving, 89, 2000)
	euros.Currency = "eur"
	f.save(t, customer(acme, "cus_3"), euros)
	f.save(t, customer(rival, "cus_1"), atRisk(scoring.Critical, 95, 777))
	f.save(t, customer(acmeTest, "cus_1"), atRisk(scoring.Critical, 95, 888))
	first := store.TrendDay{Day: midnight, Critical: 1, Leaving: 1, Normal: 1, MRR: map[string]int64{"usd": 5901, "eur": 2000}}
	g.Expect(first.AtRisk()).To(Equal(3))
	g.Expect(trend(90)).To(Equal([]store.TrendDay{first}))

	f.clock.SetTime(start.Add(3 * oneDay))
	recovered := atRisk(scoring.Normal, 38, 1000.5)
	recovered.Segment = false
	f.save(t, customer(acme, "cus_2"), recovered)
	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 96, 4900)) // changes no sum
	now := store.TrendDay{Critical: 1, Leaving: 1, MRR: map[string]int64{"usd": 4900, "eur": 2000}}
	on := func(d store.TrendDay, day int) store.TrendDay {
		d.Day = midnight.Add(time.Duration(day) * oneDay)
		return d
	}
	g.Expect(trend(90)).To(Equal([]store.TrendDay{first, on(first, 1), on(first, 2), on(now, 3)}), "days between stand as before")

	f.clock.SetTime(start.Add(5 * oneDay))
	g.Expect(trend(2)).To(Equal([]store.TrendDay{on(now, 4), on(now, 5)}), "what began before still stands")
	counts, err := f.Counts(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(counts).To(Equal(store.Counts{Customers: 3, AtRisk: 2, Critical: 1}))
	page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Tier: "Leaving"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Total).To(Equal(1))

	_, err = f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(trend(90)).To(BeEmpty())
	other, err := f.Trend(f.ctx, "rival/prod", 1)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(other).To(Equal(store.Trend{Livemode: true, Days: []store.TrendDay{
		on(store.TrendDay{Critical: 1, MRR: map[string]int64{"usd": 777}}, 5)}}))
}

func testScoreHistory(t *testing.T, f *fixture) {
	g := NewWithT(t)
	midnight := start.Truncate(oneDay)
	point := func(day, score int) store.ScorePoint {
		return store.ScorePoint{Day: midnight.Add(time.Duration(day) * oneDay), Score: score, Tier: "Normal", P30: float64(score) / 100}
	}
	history := func(workspace string, days int) []store.ScorePoint {
		h, err := f.ScoreHistory(f.ctx, workspace, "cus_1", days)
		g.Expect(err).NotTo(HaveOccurred())
		return h.Points
	}
	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Normal, 65, 0))
	f.clock.SetTime(start.Add(2 * oneDay))
	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Normal, 70, 0))
	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Normal, 80, 0))
	f.clock.SetTime(start.Add(4 * oneDay))
	g.Expect(history("acme/prod", 90)).To(Equal([]store.ScorePoint{point(0, 65), point(1, 65), point(2, 80), point(3, 80), point(4, 80)}))
	g.Expect(history("acme/prod", 4)).To(Equal([]store.ScorePoint{point(1, 65), point(2, 80), point(3, 80), point(4, 80)}))
	g.Expect(history("acme/prod", 1)).To(Equal([]store.ScorePoint{point(4, 80)}))
	for _, elsewhere := range []string{"rival/prod", "acme/prod' OR '1'='1"} {
		_, err := f.ScoreHistory(f.ctx, elsewhere, "cus_1", 90)
		g.Expect(err).To(MatchError(store.ErrNotFound))
	}
	_, err := f.ScoreHistory(f.ctx, "acme/prod", "cus_2", 90)
	g.Expect(err).To(MatchError(store.ErrNotFound))
}
