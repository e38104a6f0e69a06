package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

const (
	// pollEvery is how often an engine looks for a run that is due, and so the longest that a request waits.
	pollEvery = 5 * time.Second
	// planEvery is how often scopes are sought that were never planned.
	planEvery = time.Minute
	// claimTime is how long a run is held without a sign of life.
	claimTime = 10 * time.Minute
	// settling is how long after a scope's first customers its first night is at the earliest: history is still being read.
	settling = 6 * time.Hour
	// tryAgain is when a run is repeated that failed.
	tryAgain = time.Hour
	// nightFrom and nightLength say when runs are due, in UTC; each scope has an instant of its own in it.
	nightFrom, nightLength = time.Hour, 4 * time.Hour
)

// Options of a Fitter; all are required.
type Options struct {
	Store   *store.Store
	Clock   clock.WithTicker
	Logger  *slog.Logger
	Metrics prometheus.Registerer
	// Owner tells this engine's claims from those of others; no two may share one.
	Owner string
}

// Fitter fits every scope's model at night and on demand. Of several on one store each run is taken by one.
type Fitter struct {
	Options
	runs   *prometheus.CounterVec
	length prometheus.Histogram
	planAt time.Time
}

// New checks the options and registers the metrics; Run starts the work.
func New(o Options) (*Fitter, error) {
	if o.Store == nil || o.Clock == nil || o.Logger == nil || o.Metrics == nil || o.Owner == "" {
		return nil, errors.New("new fitter: a store, a clock, a logger, a metrics registry and an owner are required")
	}
	o.Logger = o.Logger.With("component", "model")
	f := &Fitter{Options: o,
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_engine_model_runs_total", Help: "Looks at a workspace's history, by what came of them: changed, kept or failed.",
		}, []string{"outcome"}),
		length: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kustiq_engine_model_run_seconds", Help: "Time of one look at a workspace's history, reading included.",
			Buckets: []float64{.1, .5, 1, 2, 5, 10, 30, 60, 120, 300},
		}),
	}
	for _, outcome := range []string{"changed", "kept", "failed"} {
		f.runs.WithLabelValues(outcome) // present from the start, so that a rate over it is never missing
	}
	if err := errors.Join(o.Metrics.Register(f.runs), o.Metrics.Register(f.length)); err != nil {
		return nil, fmt.Errorf("new fitter: %w", err)
	}
	return f, nil
}

// Run takes up runs as they fall due until ctx ends, which is no error.
func (f *Fitter) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if f.RunDue(ctx) {
			continue
		}
		timer := f.Clock.NewTimer(pollEvery)
		select {
		case <-ctx.Done():
		case <-timer.C():
		}
		timer.Stop()
	}
	return nil
}

// RunDue does one run if one is due, and reports whether it did.
func (f *Fitter) RunDue(ctx context.Context) (ran bool) {
	now := f.Clock.Now()
	if !now.Before(f.planAt) {
		f.planAt = now.Add(planEvery)
		if _, err := f.Store.PlanModelRuns(ctx, func(s store.Scope) time.Time { return nightOf(s, now.Add(settling)) }); err != nil {
			f.Logger.Warn("runs of models cannot be planned yet", "error", err)
		}
	}
	claim, ok, err := f.Store.ClaimModelRun(ctx, f.Owner, now.Add(claimTime))
	if err != nil && ctx.Err() == nil {
		f.Logger.Warn("a run of a model cannot be claimed and is tried again", "after", pollEvery, "error", err)
	}
	if !ok {
		return false
	}
	f.work(ctx, claim)
	return true
}

// nightOf is a scope's next instant at night after now.
func nightOf(s store.Scope, now time.Time) time.Time {
	at := now.UTC().Truncate(24 * time.Hour).Add(nightFrom + time.Duration(hashOf(s)%uint64(nightLength)).Truncate(time.Second))
	for !at.After(now) {
		at = at.Add(24 * time.Hour)
	}
	return at
}

func hashOf(s store.Scope) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, s.Workspace, s.Livemode)
	return h.Sum64()
}

// seedOf is another one every day; it is short enough to be typed after "kustiq eval --seed".
func seedOf(s store.Scope, now time.Time) uint64 {
	return (hashOf(s) + uint64(now.Unix()/day)) % 1_000_000
}

