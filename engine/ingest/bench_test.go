package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
)

// BenchmarkBatch processes full batches on SQLite, synced to disk: new signals of 5,000 customers that already have a
// history, in the order in which they happened.
func BenchmarkBatch(b *testing.B) {
	engine := newBench(b)
	const customers = 5000
	n := 0
	batch := func() []item {
		out := make([]item, maxBatch)
		for i := range out {
			id := fmt.Sprintf("cus_%d", n%customers)
			round := n / customers
			s := failed(id, fmt.Sprintf("evt_%d", n), fmt.Sprintf("in_%s_%d", id, round), 1, 200-float64(round)/10)
			if round%2 == 1 {
				s.Kind, s.Invoice.AmountPaid, s.Invoice.ID = signal.PaymentSucceeded, 4900, fmt.Sprintf("in_%s_%d", id, round-1)
			}
			out[i] = item{Message: message(s), attempt: 1, live: true, delivery: silent{}}
			n++
		}
		return out
	}
	for range 4 * customers / maxBatch {
		engine.handle(engine.ctx, batch())
	}
	b.ResetTimer()
	for range b.N {
		engine.handle(engine.ctx, batch())
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N*maxBatch)/b.Elapsed().Seconds(), "signals/s")
	if got := engine.counted(b, scored); got != n {
		b.Fatalf("%d of %d signals were scored", got, n)
	}
}

// BenchmarkOneMessage is the cost of a live event that comes alone.
func BenchmarkOneMessage(b *testing.B) {
	engine := newBench(b)
	n := 0
	for b.Loop() {
		n++
		engine.deliver(message(failed("cus_1", fmt.Sprintf("evt_%d", n), "in_1", n, float64(-n)/86400)))
	}
}

// BenchmarkDuplicates is a stream that was seen before.
func BenchmarkDuplicates(b *testing.B) {
	engine := newBench(b)
	var messages []bus.Message
	for i := range maxBatch {
		messages = append(messages, message(failed(fmt.Sprintf("cus_%d", i), fmt.Sprintf("evt_%d", i), "in_1", 1, 1)))
	}
	engine.deliver(messages...)
	for b.Loop() {
		engine.deliver(messages...)
	}
	b.ReportMetric(float64(b.N*maxBatch)/b.Elapsed().Seconds(), "signals/s")
}

// BenchmarkMatching processes full batches of new identities in a workspace of 100,000 profiles, half of which match.
func BenchmarkMatching(b *testing.B) {
	engine := newBench(b)
	var file strings.Builder
	file.WriteString("profile_id,email\n")
	for i := range 100_000 {
		fmt.Fprintf(&file, "p%d,somebody@company-%d.example\n", i, i)
	}
	if _, err := engine.Import(engine.ctx, workspace, strings.NewReader(file.String()), matching.CSV); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		batch := make([]item, maxBatch)
		for i := range batch {
			n++
			s := about(fmt.Sprintf("cus_%d", n), fmt.Sprintf("evt_%d", n), fmt.Sprintf("somebody@company-%d.example", 2*n), 1)
			batch[i] = item{Message: message(s), attempt: 1, live: true, delivery: silent{}}
		}
		engine.handle(engine.ctx, batch)
	}
	b.ReportMetric(float64(b.N*maxBatch)/b.Elapsed().Seconds(), "customers/s")
}

type silent struct{}

func (silent) Ack() error                { return nil }
func (silent) Drop() error               { return nil }
func (silent) Retry(time.Duration) error { return nil }
