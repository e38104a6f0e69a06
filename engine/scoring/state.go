package scoring

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/kustiq/kustiq/engine/signal"
)

// State is what the model remembers of one customer: a function of the set of signals it was folded from. The zero
// State is that of no signals. It marshals to the same JSON for the same signals, and back. It is not safe for
// concurrent use.
type State struct{ m memory }

type memory struct {
	// Mark is the position of the newest signal applied.
	Mark position `json:"mark"`
	// Tenure is the earliest of customer creation and invoices that took effect; subscriptions hold their own start.
	Tenure int64 `json:"tenure_start,omitempty"`
	// LastSignal is the newest churn or recovery signal, which lets waiting context in.
	LastSignal    int64               `json:"last_signal_at,omitempty"`
	FirstPaid     int64               `json:"first_paid_at,omitempty"`
	Waiting       waiting             `json:"waiting,omitzero"`
	Subscriptions []subscription      `json:"subscriptions,omitempty"`
	Invoices      map[string]*invoice `json:"invoices,omitempty"`
	Residual      residual            `json:"residual,omitzero"`
	Price         moves               `json:"price,omitzero"`
	Disputes      disputes            `json:"disputes,omitzero"`

	// failed are the invoices that may still matter to dunning, in order of their first failure.
	failed []*invoice
}

// position orders signals: by time, then by rank of their kind, then by event and signal id.
type position struct {
	Created int64  `json:"created"`
	Rank    uint8  `json:"rank"`
	Event   string `json:"event"`
	ID      string `json:"id"`
}

func positionOf(sig *signal.Signal) position {
	return position{Created: sig.Created, Rank: rank(sig), Event: eventOf(sig), ID: sig.ID}
}

// eventOf falls back to the signal's own id where it comes from a listed object.
func eventOf(sig *signal.Signal) string {
	if sig.EventID == "" {
		return sig.ID
	}
	return sig.EventID
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.Created, q.Created), cmp.Compare(p.Rank, q.Rank), cmp.Compare(p.Event, q.Event),
		cmp.Compare(p.ID, q.ID))
}

// rank breaks ties of the second: what opens an account comes first, what closes it last. A state that was listed comes
// before all that: it may have been read in the middle of its second, and what happened then is told by events as well.
func rank(sig *signal.Signal) uint8 {
	if sig.Provenance == signal.FromListed && (sig.Kind == signal.SubscriptionObserved || sig.Kind == signal.SubscriptionPaused) {
		return 0
	}
	switch sig.Kind {
	case signal.CustomerCreated:
		return 0
	case signal.CustomerUpdated:
		return 1
	case signal.InvoiceFinalized:
		return 2
	case signal.SubscriptionPaused:
		return 4
	case signal.SubscriptionResumed:
		return 5
	case signal.PaymentFailed:
		return 6
	case signal.PaymentSucceeded:
		return 7
	case signal.DisputeCreated:
		return 8
	case signal.SubscriptionDeleted:
		return 9
	default: // every kind read from customer.subscription.updated
		return 3
	}
}

// decay is a sum of impulses that each halve in the same time, kept as its value at the time of the latest.
type decay struct {
	Sum float64 `json:"sum"`
	At  int64   `json:"at"`
}

func (d *decay) add(at int64, impulse, halfLifeDays float64) {
	d.Sum = d.at(at, halfLifeDays) + impulse
	d.At = at
}

func (d decay) at(t int64, halfLifeDays float64) float64 {
	if d.Sum == 0 {
		return 0
	}
	return d.Sum * halved(t-d.At, halfLifeDays)
}

// halved is 2^(−Δ/half-life); a Δ before zero counts as zero.
func halved(seconds int64, halfLifeDays float64) float64 {
	if seconds <= 0 {
		return 1
	}
	return math.Exp2(-float64(seconds) / (halfLifeDays * day))
}

func earliest(a, b int64) int64 {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// MarshalJSON gives the same bytes for the same set of signals.
func (s State) MarshalJSON() ([]byte, error) { return json.Marshal(&s.m) }

// UnmarshalJSON restores a marshalled state.
func (s *State) UnmarshalJSON(raw []byte) error {
	var m memory
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("unmarshal scoring state: %w", err)
	}
	for id, inv := range m.Invoices {
		inv.ID = id
		if len(inv.Attempts) > 0 {
			m.failed = append(m.failed, inv)
		}
	}
	slices.SortFunc(m.failed, func(a, b *invoice) int {
		return cmp.Or(cmp.Compare(a.lastFailure(), b.lastFailure()), cmp.Compare(a.ID, b.ID))
	})
	s.m = m
	return nil
}
