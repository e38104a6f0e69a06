package worker

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
)

// paging answers pages of a list whose objects were created at the given seconds.
type paging []int64 // newest first

func (p paging) page(s *slice) (objects int, last string, newest, oldest int64, more bool) {
	var within []int // indexes
	for i, at := range p {
		if at >= s.From && at <= s.To && (s.Cursor == "" || i > index(s.Cursor)) {
			within = append(within, i)
		}
	}
	more = len(within) > pageSize
	if more {
		within = within[:pageSize]
	}
	if len(within) == 0 {
		return 0, "", 0, 0, false
	}
	first, end := within[0], within[len(within)-1]
	return len(within), cursor(end), p[first], p[end], more
}

func cursor(i int) string { return strconv.Itoa(i) }

func index(c string) int {
	i, _ := strconv.Atoi(c)
	return i
}

// readAll reads a list in as many parts as are allowed, and returns its parts and the requests that took.
func readAll(t *testing.T, p paging, from, to int64, wanted int) (l sliced, requests, rounds int) {
	t.Helper()
	one := &list{slices: newSliced([]bus.Slice{{From: from, To: to}})}
	for ; one.slices.open() > 0; rounds++ {
		for _, s := range slices.Clone(one.slices) {
			if s.Done {
				continue
			}
			requests++
			s.page(p.page(s))
			if parts := one.split(s, wanted, 0); parts > 0 {
				var added []*slice
				one.slices, added = one.slices.divide(s, parts)
				one.splits += len(added)
			}
			if requests > 100_000 {
				t.Fatal("it never ends")
			}
		}
	}
	return one.slices, requests, rounds
}

func TestListsAreReadOnceAndNearlyAsCheaplyAsPossible(t *testing.T) {
	const to = int64(1_760_000_000)
	const year = int64(365 * 86400)
	random := rand.New(rand.NewPCG(4, 4))
	spread := func(n int, span int64) (p paging) {
		for range n {
			p = append(p, to-random.Int64N(span))
		}
		slices.SortFunc(p, func(a, b int64) int { return int(b - a) })
		return p
	}
	grown := func(n int, span int64) (p paging) { // more and more of them
		for range n {
			p = append(p, to-span+int64(float64(span)*max(random.Float64(), random.Float64())))
		}
		slices.SortFunc(p, func(a, b int64) int { return int(b - a) })
		return p
	}
	regular := func(n int, span int64) (p paging) {
		for i := range n {
			p = append(p, to-span*int64(i)/int64(n))
		}
		return p
	}
	same := func(n int) (p paging) {
		for range n {
			p = append(p, to-1000)
		}
		return p
	}
	for name, tc := range map[string]struct {
		objects paging
		from    int64
		// above is how many requests more than the least possible there may be.
		above int
		// rounds that it may take where windows do not help.
		rounds int
	}{
		"empty":                            {nil, 0, 0, 0},
		"one":                              {spread(1, year), 0, 0, 0},
		"a full page":                      {spread(100, year), 0, 0, 0},
		"a page and one":                   {spread(101, year), 0, 0, 0},
		"a few pages":                      {spread(900, year), 0, 1, 0},
		"as many in a month":               {spread(900, year/12), 0, 2, 0},
		"many, over five years":            {spread(60_000, 5*year), 0, 60, 0},
		"some, over five years":            {spread(20_000, 5*year), 0, 20, 24},
		"some, as regular as a clock":      {regular(20_000, 5*year), 0, 20, 24},
		"some in a month":                  {spread(40_000, year/12), to - year/12, 40, 24},
		"many, and more of them":           {grown(60_000, 5*year), 0, 60, 0},
		"many in 90 days":                  {spread(60_000, 90*86400), to - 90*86400, 60, 0},
		"all in one second":                {same(10_000), 0, 10, 100},
		"an import after five quiet years": {append(same(5_000), spread(500, 5*year)...), 0, 6, 60},
	} {
		t.Run(name, func(t *testing.T) {
			slices.SortStableFunc(tc.objects, func(a, b int64) int { return int(b - a) })
			l, requests, rounds := readAll(t, tc.objects, tc.from, to, 40)
			if l.objects() != int64(len(tc.objects)) {
				t.Errorf("%d objects of %d", l.objects(), len(tc.objects))
			}
			if err := prove(l.stored(), tc.from, to); err != nil {
				t.Error(err)
			}
			if stored := l.stored(); len(stored) != 1 {
				t.Errorf("%d parts are kept of what is done", len(stored))
			}
			least := max((len(tc.objects)+pageSize-1)/pageSize, 1)
			if requests-least > tc.above {
				t.Errorf("%d requests, the least is %d", requests, least)
			}
			// Side by side, after a few rounds to find out how much there is.
			if rounds > max(least/40+14, tc.rounds) {
				t.Errorf("%d rounds", rounds)
			}
			t.Logf("%d requests, the least is %d, in %d parts and %d rounds", requests, least, len(l), rounds)
		})
	}
}

