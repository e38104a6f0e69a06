package stripesim

import (
	"slices"
	"testing"
)

// The demonstration lets one customer fail twice and expects it first. So at End nobody with an unpaid invoice may have
// failed twice within the model's two weeks, counted back from a failure of the last four.
func TestNobodyHasFailedTwiceAtTheEnd(t *testing.T) {
	end := present.Unix()
	open := 0
	for seed := range uint64(30) {
		a := generate(seed, 200)
		failures := map[*customer][]int64{}
		for _, c := range a.charges.all {
			if c.failed {
				failures[c.invoice.sub.customer] = append(failures[c.invoice.sub.customer], c.created)
			}
		}
		for _, inv := range a.invoices.all {
			if inv.status != "open" || !inv.sub.live() {
				continue
			}
			open++
			at := failures[inv.sub.customer]
			slices.Sort(at)
			last := at[len(at)-1]
			recent := slices.IndexFunc(at, func(f int64) bool { return f >= last-14*day })
			if last >= end-28*day && len(at)-recent > 1 {
				t.Errorf("seed %d: %s has failed %d times in two weeks", seed, inv.sub.customer.id, len(at)-recent)
			}
		}
	}
	if open == 0 {
		t.Error("no invoice is open at the end of thirty accounts: the test has looked at nothing")
	}
}
