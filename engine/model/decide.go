package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/internal/report"
)

const (
	// testEvery is how long weights stand before they are tested again.
	testEvery = 30 * 24 * time.Hour
	// interceptDays are what the intercept is fitted on: each season once.
	interceptDays = 365
	// worthwhile is the least change of an intercept that makes a new version: a seventh of a point.
	worthwhile = 0.01
)

// Current is the model that a workspace is on.
type Current struct {
	Params scoring.Params
	Card   report.ModelCard
}

// Outcome is what a look at a workspace's history led to.
type Outcome struct {
	// Params have no version yet unless they are those from before.
	Params scoring.Params
	Card   report.ModelCard
	// Changed says that these are new parameters and not those from before.
	Changed bool
}

// Decide looks at a panel and finds the model to use from now on. The intercept is fitted every time; weights are fitted
// and tested when they have not been for 30 days, or when asked. Fitted weights that were accepted before stay as long as
// they predict the newest 30 days no worse than the prior's, and keep to the limits of AUC and ECE at each test. The seed is that of the resamplings. It changes nothing and
// depends on its arguments alone.
func Decide(p *Panel, current Current, asked bool, seed uint64) Outcome {
	now := time.Unix(p.asOf, 0).UTC()
	card := report.ModelCard{CheckedAt: now, Test: current.Card.Test, Reason: current.Card.Reason}
	f, rolledBack := fittedOf(&current.Params), false
	if f != nil {
		if worse, lost := p.running(f); worse {
			f, rolledBack = nil, true
			card.Reason = fmt.Sprintf("rolled back: the fitted weights' log loss of the newest %d days is %.2f %% worse than the prior's",
				runningDays, 100*lost)
		}
	}
	if asked || card.Test == nil || now.Sub(card.Test.At) >= testEvery {
		own, test := p.test(rand.New(rand.NewPCG(seed, resamplings)))
		test.At, test.Seed = now, seed
		card.Test = &test
		switch {
		case test.Accepted:
			f = &own
			card.Reason = fmt.Sprintf("fitted weights stood the test: log loss %.2f %% better than the prior's", 100*test.Gain)
		case f != nil:
			f, card.Reason = p.stay(f, &test)
		case !rolledBack:
			card.Reason = "fitted weights were not accepted: " + test.Reasons[0]
		}
	}
	return p.conclude(current, f, card)
}

// stay is what becomes of weights in use after a test that new ones did not stand: they go, too, where they can no longer be
// tested, or exceed the limits that the new ones are held to.
func (p *Panel) stay(f *fitted, test *report.ModelTest) (*fitted, string) {
	if test.Fitted == nil {
		// An account was erased, or its customers have gone: nothing is left that could tell whether they still hold.
		return nil, "rolled back: there is too little history left to test the fitted weights on: " + test.Reasons[0]
	}
	if reasons := p.exceeds(f, test.Prior); len(reasons) > 0 {
		return nil, fmt.Sprintf("rolled back: of the fitted weights, over the newest %d days, the %s", testDays, reasons[0])
	}
	return f, "the fitted weights in use stay: new ones were not accepted: " + test.Reasons[0]
}

// conclude fits the intercept, measures, and finds out whether that makes a new version.
func (p *Panel) conclude(current Current, f *fitted, card report.ModelCard) Outcome {
	whole, own := p.all(), f != nil
	if !own {
		published := prior()
		f = &published
	}
	f.intercept = p.fitIntercept(whole.newest(interceptDays), f.weights)
	if whole.empty() {
		card.Reason = "no history whose outcome is known yet"
	} else {
		// What is measured rests on older days than those it is measured on.
		newest := whole.newest(testDays)
		honest := *f
		honest.intercept = p.fitIntercept(whole.before(newest).newest(interceptDays), f.weights)
		card.Figures, card.Calibration = p.figures(newest, &honest)
	}
	card.Panel = p.summary()
	out := Outcome{Params: scoring.Params{Intercept: f.intercept}, Card: card}
	if own {
		out.Params.Weights, out.Params.Fitted = &f.weights, f.moved
	}
	if out.Changed = !alike(&out.Params, &current.Params); !out.Changed {
		out.Params = current.Params
		out.Card.Version, out.Card.CreatedAt = current.Params.Version, current.Card.CreatedAt
	}
	out.Card.Kind, out.Card.Intercept, out.Card.Weights = kindOf(&out.Params), out.Params.Intercept, weightsOf(f)
	return out
}

func kindOf(p *scoring.Params) string {
	switch {
	case p.Weights != nil:
		return report.ModelFitted
	case p.Intercept != 0:
		return report.ModelIntercept
	default:
		return report.ModelPrior
	}
}

// alike says that no score would differ by more than a fraction of a point.
func alike(a, b *scoring.Params) bool {
	if (a.Weights == nil) != (b.Weights == nil) || (a.Weights != nil && *a.Weights != *b.Weights) {
		return false
	}
	return math.Abs(a.Intercept-b.Intercept) < worthwhile
}

// fittedOf gives the fitted weights of parameters; nil when they have none.
func fittedOf(p *scoring.Params) *fitted {
	if p.Weights == nil {
		return nil
	}
	return &fitted{intercept: p.Intercept, weights: *p.Weights, moved: p.Fitted}
}

func weightsOf(f *fitted) []report.ModelWeight {
	out := make([]report.ModelWeight, len(scoring.Coefficients))
	for i, c := range scoring.Coefficients {
		out[i] = report.ModelWeight{Name: c.Name, Weight: f.weights[i], Prior: c.Prior, Basis: scoring.BasisPrior}
		if f.moved[i] {
			out[i].Basis = scoring.BasisFitted
		}
	}
	return out
}

func (p *Panel) summary() report.PanelSummary {
	s, whole := report.PanelSummary{Share: p.Share}, p.all()
	if whole.empty() {
		return s
	}
	s.Rows, s.Customers, s.Churns = p.counts(whole)
	s.From, s.To = timeOf(whole.first), timeOf(whole.last)
	return s
}