func TestPartialReadingsAreNotComplete(t *testing.T) {
	done := func(from, to int64) bus.Slice { return bus.Slice{From: from, To: to, Done: true} }
	for name, parts := range map[string][]bus.Slice{
		"nothing":            nil,
		"not the newest":     {done(0, 90)},
		"not the oldest":     {done(10, 100)},
		"a gap":              {done(60, 100), done(0, 58)},
		"an overlap":         {done(60, 100), done(0, 60)},
		"one without an end": {done(60, 100), {From: 0, To: 59, Cursor: "in_1"}},
	} {
		if prove(parts, 0, 100) == nil {
			t.Errorf("%s is taken for all", name)
		}
	}
	if err := prove([]bus.Slice{done(60, 100), done(0, 59)}, 0, 100); err != nil {
		t.Error(err)
	}
}

func TestTurnsGoToWhoHasTheFewest(t *testing.T) {
	turns := newTurns(4)
	ctx := context.Background()
	for range 4 {
		if err := turns.take(ctx, "large"); err != nil {
			t.Fatal(err)
		}
	}
	order := make(chan string, 8)
	queue := func(key string, n int) {
		for range n {
			waiting := len(turns.waiting)
			go func() {
				if turns.take(ctx, key) == nil {
					order <- key
				}
			}()
			for now := waiting; now == waiting; {
				turns.mu.Lock()
				now = len(turns.waiting)
				turns.mu.Unlock()
			}
		}
	}
	queue("large", 3)
	queue("small", 2)
	var got []string
	for range 3 {
		turns.release("large")
		got = append(got, <-order)
	}
	if !slices.Equal(got, []string{"small", "small", "large"}) {
		t.Errorf("turns went to %v", got)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if turns.take(gone, "large") == nil {
		t.Error("a turn for somebody who has gone")
	}
}

func TestShortListsUseWhatTheLongOnesSpare(t *testing.T) {
	const to, day = int64(1_760_000_000), int64(86400)
	f, _ := newFrames(DefaultShare, true)
	page := bus.Slice{To: to, At: to - 20*day, Cursor: "cus_1", Objects: 100, Density: 100.0 / float64(20*day)}
	page.From = to - 700*day // 34 more pages, too few to be divided boldly
	invoices := &list{section: section{name: "invoices"}, slices: newSliced([]bus.Slice{
		{From: to - 900*day + 1, To: to, At: to - day, Cursor: "in_1", Objects: 300, Density: 300.0 / float64(day)},
		{From: to - 1800*day, To: to - 900*day, At: to - 901*day, Cursor: "in_2", Objects: 300, Density: 300.0 / float64(day)},
	}), roundTrip: time.Second}
	r := &run{caller: &caller{budget: &budget{frames: f}}}
	for _, tc := range []struct {
		splits int // that the long list has had
		want   bool
	}{{100, true}, {400, false}} {
		short := &list{section: section{name: "customers"}, slices: newSliced([]bus.Slice{page}), roundTrip: time.Second}
		invoices.splits, r.lists = tc.splits, []*list{short, invoices}
		if added := r.grow(short, short.slices[0]); (len(added) > 0) != tc.want {
			t.Errorf("%d parts after %d divisions of the long list", len(added), tc.splits)
		}
	}
}
