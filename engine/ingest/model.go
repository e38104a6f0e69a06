package ingest

import "github.com/kustiq/kustiq/engine/scoring"

// Model gives each workspace's parameters.
type Model interface {
	// Params must be quick and safe for concurrent use; it is asked for every evaluation.
	Params(workspace string) scoring.Params
}

// PriorModel scores every workspace with the published prior, which stands until its own history has fitted it.
type PriorModel struct{}

// Params returns the prior.
func (PriorModel) Params(string) scoring.Params { return scoring.Prior() }

// topReason is what a list shows as the cause: the term that raises the risk most.
func topReason(e scoring.Evaluation) string {
	var top scoring.Term
	for _, t := range e.Terms {
		if t.Name != "baseline" && t.LogOdds > top.LogOdds {
			top = t
		}
	}
	if top.Label == "" && e.Tier == scoring.Leaving {
		return "Cancels at the end of the period"
	}
	return top.Label
}
