package model

import (
	"fmt"
	"runtime"
	"testing"
)

// BenchmarkLook is a whole look at a workspace's history, as at night: the panel is laid out, weights are fitted and tested,
// and the intercept is fitted. What the panel holds in memory is given beside.
func BenchmarkLook(b *testing.B) {
	for _, n := range []int{1000, 20000} {
		people := mild(1).populate(n)
		b.Run(fmt.Sprintf("panel/customers=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var p *Panel
			before := heap()
			for b.Loop() {
				p = panelOf(people)
			}
			b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-held")
			b.ReportMetric(float64(p.Rows()), "rows")
		})
		p := panelOf(people)
		b.Run(fmt.Sprintf("decide/customers=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Decide(p, Current{}, true, 1)
			}
		})
		b.Run(fmt.Sprintf("intercept/customers=%d", n), func(b *testing.B) {
			for b.Loop() {
				p.fitIntercept(p.all(), prior().weights)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
