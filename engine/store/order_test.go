package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// testOrder compares paging through the table with sorting everything by the score's own order.
func testOrder(t *testing.T, f *fixture) {
	g := NewWithT(t)
	random := rand.New(rand.NewPCG(1, 2))
	tiers := []scoring.Tier{scoring.Critical, scoring.Leaving, scoring.Normal, scoring.Churned, scoring.Unscored}
	var expected []scoring.Ranked
	f.update(t, func(tx *store.Tx) error {
		for _, i := range random.Perm(400) {
			e := atRisk(tiers[random.IntN(len(tiers))], 60+random.IntN(6), float64(random.IntN(4))*333.3333333333333)
			e.Segment = (e.Tier == scoring.Critical || e.Tier == scoring.Leaving || e.Tier == scoring.Normal) && random.IntN(4) > 0
			id := fmt.Sprintf("cus_%c%d", "aAzZ_"[random.IntN(5)], i)
			if err := f.put(tx, customer(acme, id), e); err != nil {
				return err
			}
			if e.Segment {
				expected = append(expected, scoring.Ranked{Customer: id, Tier: e.Tier, Score: e.Score, MRR: e.MRR})
			}
		}
		return nil
	})
	slices.SortFunc(expected, func(a, b scoring.Ranked) int {
		if scoring.Less(a, b) {
			return -1
		}
		return 1
	})

	for _, limit := range []int{1, 7, 500} {
		g.Expect(f.all(t, store.AtRiskQuery{Limit: limit}, len(expected))).To(Equal(expected), "pages of %d", limit)
	}
	var leaving []scoring.Ranked
	for _, r := range expected {
		if r.Tier == scoring.Leaving {
			leaving = append(leaving, r)
		}
	}
	g.Expect(f.all(t, store.AtRiskQuery{Limit: 5, Tier: "Leaving"}, len(leaving))).To(Equal(leaving))
}

// all follows the pages to their end.
func (f *fixture) all(t testing.TB, q store.AtRiskQuery, total int) (out []scoring.Ranked) {
	t.Helper()
	g := NewWithT(t)
	for {
		page, err := f.AtRisk(f.ctx, "acme/prod", q)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(page.Total).To(Equal(total))
		g.Expect(len(page.Rows)).To(BeNumerically("<=", q.Limit))
		for _, r := range page.Rows {
			out = append(out, scoring.Ranked{Customer: r.Customer, Tier: scoring.Tier(r.Tier), Score: r.Score, MRR: r.MRR})
		}
		if q.After = page.Next; q.After == "" {
			return out
		}
	}
}

func testCursors(t *testing.T, f *fixture) {
	g := NewWithT(t)
	for i, id := range names(5, "cus_%d") {
		f.save(t, customer(acme, id), atRisk(scoring.Normal, 70-i, 0))
	}
	page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Limit: 2})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Next).NotTo(BeEmpty())
	g.Expect(page.Livemode).To(BeTrue())
	g.Expect(page.EvaluatedAt).To(Equal(start))
	for _, q := range []store.AtRiskQuery{
		{After: "nonsense"}, {After: "e30"}, {After: page.Next, Tier: "Normal"}, {After: page.Next, Mode: store.ModeTest},
	} {
		_, err := f.AtRisk(f.ctx, "acme/prod", q)
		g.Expect(err).To(MatchError(store.ErrCursor), "%+v", q)
	}

	// A row that changes between two pages neither repeats the others nor hides them.
	f.save(t, customer(acme, "cus_4"), atRisk(scoring.Critical, 99, 0))
	rest, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{After: page.Next})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ids(rest)).To(Equal([]string{"cus_2", "cus_3"}))
	g.Expect(rest.Next).To(BeEmpty())

	// The default is fifty, and nobody gets more than five hundred.
	f.update(t, func(tx *store.Tx) error {
		for _, id := range names(600, "more_%d") {
			if err := f.put(tx, customer(acme, id), atRisk(scoring.Normal, 60, 0)); err != nil {
				return err
			}
		}
		return nil
	})
	for limit, expected := range map[int]int{0: 50, -3: 50, 5000: 500} {
		page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Limit: limit})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(page.Rows).To(HaveLen(expected))
	}
}

func ids(p store.AtRiskPage) []string {
	out := []string{}
	for _, r := range p.Rows {
		out = append(out, r.Customer)
	}
	return out
}

func testDue(t *testing.T, f *fixture) {
	g := NewWithT(t)
	_, ok, err := f.NextDue(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeFalse())

	at := map[string]time.Time{
		"cus_late": start.Add(time.Hour), "cus_first": start.Add(time.Minute), "cus_second": start.Add(2 * time.Minute),
		"cus_never": {}, "cus_fraction": start.Add(3*time.Minute + 100*time.Microsecond),
	}
	for id, next := range at {
		e := atRisk(scoring.Normal, 60, 0)
		e.NextChangeAt = next
		f.save(t, customer(acme, id), e)
	}
	next, ok, err := f.NextDue(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeTrue())
	g.Expect(next).To(Equal(start.Add(time.Minute)))

	due := func(after time.Duration, limit int) (out []string) {
		f.update(t, func(tx *store.Tx) error {
			keys, err := tx.Due(f.ctx, start.Add(after), limit)
			for _, k := range keys {
				g.Expect(k.Scope).To(Equal(acme))
				out = append(out, k.Customer)
			}
			return err
		})
		return out
	}
	g.Expect(due(time.Minute-time.Millisecond, 9)).To(BeEmpty())
	g.Expect(due(time.Minute, 9)).To(Equal([]string{"cus_first"}))
	g.Expect(due(3*time.Minute, 9)).To(Equal([]string{"cus_first", "cus_second"}), "a fraction too early is too early")
	g.Expect(due(3*time.Minute+time.Millisecond, 9)).To(Equal([]string{"cus_first", "cus_second", "cus_fraction"}))
	g.Expect(due(2*time.Hour, 2)).To(Equal([]string{"cus_first", "cus_second"}))
}
