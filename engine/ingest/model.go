package ingest

import (
	"context"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// Model gives the parameters that customers are scored with.
type Model interface {
	// Refresh is called in every transaction that scores, after its customers are locked: Params must then give what the
	// transaction finds in use for the scopes, or what has come into use since.
	Refresh(ctx context.Context, tx *store.Tx, scopes []store.Scope) error
	// Params must be quick and safe for concurrent use; it is asked for every evaluation.
	Params(s store.Scope) scoring.Params
}

// PriorModel scores every workspace with the published prior.
type PriorModel struct{}

// Refresh has nothing to do.
func (PriorModel) Refresh(context.Context, *store.Tx, []store.Scope) error { return nil }

// Params returns the prior.
func (PriorModel) Params(store.Scope) scoring.Params { return scoring.Prior() }

// topReason is what a list shows as the cause, the term that raises the risk most: its name, and the words for it.
func topReason(e scoring.Evaluation) (term, label string) {
	var top scoring.Term
	for _, t := range e.Terms {
		if t.Name != "baseline" && t.LogOdds > top.LogOdds {
			top = t
		}
	}
	if top.Label == "" && e.Tier == scoring.Leaving {
		return "cancel_scheduled", "Cancels at the end of the period"
	}
	return top.Name, top.Label
}
