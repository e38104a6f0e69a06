// Package throughput_test measures the way of events through the receiver, the bus and the engine, with the load coming
// from a process of its own over loopback.
package throughput_test

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/test/measure"
	"github.com/kustiq/kustiq/test/postgres"
)

const (
	connections = 512
	accounts    = 50
	// bulk is how many events are sent as fast as they are taken.
	bulk = 100_000
	// visibleEvery is how often a score is looked for.
	visibleEvery = 5 * time.Millisecond
)

// BenchmarkNullHandler is what a receiver could do at best: it reads and verifies.
func BenchmarkNullHandler(b *testing.B) {
	w := newWorld(b)
	done := w.send(w.serve(http.HandlerFunc(w.null)), bulk, 0, 0)
	measure.Report(b, map[string]float64{"events/s": bulk / done.Seconds, "ms-p50": done.Ms50, "ms-p99": done.Ms99})
}

// BenchmarkAcknowledge is the receiver and the bus: durable events, without an engine.
func BenchmarkAcknowledge(b *testing.B) {
	w := newWorld(b)
	w.startReceiver()
	before := allocated()
	done := w.send(w.receiver, bulk, 0, 0)
	measure.Report(b, map[string]float64{
		"events/s": bulk / done.Seconds, "ms-p50": done.Ms50, "ms-p99": done.Ms99,
		"bytes-allocated/event": (allocated() - before) / bulk,
	})
}

// BenchmarkScore is the whole way, from the first event sent to the last one's score.
func BenchmarkScore(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		w := newWorld(b)
		w.startEngine(w.sqlite())
		w.score(b)
	})
	b.Run("postgres", func(b *testing.B) {
		dsn, why := postgres.Start(b, true)
		if dsn == "" {
			b.Skip(why)
		}
		w := newWorld(b)
		w.startEngine(dsn)
		w.score(b)
	})
}

func (w *world) score(b *testing.B) {
	w.startReceiver()
	done := w.send(w.receiver, bulk, 0, 0)
	for w.scored() < bulk {
		time.Sleep(visibleEvery)
	}
	took := time.Since(time.Unix(0, done.Began)).Seconds()
	measure.Report(b, map[string]float64{"scored-events/s": bulk / took, "acknowledged-events/s": bulk / done.Seconds})
}

// BenchmarkLatency is the time from when an event is due at Stripe's side to its score being visible to a reader of the
// store, at a steady rate. One event in ten is looked for, every 5 ms.
func BenchmarkLatency(b *testing.B) {
	for _, perSecond := range []float64{500, 2000} {
		b.Run(strconv.Itoa(int(perSecond)), func(b *testing.B) {
			w := newWorld(b)
			w.startEngine(w.sqlite())
			w.startReceiver()
			seen := w.watch(int(20*perSecond), 10, perSecond)
			done := w.send(w.receiver, int(20*perSecond), perSecond, 10)
			took := seen(done)
			measure.Report(b, map[string]float64{
				"ms-p50-visible": percentile(took, 50), "ms-p99-visible": percentile(took, 99),
				"ms-p50-acknowledged": done.Ms50, "ms-p99-acknowledged": done.Ms99,
			})
		})
	}
}

// BenchmarkQueue is the memory that a bus takes with a million signals waiting.
func BenchmarkQueue(b *testing.B) {
	const queued, page = 1_000_000, 1000
	w := newWorld(b)
	began := time.Now()
	messages := make([]bus.Message, page)
	for n := 0; n < queued; n += page {
		for i := range messages {
			id := fmt.Sprint("evt_", n+i)
			messages[i] = bus.Message{
				Workspace: "ns/w" + strconv.Itoa(n/page%accounts), Connection: "uid", Account: "acct_1", Livemode: true, EventID: id,
				EventType: "invoice.payment_failed", Created: 1_700_000_000, Signals: []signal.Signal{{
					ID: id, EventID: id, Kind: signal.PaymentFailed, Created: 1_700_000_000, Provenance: signal.FromEvent, Customer: "cus_1",
					Invoice: &signal.Invoice{ID: "in_" + id, Currency: "eur", AttemptCount: 1, AmountDue: 4900},
				}},
			}
		}
		w.must(w.bus.PublishBackfill(b.Context(), messages))
	}
	took := time.Since(began).Seconds()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	measure.Report(b, map[string]float64{"MiB-heap": float64(m.HeapInuse) / (1 << 20), "published/s": queued / took})
}

func allocated() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.TotalAlloc)
}

// watch looks for the scores of the events that have a customer of their own; call the result when all are sent.
func (w *world) watch(events, sample int, perSecond float64) func(loaded) []time.Duration {
	type sight struct {
		n  int
		at time.Time
	}
	sights := make(chan sight, events)
	go func() {
		began := <-w.began
		ticker := time.NewTicker(visibleEvery)
		defer ticker.Stop()
		open := map[int]bool{}
		for next := 0; next < events || len(open) > 0; {
			at := <-ticker.C
			for ; next < events && at.After(began.Add(time.Duration(float64(next)/perSecond*float64(time.Second)))); next += sample {
				open[next] = true
			}
			for n := range open {
				if _, err := w.store.Customer(w.b.Context(), workspaceOf(n%accounts), fmt.Sprintf("cus_sample_%d", n)); err == nil {
					sights <- sight{n, time.Now()}
					delete(open, n)
				}
			}
		}
		close(sights)
	}()
	return func(done loaded) (took []time.Duration) {
		for s := range sights {
			due := time.Unix(0, done.Began).Add(time.Duration(float64(s.n) / perSecond * float64(time.Second)))
			took = append(took, s.at.Sub(due))
		}
		slices.Sort(took)
		return took
	}
}
