package scale_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

const (
	// outstanding is how many consents wait for the operator at most: a code is good for five minutes.
	outstanding = 1000
	// lookEvery is after how many connections the operator is asked how many are ready: telling costs it, too.
	lookEvery = 100
	// restSettle and restWatch are how long the operator is left alone, and then watched. One regular pace of probes.
	restSettle = 20 * time.Second
	restWatch  = 5 * time.Minute
	// briefWatch is enough to try the benchmark itself with few connections.
	briefWatch = 20 * time.Second
	newcomers  = 20
)

// number is what a variable of the environment sets, between 1 and most.
func number(b *testing.B, name string, otherwise, most int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		b.Fatalf("%s=%q is no number from 1 to %d", name, text, most)
	}
	return n
}

// BenchmarkConnections tells what one operator costs with 10,000 connections (KUSTIQ_SCALE_CONNECTIONS for another
// number) over two regions and both modes, which are four platforms (KUSTIQ_SCALE_PLATFORMS for fewer). It takes about a quarter of an hour.
func BenchmarkConnections(b *testing.B) {
	n := number(b, "KUSTIQ_SCALE_CONNECTIONS", 10_000, 99_999)
	w := newWorld(b)
	w.platforms = number(b, "KUSTIQ_SCALE_PLATFORMS", 4, 4)
	w.watch = restWatch
	if n < 1000 {
		w.watch = briefWatch
	}
	o := w.startOperator()
	b.ResetTimer()

	began := time.Now()
	w.connectAll(n, o)
	b.ReportMetric(time.Since(began).Seconds(), "s-to-all-ready")
	b.ReportMetric(float64(w.stripe.peak(began)), "most-calls/s/platform")
	b.ReportMetric(o.read("process_resident_memory_bytes", nil)/(1<<20), "MiB-resident-after-connecting")
	w.rest(o, "")
	w.welcome(n)
	w.spread()

	o.stop()
	restarted := time.Now()
	o = w.startOperator()
	w.waitProbed(n, o)
	b.ReportMetric(time.Since(restarted).Seconds(), "s-to-all-probed-after-restart")
	b.ReportMetric(float64(w.stripe.peak(restarted)), "most-calls/s/platform-after-restart")
	w.rest(o, "-after-restart")
}

// connectAll declares n connections and lets their owners agree as fast as the operator redeems.
func (w *world) connectAll(n int, o *operator) {
	w.b.Helper()
	ctx := w.b.Context()
	told := time.Now()
	for i := range n {
		c, err := w.declare(ctx, i)
		w.must(err)
		w.must(w.consent(ctx, c))
		for i%lookEvery == 0 && i-int(w.ready(o)) > outstanding {
			time.Sleep(time.Second)
		}
		if time.Since(told) > 15*time.Second {
			told = time.Now()
			fmt.Fprintf(os.Stderr, "  %d of %d connections declared, %.0f ready\n", i+1, n, w.ready(o))
		}
	}
	for w.ready(o) < float64(n) {
		time.Sleep(time.Second)
	}
}

func (w *world) ready(o *operator) float64 {
	return o.read("kustiq_connections", map[string]string{"ready": "True"})
}

// rest leaves the operator alone and tells what it does then.
func (w *world) rest(o *operator, when string) {
	w.b.Helper()
	time.Sleep(restSettle)
	from := time.Now()
	cpu, writes := o.read("process_cpu_seconds_total", nil), o.writes()
	heap := 0.0
	for time.Since(from) < w.watch {
		heap = max(heap, o.read("go_memstats_heap_inuse_bytes", nil))
		time.Sleep(5 * time.Second)
	}
	w.b.ReportMetric(100*(o.read("process_cpu_seconds_total", nil)-cpu)/time.Since(from).Seconds(), "%-of-a-core-at-rest"+when)
	w.b.ReportMetric(o.writes()-writes, "API-writes-at-rest"+when)
	w.b.ReportMetric(heap/(1<<20), "MiB-heap"+when)
	w.b.ReportMetric(o.read("process_resident_memory_bytes", nil)/(1<<20), "MiB-resident"+when)
	w.b.ReportMetric(float64(w.stripe.peak(from)), "most-calls/s/platform-at-rest"+when)
}

// welcome times new connections, from their creation to Ready, while all others are there.
func (w *world) welcome(n int) {
	w.b.Helper()
	ctx := w.b.Context()
	var took []time.Duration
	for i := range newcomers {
		began := time.Now()
		c, err := w.declare(ctx, n+i)
		w.must(err)
		w.must(w.consent(ctx, c))
		for !meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady) {
			time.Sleep(20 * time.Millisecond)
			w.must(w.k8s.Get(ctx, client.ObjectKeyFromObject(c), c))
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	w.b.ReportMetric(took[len(took)/2].Seconds(), "s-median-new-to-ready")
	w.b.ReportMetric(took[len(took)-1].Seconds(), "s-most-new-to-ready")
}

// spread tells how many rotations fall into the busiest minute.
func (w *world) spread() {
	w.b.Helper()
	var all v1alpha1.StripeConnectionList
	w.must(w.k8s.List(w.b.Context(), &all))
	minutes := map[int64]int{}
	most := 0
	first, last := time.Time{}, time.Time{}
	for i := range all.Items {
		due := all.Items[i].Status.Token.NextRotation
		if due == nil {
			continue
		}
		minutes[due.Unix()/60]++
		most = max(most, minutes[due.Unix()/60])
		if first.IsZero() || due.Time.Before(first) {
			first = due.Time
		}
		if due.After(last) {
			last = due.Time
		}
	}
	w.b.ReportMetric(float64(most), "rotations-in-the-busiest-minute")
	w.b.ReportMetric(last.Sub(first).Minutes(), "min-over-which-rotations-fall")
}

// waitProbed waits until the operator has asked Stripe for every account.
func (w *world) waitProbed(n int, o *operator) {
	w.b.Helper()
	for o.read("kustiq_stripe_requests_total", map[string]string{"resource": "account", "status_class": "2xx"}) < float64(n) {
		time.Sleep(time.Second)
	}
}
