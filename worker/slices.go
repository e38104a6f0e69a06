package worker

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kustiq/kustiq/internal/bus"
)

const (
	pageSize = 100
	// beginning is taken to be when the first objects were made, to estimate lists without a lower end: Stripe opened to
	// its first users in 2010.
	beginning = 1262304000

	// Dividing a list may add so many requests to the least possible: a share of the pages that are known to exist, or of
	// those to be expected once objects were found at two places.
	knownShare, expectedShare = 0.08, 0.06
	sampled                   = 2
	// boldPages let a list that was found at one place only be divided once, eight times as many once more, and so on:
	// it may be young, so that there is nothing in the older part.
	boldPages, boldFactor = 40, 8
	// boldSpan is the least time that a page must cover to promise anything: an import makes hundreds of objects a minute.
	boldSpan = 600
	// minSplitPages is how many pages a part must be expected to have.
	minSplitPages = 2
)

// slice is a part of a list that is read page after page. Several are read at the same time.
type slice struct {
	bus.Slice
	// pages read by this run.
	pages int
}

// reached is the oldest creation that was read, or the end to begin from.
func (s *slice) reached() int64 {
	if s.At > 0 {
		return s.At
	}
	return s.To
}

// rest is how long a time is left to be read, in seconds.
func (s *slice) rest() int64 {
	if s.Done {
		return 0
	}
	return max(s.reached()-max(s.From, beginning), 0)
}

// expected pages that are left. One that is not done has at least one.
func (s *slice) expected() float64 {
	if s.Done {
		return 0
	}
	return max(s.Density*float64(s.rest())/pageSize, 1)
}

// sliced is one list in parts, newest first.
type sliced []*slice

func newSliced(stored []bus.Slice) sliced {
	all := make(sliced, len(stored))
	for i, s := range stored {
		all[i] = &slice{Slice: s}
	}
	return all
}

// stored is what is written down: neighbours that are done are one.
func (l sliced) stored() []bus.Slice {
	var out []bus.Slice
	for _, s := range l {
		if n := len(out); s.Done && n > 0 && out[n-1].Done {
			out[n-1].From, out[n-1].Objects = s.From, out[n-1].Objects+s.Objects
			out[n-1].Cursor, out[n-1].At = cmp.Or(s.Cursor, out[n-1].Cursor), cmp.Or(s.At, out[n-1].At)
			continue
		}
		out = append(out, s.Slice)
	}
	return out
}

// prove holds that a list was read as a whole: its parts lie side by side from one end to the other, and of each the
// last page was seen.
func prove(parts []bus.Slice, from, to int64) error {
	if len(parts) == 0 || parts[0].To != to || parts[len(parts)-1].From != from {
		return fmt.Errorf("the windows do not reach from %d to %d", from, to)
	}
	for i, s := range parts {
		if !s.Done {
			return fmt.Errorf("the window from %d to %d was not read to its end", s.From, s.To)
		}
		if i > 0 && parts[i-1].From != s.To+1 {
			return fmt.Errorf("the windows do not meet at %d", s.To)
		}
	}
	return nil
}

func (l sliced) open() (n int) {
	for _, s := range l {
		if !s.Done {
			n++
		}
	}
	return n
}

func (l sliced) objects() (n int64) {
	for _, s := range l {
		n += s.Objects
	}
	return n
}

// known is how many pages the list has at least: those that objects fill, and one more for each part that has more.
func (l sliced) known() float64 { return float64(l.objects())/pageSize + float64(l.open()) }

// expected pages that are left.
func (l sliced) expected() (pages float64) {
	for _, s := range l {
		pages += s.expected()
	}
	return pages
}

// read is how many pages were, at least.
func (l sliced) read() float64 {
	if !l.begun() {
		return 0
	}
	return max(float64(l.objects())/pageSize, 1)
}

// begun says whether any page was read.
func (l sliced) begun() bool {
	return slices.ContainsFunc(l, func(s *slice) bool { return s.Done || s.Cursor != "" })
}

// left is how many pages are thought to be left, to tell people: of a part of which nothing is known as many as the mean of
// the others makes. known is false while nothing can be said.
func (l sliced) left() (pages float64, known bool) {
	var span, objects, mean float64
	for _, s := range l {
		if !s.Done && s.Objects > 0 {
			span, objects = span+float64(s.To-s.reached()), objects+float64(s.Objects)
		}
	}
	if span >= boldSpan {
		mean = objects / span / pageSize
	}
	known = l.begun()
	for _, s := range l {
		if s.Done || s.Density > 0 {
			pages += s.expected()
			continue
		}
		pages += max(mean*float64(s.rest()), 1)
		known = known && mean > 0
	}
	return pages, known
}

// longest is how many pages are expected to be left of the longest slice.
func (l sliced) longest() (pages float64) {
	for _, s := range l {
		pages = max(pages, s.expected())
	}
	return pages
}

// located says whether objects were found at enough places to tell how many there are.
func (l sliced) located() bool {
	found := 0
	for _, s := range l {
		if s.Objects > 0 {
			found++
		}
	}
	return found >= sampled
}

// allowance is how many splits a list's own pages pay for so far.
func (l sliced) allowance() float64 {
	paid, pages := knownShare*l.known(), l.expected()+float64(l.objects())/pageSize
	if l.located() {
		return max(paid, expectedShare*pages)
	}
	bold := 0.0
	for enough := float64(boldPages); pages >= enough; enough *= boldFactor {
		bold++
	}
	return max(paid, bold)
}

// page notes what a page of a slice has shown. created are the creations of its newest and oldest object.
func (s *slice) page(objects int, last string, newest, oldest int64, more bool) {
	first := s.Cursor == ""
	s.pages++
	s.Objects += int64(objects)
	s.Done = !more
	if last != "" {
		s.Cursor, s.At = last, oldest
	}
	if span := newest - oldest; objects > 1 && span > 0 && (!first || span >= boldSpan) {
		s.Density = float64(objects) / float64(span)
	} else if first {
		s.Density = 0
	}
}

// divide cuts off up to so many parts of equal length from what is left of a slice, and returns them, newest first; the
// slice keeps the newest itself. It must not be read at the time.
func (l sliced) divide(s *slice, parts int) (sliced, []*slice) {
	low := max(s.From, beginning)
	most := int(s.expected()/minSplitPages) - 1
	parts = min(parts, most, int(min(s.rest()/2, 1<<20)))
	if s.Done || parts < 1 {
		return l, nil
	}
	step := s.rest() / int64(parts+1)
	var added []*slice
	to, from := s.reached()-step, s.From
	s.From = to + 1
	for i := range parts {
		part := &slice{Slice: bus.Slice{From: max(to-step+1, low), To: to, Density: s.Density}}
		if i == parts-1 {
			part.From = from
		}
		added = append(added, part)
		to = part.From - 1
	}
	at := slices.Index(l, s)
	return slices.Insert(l, at+1, added...), added
}
