package ingest

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

// Options of an Engine.
type Options struct {
	Bus     *bus.Bus
	Store   *store.Store
	Clock   clock.WithTicker
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Engine consumes signals and keeps scores current.
type Engine struct{ o Options }

// New checks the options and returns an engine that Run starts.
func New(o Options) (*Engine, error) { return &Engine{o: o}, nil }

// Run works until ctx ends.
func (e *Engine) Run(ctx context.Context) error { <-ctx.Done(); return nil }
