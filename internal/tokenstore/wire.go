package tokenstore

import (
	"time"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

// wire is what is sealed. It exists because a stripeapi.Secret redacts itself when encoded.
type wire struct {
	Generation int64     `json:"generation"`
	Account    string    `json:"account"`
	Livemode   bool      `json:"livemode"`
	Scope      string    `json:"scope,omitempty"`
	Flavor     string    `json:"flavor,omitempty"`
	Access     string    `json:"access"`
	Refresh    string    `json:"refresh,omitempty"`
	IssuedAt   time.Time `json:"issued_at"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	RotatedAt  time.Time `json:"rotated_at,omitzero"`
	Previous   *wire     `json:"previous,omitempty"`
}

func wireFrom(r Record) wire {
	w := wire{
		Generation: r.Generation,
		Account:    r.Account,
		Livemode:   r.Livemode,
		Scope:      r.Scope,
		Flavor:     r.Flavor,
		Access:     r.Access.Reveal(),
		Refresh:    r.Refresh.Reveal(),
		IssuedAt:   r.IssuedAt,
		ExpiresAt:  r.ExpiresAt,
		RotatedAt:  r.RotatedAt,
	}
	if r.Previous != nil {
		before := *r.Previous
		before.Previous = nil
		previous := wireFrom(before)
		w.Previous = &previous
	}
	return w
}

func (w wire) record() Record {
	r := Record{
		Generation: w.Generation,
		Account:    w.Account,
		Livemode:   w.Livemode,
		Scope:      w.Scope,
		Flavor:     w.Flavor,
		Access:     stripeapi.Secret(w.Access),
		Refresh:    stripeapi.Secret(w.Refresh),
		IssuedAt:   w.IssuedAt,
		ExpiresAt:  w.ExpiresAt,
		RotatedAt:  w.RotatedAt,
	}
	if w.Previous != nil {
		previous := w.Previous.record()
		r.Previous = &previous
	}
	return r
}
