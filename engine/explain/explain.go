// Package explain owns what is told of a score beyond its terms: what its evidence is, what the last event did to it, and
// what would become of it if something else happened. It evaluates anew, on demand, what the store has of one customer;
// nothing of it is kept. It must not know who asks.
package explain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// Source is where customers are; *store.Store is one. It fails with store.ErrNotFound.
type Source interface {
	Dossier(ctx context.Context, workspace, customer string) (store.Dossier, error)
}

// Explainer explains scores.
type Explainer struct {
	source Source
	clock  clock.PassiveClock
}

// New returns an explainer.
func New(source Source, c clock.PassiveClock) (*Explainer, error) {
	if source == nil || c == nil {
		return nil, errors.New("explain: a source and a clock are needed")
	}
	return &Explainer{source: source, clock: c}, nil
}

// Explain evaluates a customer now. It fails with store.ErrNotFound.
func (e *Explainer) Explain(ctx context.Context, workspace, customer string) (report.Explanation, error) {
	d, err := e.source.Dossier(ctx, workspace, customer)
	if err != nil {
		return report.Explanation{}, err
	}
	state := &scoring.State{}
	if json.Unmarshal(d.State, state) != nil {
		state = scoring.Fold(d.Signals)
	}
	now := e.clock.Now()
	whatIfs, err := state.WhatIfs(now, d.Params)
	if err != nil {
		return report.Explanation{}, err
	}
	out := report.Explanation{WhatIfs: []report.WhatIf{}, Facts: facts(scoring.Evaluate(state, now, d.Params).Terms, d.Signals)}
	for _, w := range whatIfs {
		out.WhatIfs = append(out.WhatIfs, report.WhatIf{Name: w.Name, Label: w.Label, Before: outcome(w.Before), After: outcome(w.After)})
	}
	if c, ok := scoring.LastChange(d.Signals, d.Params); ok {
		out.LastChange = &report.LastChange{Signal: fact(c.Signal), Before: outcome(c.Before), After: outcome(c.After)}
	}
	return out, nil
}

func outcome(o scoring.Outcome) report.Outcome {
	return report.Outcome{Score: o.Score, Tier: string(o.Tier), P30: o.P30, AtRisk: o.Segment}
}

// facts are the signals that the terms name as evidence, in the order of the terms. An event that brought several is each
// of them.
func facts(terms []scoring.Term, signals []signal.Signal) []report.Fact {
	byName := make(map[string][]signal.Signal, len(signals))
	for _, s := range signals {
		name := signal.Name(s.ID)
		byName[name] = append(byName[name], s)
	}
	out := []report.Fact{}
	for _, t := range terms {
		for _, name := range t.Evidence {
			slices.SortFunc(byName[name], func(a, b signal.Signal) int { return cmp.Compare(a.ID, b.ID) })
			for _, s := range byName[name] {
				out = append(out, fact(s))
			}
			delete(byName, name)
		}
	}
	return out
}

func fact(s signal.Signal) report.Fact {
	return report.Fact{ID: signal.Name(s.ID), Event: s.EventID, Kind: string(s.Kind), At: time.Unix(s.Created, 0).UTC(), Provenance: string(s.Provenance)}
}
