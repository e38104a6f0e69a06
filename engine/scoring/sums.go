package scoring

import (
	"math"
	"slices"

	"github.com/kustiq/kustiq/engine/signal"
)

// moves sums the recent changes of price in doublings, losses positive.
type moves struct {
	decay
	// Last is the newest change, unclipped by the sum.
	Last     float64  `json:"last"`
	Evidence []string `json:"evidence,omitempty"`
}

// evidenceKept bounds how many signals a sum remembers by id.
const evidenceKept = 3

func (m *moves) add(sig *signal.Signal) {
	old, now := sig.Subscription.PreviousMRR, sig.Subscription.MRR
	if old == nil || now == nil {
		return
	}
	move := doublings(*old, *now)
	if move == 0 {
		return
	}
	m.decay.add(sig.Created, move, priceHalfLife)
	m.Last = move
	if len(m.Evidence) == evidenceKept {
		copy(m.Evidence, m.Evidence[1:])
		m.Evidence = m.Evidence[:evidenceKept-1]
	}
	m.Evidence = append(m.Evidence, sig.ID)
}

// doublings is log2(old/new) within ±1.5; a price of nothing counts as the bound.
func doublings(old, now float64) float64 {
	switch {
	case math.IsNaN(old) || math.IsNaN(now) || max(old, 0) == max(now, 0):
		return 0
	case now <= 0:
		return priceClip
	case old <= 0:
		return -priceClip
	default:
		return clip(math.Log2(old/now), -priceClip, priceClip)
	}
}

func clip(v, low, high float64) float64 { return min(max(v, low), high) }

// disputes sums the recent disputes; each dispute counts once, however often it is told.
type disputes struct {
	decay
	Known []disputed `json:"known,omitempty"`
}

type disputed struct {
	ID       string `json:"id"`
	At       int64  `json:"at"`
	Evidence string `json:"evidence"`
}

func (s *State) dispute(sig *signal.Signal) {
	d := &s.m.Disputes
	for i := range d.Known {
		if d.Known[i].ID == sig.Dispute.ID {
			return
		}
	}
	d.Known = slices.DeleteFunc(d.Known, func(old disputed) bool { return sig.Created-old.At > forgetInvoices })
	d.Known = append(d.Known, disputed{ID: sig.Dispute.ID, At: sig.Created, Evidence: sig.ID})
	d.decay.add(sig.Created, disputeWeight, disputeHalfLife)
	// A disputed charge was paid first.
	if s.m.FirstPaid == 0 {
		s.m.FirstPaid = sig.Created
	}
}
