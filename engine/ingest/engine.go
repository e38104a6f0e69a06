package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/notify"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/tracing"
	"github.com/kustiq/kustiq/internal/vault"
)

// maxBatch bounds one transaction: large enough to spread a sync to disk, small enough to end within a try's time.
const maxBatch = 1000

// Options of an Engine. Model may be nil, which stands for PriorModel; everything but it, BusVault and AllowedNetworks
// is required.
type Options struct {
	Bus     *bus.Bus
	Store   *store.Store
	Clock   clock.WithTicker
	Logger  *slog.Logger
	Metrics prometheus.Registerer
	// Model gives the parameters that customers are scored with.
	Model Model
	// BusVault opens what the operator has sealed of the receivers of churn events; without it none can be reached.
	BusVault *vault.Vault
	// AllowedNetworks are inside and may be reached by churn events all the same.
	AllowedNetworks []netip.Prefix
	// Tracer follows events; nil does not.
	Tracer *tracing.Tracer
}

// Engine consumes signals and keeps scores current. Any number of engines may share a bus and a PostgreSQL store.
type Engine struct {
	source  source
	store   *store.Store
	clock   clock.WithTicker
	logger  *slog.Logger
	metrics *metrics
	model   Model
	eraser  *eraser
	matcher *matcher
	// settings are what workspaces ask for, deliverer sends their churn events.
	settings  *settings
	deliverer *notify.Deliverer
	// wake tells the scheduler that a batch may have moved the next due time forward.
	wake chan struct{}
	// pruneAt is when the ledger is pruned next; only the scheduler uses it.
	pruneAt time.Time
	tracer  *tracing.Tracer
}

// source is what an engine needs of the bus. It returns when ctx ends, with the context's error, or when the bus cannot
// be consumed at all.
type source interface {
	ConsumeSignals(ctx context.Context, o bus.ConsumeOptions, handle func(context.Context, []bus.Delivery)) error
}

// New checks the options and registers the metrics; Run starts the work.
func New(o Options) (*Engine, error) {
	if o.Bus == nil {
		return nil, errors.New("new engine: a bus is required")
	}
	return newEngine(o, o.Bus, boardsOf(o.Bus))
}

func newEngine(o Options, from source, on boards) (*Engine, error) {
	if o.Store == nil || o.Clock == nil || o.Logger == nil || o.Metrics == nil {
		return nil, errors.New("new engine: a store, a clock, a logger and a metrics registry are required")
	}
	if o.Model == nil {
		o.Model = PriorModel{}
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	asked := newSettings(on.settings, o.BusVault)
	deliverer, err := notify.NewDeliverer(notify.Options{
		Outbox: o.Store, Receivers: asked, Clock: o.Clock, Logger: o.Logger, Metrics: o.Metrics, AllowedNetworks: o.AllowedNetworks,
	})
	if err != nil {
		return nil, fmt.Errorf("new engine: %w", err)
	}
	return &Engine{
		source: from, store: o.Store, clock: o.Clock, logger: o.Logger.With("component", "engine"), metrics: m, model: o.Model,
		settings: asked, deliverer: deliverer,
		eraser: newEraser(on.erasures), matcher: newMatcher(on.policies, on.matches), wake: make(chan struct{}, 1),
		tracer: o.Tracer,
	}, nil
}

// Run consumes, re-evaluates and meets the operator's requests until ctx ends, which is no error. A batch under way is
// finished first.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.collectSettings(ctx); err != nil {
		return err
	}
	// Erasures asked for while no engine ran come before any message: what an account that was connected again has sent
	// since then is to stay. One that fails is tried again by the worker.
	if err := e.collectErasures(ctx); err != nil {
		e.logger.Warn("erasures cannot be read yet", "error", err)
	}
	e.eraseAccounts(ctx)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := e.source.ConsumeSignals(groupCtx, bus.ConsumeOptions{MaxBatch: maxBatch},
			func(ctx context.Context, deliveries []bus.Delivery) { e.handle(ctx, items(deliveries)) })
		return fmt.Errorf("consume signals: %w", err)
	})
	group.Go(func() error { return e.schedule(groupCtx) })
	group.Go(func() error { return e.watchErasures(groupCtx) })
	group.Go(func() error { return e.work(groupCtx, e.eraser.inbox, e.eraseAccounts) })
	group.Go(func() error { return e.watchPolicies(groupCtx) })
	group.Go(func() error { return e.work(groupCtx, e.matcher.inbox, e.match) })
	group.Go(func() error { return e.watchSettings(groupCtx) })
	group.Go(func() error { return e.work(groupCtx, e.settings.inbox, e.judgeAnew) })
	group.Go(func() error { return e.deliverer.Run(groupCtx) })
	group.Go(func() error { return e.work(groupCtx, newInbox(), e.applyImports) })
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}
