package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

const (
	// backfillSlots is how many backfills one worker runs at a time, which share inFlight requests fairly; lookUpSlots the
	// same for disputes and re-drives. All of them wait for Stripe most of the time.
	backfillSlots = 64
	lookUpSlots   = 32
	// lookUpShare is how many of its slots one connection may have: a flood of disputes, or an account that Stripe slows
	// down, leaves the others theirs.
	lookUpShare = 8
	// crowdedPause is how long a look-up beyond that is put off.
	crowdedPause = 5 * time.Second
	// chargesKept bounds how many charges' customers are remembered.
	chargesKept = 4096
	// inFlight is how many pages may be asked for at a time: of an account whose pages take 2.7 s 96 a second are 260, and
	// others wait for their frame. How many are in memory is bounded by inMemory.
	inFlight = 384
)

// inMemory is how many pages are read and published at a time.
var inMemory = max(4, 2*runtime.GOMAXPROCS(0))

// TokenSource gives the token of a connection, by the connection's uid. It returns tokenstore.ErrNotFound when there
// is none, which is how a disconnected account looks.
type TokenSource interface {
	Load(ctx context.Context, uid string) (tokenstore.Record, error)
}

// Options of a Worker. All but Share are required.
type Options struct {
	Bus     *bus.Bus
	Tokens  TokenSource
	API     *stripeapi.API
	Clock   clock.WithTicker
	Logger  *slog.Logger
	Metrics prometheus.Registerer
	// Share of the rate that Stripe allows an account, which is used while there is work: up to 0.96, the default. All
	// workers of a region must have the same.
	Share float64
}

// Worker runs tasks from the bus.
type Worker struct {
	bus     *bus.Bus
	tokens  TokenSource
	api     *stripeapi.API
	clock   clock.WithTicker
	log     *slog.Logger
	metrics *metrics
	budgets *budgets
	// charges are the customers of charges that were looked up lately, by chargeKey.
	charges *lru.Cache
	// lookUps counts the look-ups under way by connection.
	lookUps lookUps
	// random is from 0 up to 1.
	random func() float64
	// requests are the turns of pages to be asked for, pages those of pages in memory.
	requests, pages *turns
}

// New checks the options and registers the metrics.
func New(o Options) (*Worker, error) {
	if o.Bus == nil || o.Tokens == nil || o.API == nil || o.Clock == nil || o.Logger == nil || o.Metrics == nil {
		return nil, errors.New("worker: New needs every option")
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("worker: register metrics: %w", err)
	}
	if o.Share == 0 {
		o.Share = DefaultShare
	}
	b, err := newBudgets(o.Bus, o.Clock, o.Share, m)
	if err != nil {
		return nil, err
	}
	return &Worker{
		bus: o.Bus, tokens: o.Tokens, api: o.API, clock: o.Clock, log: o.Logger, metrics: m, budgets: b, random: rand.Float64,
		charges: lru.New(chargesKept), lookUps: lookUps{under: map[string]int{}},
		requests: newTurns(inFlight), pages: newTurns(inMemory),
	}, nil
}

// Run takes tasks until ctx ends. Tasks under way are handed back to the bus then; none is running when Run returns.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.bus.ConsumeTasks(ctx, bus.TaskSlots{LookUps: lookUpSlots, Backfills: backfillSlots}, w.handle); err != nil && ctx.Err() == nil {
		return fmt.Errorf("worker: consume tasks: %w", err)
	}
	return nil
}

// settlement is how one delivery of a task ends.
type settlement struct {
	// outcome is a label of the task metric.
	outcome string
	// again asks for another delivery after this long; 0 means that the task is over.
	again time.Duration
}

func (w *Worker) handle(ctx context.Context, d bus.TaskDelivery) {
	var s settlement
	switch {
	case d.Task.Kind == bus.TaskBackfill && d.Task.Backfill != nil:
		s = w.backfill(ctx, d, *d.Task.Backfill)
	case d.Task.Kind == bus.TaskDispute && d.Task.Dispute != nil:
		s = w.lookUp(d.Task.Dispute.Connection, func() settlement { return w.dispute(ctx, d, *d.Task.Dispute) })
	case d.Task.Kind == bus.TaskRedrive && d.Task.Redrive != nil:
		s = w.lookUp(d.Task.Redrive.Connection, func() settlement { return w.redrive(ctx, d, *d.Task.Redrive) })
	default:
		w.log.Error("task of an unknown kind dropped", "kind", d.Task.Kind)
		s = settlement{outcome: "unknown"}
	}
	w.metrics.tasks.WithLabelValues(string(d.Task.Kind), s.outcome).Inc()
	var err error
	switch {
	case s.again > 0:
		err = d.Retry(s.again)
	default:
		err = d.Ack()
	}
	if err != nil {
		// The bus delivers it again by itself; every task is safe to repeat.
		w.log.Warn("settle task", "kind", d.Task.Kind, "outcome", s.outcome, "error", err)
	}
}

// interrupted is the settlement of a task that a shutdown cut short: another worker may have it at once.
func interrupted() settlement { return settlement{outcome: "interrupted", again: time.Second} }
