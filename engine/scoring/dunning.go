package scoring

import (
	"cmp"
	"slices"
)

// dunning sums the failures over a customer's unpaid invoices.
type dunning struct {
	failures, invoices int
	final              bool
	// last is the newest failure of them.
	last int64
}

func (s *State) dunning() dunning {
	var d dunning
	for _, inv := range s.m.failed {
		if !inv.unpaidFailure() {
			continue
		}
		d.invoices++
		d.failures += inv.failures()
		d.final = d.final || inv.Final
		d.last = max(d.last, inv.lastFailure())
	}
	return d
}

// weight is F.
func (d dunning) weight(w *Weights, t int64) float64 {
	if d.failures == 0 {
		return 0
	}
	level := w[coefDunning+min(d.failures, dunningLevels)-1]
	if d.final {
		level += w[coefFinal]
	}
	return level * d.held(t)
}

// held is how much of the weight is left: all of it for 14 days after the last failure, then it halves every 14.
func (d dunning) held(t int64) float64 { return halved(t-d.last-dunningHold, dunningHalfLife) }

// criticalUntil is the last second of the Critical tier, 0 without one: the newest failure of an unpaid invoice that
// has another failure, of any invoice, within the 14 days before it counts for 28 days.
//
// The published rule names the newest failure of all as the window's end. Wherever that one qualifies this is the same;
// where it stands alone, the pair before it still counts, so that a further failure never ends the tier and paying one
// of several invoices never begins it (docs/adr/0012).
func (s *State) criticalUntil(d dunning) int64 {
	if d.failures == 0 {
		return 0
	}
	var buffer [32]failure
	list := buffer[:0]
	for _, inv := range s.m.failed {
		if !inv.signup() {
			list = inv.appendFailures(list, d.last-criticalAge-criticalWindow)
		}
	}
	// Of failures in the same second the unpaid one comes last, to see the others before it.
	slices.SortFunc(list, func(a, b failure) int {
		return cmp.Or(cmp.Compare(a.at, b.at), compareBool(a.unpaid, b.unpaid))
	})
	for i := len(list) - 1; i > 0; i-- {
		if list[i].unpaid && list[i].at-list[i-1].at <= criticalWindow {
			return list[i].at + criticalAge
		}
	}
	return 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// dunningEvidence lists the signals behind open dunning, oldest first.
func (s *State) dunningEvidence() []string {
	var buffer [16]attempt
	list := buffer[:0]
	for _, inv := range s.m.failed {
		if !inv.unpaidFailure() {
			continue
		}
		class, _ := inv.view()
		for n := range inv.Attempts {
			if a := inv.Attempts[n]; a.class() == class {
				list = append(list, a)
			}
		}
	}
	slices.SortFunc(list, func(a, b attempt) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}
