package store_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/test/postgres"
)

// sized is how many there are of something, by an environment variable.
func sized(b *testing.B, variable string, otherwise int) int {
	b.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	NewWithT(b).Expect(err).NotTo(HaveOccurred(), variable)
	return n
}

// onBoth runs a benchmark on SQLite and, where there is a server, on PostgreSQL.
func onBoth(b *testing.B, run func(b *testing.B, f *fixture)) {
	b.Run("SQLite", func(b *testing.B) { run(b, newSQLite(b)) })
	b.Run("PostgreSQL", func(b *testing.B) {
		base := os.Getenv("DATABASE_URL")
		if base == "" {
			var why string
			if base, why = postgres.Start(b, true); base == "" {
				b.Skip(why)
			}
		}
		run(b, newPostgres(b, base))
	})
}

// BenchmarkAtRisk reads pages of 50 with names unsealed: the first and the last one, filtered ones, and what a search
// finds. Of KUSTIQ_BENCH_CUSTOMERS (100,000) customers a fifth is at risk.
func BenchmarkAtRisk(b *testing.B) {
	onBoth(b, func(b *testing.B, f *fixture) {
		n := sized(b, "KUSTIQ_BENCH_CUSTOMERS", 100_000)
		f.crowd(b, n)
		for _, c := range []struct {
			name string
			q    store.AtRiskQuery
			rows int
		}{
			{"first page", store.AtRiskQuery{}, 50},
			{"page in the middle", store.AtRiskQuery{After: f.middle(b)}, 50},
			{"a tier", store.AtRiskQuery{Tier: "Normal"}, 50},
			{"yearly above 500", store.AtRiskQuery{Interval: store.Yearly, MinMRR: 50_000}, 50},
			{"a rare reason", store.AtRiskQuery{Reason: "dispute"}, 1},
			{"search a common word", store.AtRiskQuery{Search: "gmbh"}, 50},
			{"search one name", store.AtRiskQuery{Search: fmt.Sprint("Kunde ", n/2)}, 1},
			{"search an address", store.AtRiskQuery{Search: fmt.Sprintf("cus_%06d@example.com", n/2)}, 1},
			{"search an id", store.AtRiskQuery{Search: fmt.Sprintf("cus_%06d", n/2)}, 1},
		} {
			b.Run(c.name, func(b *testing.B) {
				c.q.Limit = 50
				for b.Loop() {
					page, err := f.AtRisk(f.ctx, "acme/prod", c.q)
					if err != nil || len(page.Rows) < c.rows || page.Rows[0].Email == "" {
						b.Fatal(err, len(page.Rows))
					}
				}
			})
		}
		b.Run("counts", func(b *testing.B) {
			for b.Loop() {
				if c, err := f.Counts(f.ctx, "acme/prod"); err != nil || c.Customers != n {
					b.Fatal(err, c)
				}
			}
		})
	})
}

// middle is a cursor far down the list: a page must cost there what the first one costs.
func (f *fixture) middle(b *testing.B) (after string) {
	for range 20 {
		page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Limit: 500, After: after})
		NewWithT(b).Expect(err).NotTo(HaveOccurred())
		after = page.Next
	}
	return after
}

// BenchmarkImport takes in a CSV file of KUSTIQ_BENCH_PROFILES (100,000) profiles and applies it.
func BenchmarkImport(b *testing.B) {
	onBoth(b, func(b *testing.B, f *fixture) {
		n := sized(b, "KUSTIQ_BENCH_PROFILES", 100_000)
		for b.Loop() {
			b.StopTimer()
			_, err := f.DeleteProfiles(f.ctx, "acme/prod")
			NewWithT(b).Expect(err).NotTo(HaveOccurred())
			runtime.GC()
			b.StartTimer()
			peak := f.importFile(b, n)
			b.ReportMetric(float64(peak)/(1<<20), "MiB-heap-peak")
		}
		b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "profiles/s")
	})
}

// importFile returns the most memory that the heap took.
func (f *fixture) importFile(b *testing.B, n int) (peak uint64) {
	b.Helper()
	g := NewWithT(b)
	out, in := io.Pipe()
	go func() {
		w := bufio.NewWriter(in)
		fmt.Fprintln(w, "profile_id,email,domain")
		for i := range n {
			fmt.Fprintf(w, "p-%07d,somebody@company-%d.example,\n", i, i)
		}
		_ = in.CloseWithError(w.Flush())
	}()
	reader, err := matching.NewReader(out, matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	measured := &measured{from: reader}
	staged, err := f.StageProfiles(f.ctx, "acme/prod", measured)
	g.Expect(err).NotTo(HaveOccurred())
	for more := true; more; {
		more, err = f.ApplyImports(f.ctx)
		g.Expect(err).NotTo(HaveOccurred())
		measured.look()
	}
	g.Expect(f.ProfileImport(f.ctx, "acme/prod", staged.ID)).To(HaveField("Added", int64(n)))
	return measured.peak
}

// measured looks at the heap while profiles are read.
type measured struct {
	from store.ProfileSource
	read int
	peak uint64
}

func (m *measured) Next() (matching.Profile, int, error) {
	if m.read++; m.read%2000 == 0 {
		m.look()
	}
	return m.from.Next()
}

func (m *measured) look() {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	m.peak = max(m.peak, sample[0].Value.Uint64())
}

// crowd stores n customers of which every fifth is at risk.
func (f *fixture) crowd(b *testing.B, n int) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 1))
	tiers := []scoring.Tier{scoring.Normal, scoring.Normal, scoring.Leaving, scoring.Critical}
	f.saveMany(b, acme, names(n, "cus_%06d"), func(i int, r *store.CustomerRecord) {
		r.State = make([]byte, 600)
		r.Evaluation = atRisk(tiers[random.IntN(len(tiers))], 60+random.IntN(38), float64(random.IntN(90000)))
		r.Evaluation.Segment = i%5 == 0
		r.Evaluation.IntervalMonths, r.TopTerm = []float64{1, 1, 1, 12, 3}[random.IntN(5)], "open_dunning"
		if random.IntN(100) == 0 {
			r.TopTerm = "dispute"
		}
		r.Evaluation.NextChangeAt = start.Add(1)
		r.Observe(signal.Signal{ID: "evt_1", Kind: signal.CustomerUpdated, Created: 1,
			Person: &signal.Person{Email: r.Customer + "@example.com", Name: fmt.Sprintf("Kunde %d %d GmbH", i%10, i)}})
	})
}
