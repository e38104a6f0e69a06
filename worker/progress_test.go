package worker

import (
	"slices"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/bus"
)

// percentOf is what a run shows that has taken up lists from these checkpoints.
func percentOf(lists ...[]bus.Slice) int {
	r := &run{caller: &caller{w: &Worker{clock: clocktesting.NewFakeClock(time.Unix(1_760_000_000, 0))}}}
	for _, stored := range lists {
		r.lists = append(r.lists, &list{slices: newSliced(stored)})
	}
	var p bus.Progress
	r.summarize(&p)
	return p.Percent
}

func TestPercentGoesOnWhereAnEarlierRunWas(t *testing.T) {
	const to, year = int64(1_760_000_000), int64(365 * 86400)
	var objects paging
	for i := range int64(40_000) {
		objects = append(objects, to-i*5*year/40_000)
	}
	one := &list{slices: newSliced([]bus.Slice{{To: to}})}
	requests := 0
	for requests < 160 {
		for _, s := range slices.Clone(one.slices) {
			if s.Done {
				continue
			}
			requests++
			s.page(objects.page(s))
			if parts := one.split(s, 20, 0); parts > 0 {
				var added []*slice
				one.slices, added = one.slices.divide(s, parts)
				one.splits += len(added)
			}
		}
	}
	read := int(one.slices.objects() * 100 / int64(len(objects)))
	stored := one.slices.stored()
	if got := percentOf(stored); got < read-5 || got > read+5 {
		t.Errorf("%d percent at %d", got, read)
	}
	for i := range stored {
		stored[i].Density = 0
	}
	if got := percentOf(stored); got < read-20 || got > read+5 {
		t.Errorf("%d percent at %d by the mean", got, read)
	}
	done := []bus.Slice{{To: to, Objects: 5000, Done: true}}
	if got := percentOf(done, []bus.Slice{{To: to}}); got != 0 {
		t.Errorf("%d percent before a list was looked at", got)
	}
	seconds := []bus.Slice{{To: to, At: to - 9, Cursor: "in_1", Objects: 100}}
	if got := percentOf(done, seconds); got != 0 {
		t.Errorf("%d percent when nothing is known of a list but its last seconds", got)
	}
	if got := percentOf(done, []bus.Slice{{To: to, Done: true}}); got != 99 {
		t.Errorf("%d percent when only the comparison is left", got)
	}
}
