// Package webhookreceiver owns the way in: it verifies what Stripe posts, keeps the allowed fields of it, and answers 2xx
// only when the bus has made the signals durable. It knows the bus and nothing of Kubernetes, the store or scores.
package webhookreceiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/tracing"
	"github.com/kustiq/kustiq/internal/vault"
)

const (
	// DefaultMaxBody bounds a request's body in bytes; Stripe's largest events are far below.
	DefaultMaxBody = 2 << 20
	// askSecrets is how often in a second the bus may be asked for newer secrets, because a signature is of none.
	askSecrets = 20
	// askRoutes is how often in a second the bus may be asked for the connection of an account that nobody told of.
	askRoutes = 100
	// flushEvery is how often counters go to the Health bucket.
	flushEvery = time.Second
)

// Options of a Receiver.
type Options struct {
	Bus *bus.Bus
	// Vault opens the signing secrets of the Endpoints bucket.
	Vault   *vault.Vault
	Clock   clock.WithTicker
	Logger  *slog.Logger
	Metrics prometheus.Registerer
	// MaxBodyBytes bounds a body; 0 means DefaultMaxBody.
	MaxBodyBytes int64
	// AccountRate and AccountBurst bound one account's events per second; 0 means 2000 and 4000.
	AccountRate  float64
	AccountBurst int
	// Tracer follows events; nil does not.
	Tracer *tracing.Tracer
}

// Receiver answers Stripe's webhook requests. It keeps no state that another replica would need.
type Receiver struct {
	bus     *bus.Bus
	clock   clock.WithTicker
	log     *slog.Logger
	maxBody int64
	metrics *metrics
	table   *table
	limits  *limits
	health  *healthBook
	bodies  *bodies
	// asking and askingRoute bound how often the bus is asked for newer secrets and routes.
	asking, askingRoute *rate.Limiter

	tracer *tracing.Tracer
}

// New returns a receiver; Run must be running for it to accept anything.
func New(opts Options) (*Receiver, error) {
	if opts.Bus == nil || opts.Vault == nil || opts.Clock == nil || opts.Logger == nil || opts.Metrics == nil {
		return nil, errors.New("webhookreceiver: bus, vault, clock, logger and metrics are needed")
	}
	if opts.MaxBodyBytes == 0 {
		opts.MaxBodyBytes = DefaultMaxBody
	}
	if opts.AccountRate == 0 {
		opts.AccountRate, opts.AccountBurst = 2000, 4000
	}
	m, err := newMetrics(opts.Metrics)
	if err != nil {
		return nil, err
	}
	return &Receiver{
		bus: opts.Bus, clock: opts.Clock, log: opts.Logger, maxBody: opts.MaxBodyBytes, metrics: m,
		table:       newTable(opts.Vault, opts.Logger),
		limits:      newLimits(opts.AccountRate, opts.AccountBurst),
		health:      newHealthBook(),
		bodies:      newBodies(bodiesInFlight),
		asking:      rate.NewLimiter(askSecrets, askSecrets),
		askingRoute: rate.NewLimiter(askRoutes, askRoutes),
		tracer:      opts.Tracer,
	}, nil
}

// Handler serves POST /webhooks/stripe/live and /test for Stripe's endpoints, POST /webhooks/stripe for a sender that
// signs with either mode's secret, and GET /healthz and /readyz.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/stripe/{mode}", r.receive)
	mux.HandleFunc("POST /webhooks/stripe", r.receive)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !r.table.loaded() || !r.bus.Connected() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return mux
}

// NewServer returns an HTTP server with the bounds that an open port on the internet needs.
func NewServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr: addr, Handler: handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}

// Run keeps routes and secrets up to date and writes health until ctx ends; it then writes the last counts.
func (r *Receiver) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if err := r.table.load(ctx, r.bus); err != nil {
		return fmt.Errorf("webhookreceiver: load routes: %w", err)
	}
	group.Go(func() error { return r.bus.Routes().Watch(ctx, r.table.setRoute) })
	group.Go(func() error { return r.bus.Endpoints().Watch(ctx, r.table.setEndpoint) })
	group.Go(func() error { return r.flushHealth(ctx) })
	return group.Wait()
}

func (r *Receiver) flushHealth(ctx context.Context) error {
	ticker := r.clock.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C():
			r.health.flush(ctx, r.bus.Health(), r.log)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			r.health.flush(last, r.bus.Health(), r.log)
			return ctx.Err()
		}
	}
}