// work does a run and ends it.
func (f *Fitter) work(ctx context.Context, c store.ModelClaim) {
	started := f.Clock.Now()
	log := f.Logger.With("workspace", c.Workspace, "livemode", c.Livemode)
	version, result, changed, err := f.fit(ctx, c)
	f.length.Observe(f.Clock.Since(started).Seconds())
	next, outcome := nightOf(c.Scope, f.Clock.Now()), "kept"
	switch {
	case errors.Is(err, store.ErrClaimLost):
		log.Info("a run of a model was given up: its workspace was erased, or another engine has taken it")
		return
	case ctx.Err() != nil:
		// Another engine may have it at once.
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollEvery)
		defer cancel()
		if err := f.Store.ProgressModelRun(release, c, "", 0, 0, f.Clock.Now()); err != nil {
			log.Warn("a run of a model that was interrupted stays claimed", "for", claimTime, "error", err)
		}
		return
	case err != nil:
		log.Error("a model cannot be fitted; the one in use stays", "again", tryAgain, "error", err)
		next, outcome, result = f.Clock.Now().Add(tryAgain), "failed", "the history could not be read or the model not be stored; the engine's log says why"
	case changed:
		outcome = "changed"
		log.Info("a new model is in use", "version", version, "because", result)
	default:
		log.Debug("the model in use stays", "version", version, "because", result)
	}
	f.runs.WithLabelValues(outcome).Inc()
	if err := f.Store.FinishModelRun(ctx, c, result, err != nil, next); err != nil && !errors.Is(err, store.ErrClaimLost) {
		log.Warn("a run of a model cannot be ended and will be repeated", "after", claimTime, "error", err)
	}
}

// fit looks at the scope's history and puts what it decides into use.
func (f *Fitter) fit(ctx context.Context, c store.ModelClaim) (version, result string, changed bool, err error) {
	stored, err := f.Store.CurrentModel(ctx, c.Scope)
	if errors.Is(err, store.ErrUnreadableModel) {
		stored, err = store.StoredModel{Params: scoring.Prior()}, nil // what customers are scored by, until another is stored
	}
	if err != nil {
		return "", "", false, err
	}
	now := f.Clock.Now()
	panel, err := Read(ctx, f.Store, c.Scope, now, func(done, total int) error {
		return f.Store.ProgressModelRun(ctx, c, "reading", done, total, f.Clock.Now().Add(claimTime))
	})
	if err != nil {
		return "", "", false, err
	}
	if err := f.Store.ProgressModelRun(ctx, c, "fitting", 0, 0, f.Clock.Now().Add(claimTime)); err != nil {
		return "", "", false, err
	}
	current := Current{Params: stored.Params}
	if json.Unmarshal(stored.Card, &current.Card) != nil {
		current.Card = report.ModelCard{} // of another version, or there is none
	}
	o := Decide(panel, current, c.Asked, seedOf(c.Scope, now))
	if !o.Changed && len(stored.Card) > 0 {
		card, err := json.Marshal(o.Card)
		if err != nil {
			return "", "", false, err
		}
		return stored.Version, o.Card.Reason, false, f.Store.SaveCard(ctx, c, card)
	}
	saved, err := f.Store.SaveModel(ctx, c, o.Card.Kind, o.Params, func(version string, at time.Time) ([]byte, error) {
		o.Card.Version, o.Card.CreatedAt = version, at
		return json.Marshal(o.Card)
	})
	if err != nil || !o.Changed {
		return saved.Version, o.Card.Reason, false, err
	}
	return saved.Version, o.Card.Reason, true, f.rescore(ctx, c.Scope)
}

const (
	// rescorePage bounds one transaction that makes customers due.
	rescorePage = 500
	// rescorePace is how many customers a second fall due after a change of model. Those that are due anyway, and live
	// batches, get their turn in between.
	rescorePace = 2000
)

// rescore lets the scheduler evaluate all customers anew. One that is not reached, because this engine dies, is evaluated
// within a day all the same.
func (f *Fitter) rescore(ctx context.Context, s store.Scope) error {
	at, after := f.Clock.Now(), ""
	for {
		last, err := f.Store.MakeDue(ctx, s, after, rescorePage, at)
		if err != nil || last == "" {
			return err
		}
		after, at = last, at.Add(time.Second*rescorePage/rescorePace)
	}
}
