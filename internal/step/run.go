package step

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Step is one link of a chain over the scope S.
type Step[S any] struct {
	// Name is a verb, for errors and events.
	Name string
	// Condition is the condition type that an outcome of this step falls on.
	Condition string
	// Always runs the step even when one before it has stopped the chain: for what must follow the state of the
	// others, such as withdrawing a route.
	Always bool
	// Aside lets the chain go on after this step has stopped: for what is worth reporting and holds nothing up.
	Aside bool
	Run   func(ctx context.Context, scope S) error
}

// Stop says which step did not end in Done, and how.
type Stop struct {
	Step, Condition string
	// Aside says that the chain went on nevertheless.
	Aside   bool
	Outcome Outcome
}

// Run runs the steps in order until one stops the chain, and the Always steps in any case. It returns every stop in
// the order of the steps.
func Run[S any](ctx context.Context, scope S, steps []Step[S]) []Stop {
	var stops []Stop
	halted := false
	for _, s := range steps {
		if halted && !s.Always {
			continue
		}
		outcome := OutcomeOf(s.Run(ctx, scope))
		if outcome.Kind == Done {
			continue
		}
		if outcome.Err != nil {
			outcome.Err = fmt.Errorf("%s: %w", s.Name, outcome.Err)
		}
		stops = append(stops, Stop{Step: s.Name, Condition: s.Condition, Aside: s.Aside, Outcome: outcome})
		halted = halted || !s.Aside
	}
	return stops
}

// Schedule turns stops into what controller-runtime wants: an error for backoff when anything failed, else the soonest
// of the waits and the regular pace, each jittered so that many resources do not move in step.
func Schedule(stops []Stop, regular time.Duration, jitter Jitter) (ctrl.Result, error) {
	var failed error
	next := regular
	for _, stop := range stops {
		failed = errors.Join(failed, stop.Outcome.Err)
		if after := stop.Outcome.After; after > 0 && (next == 0 || after < next) {
			next = after
		}
	}
	if failed != nil {
		return ctrl.Result{}, failed
	}
	return ctrl.Result{RequeueAfter: jitter.Shorten(next)}, nil
}

// Jitter gives random numbers in [0, 1).
type Jitter func() float64

// Random is the Jitter of production.
func Random() Jitter { return rand.Float64 }

// jitterShare is how much of an interval is left to chance. A tenth spreads a thousand resources over half a minute
// of a five-minute pace, and keeps promised upper bounds because it only ever shortens.
const jitterShare = 0.1

// Shorten takes up to a tenth off d, so that d stays the upper bound. Zero stays zero.
func (j Jitter) Shorten(d time.Duration) time.Duration {
	return d - time.Duration(float64(d)*jitterShare*j())
}
