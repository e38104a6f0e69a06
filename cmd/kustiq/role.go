package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/tracing"
	"github.com/kustiq/kustiq/internal/version"
)

// roleFlags are those of every role's command.
type roleFlags struct {
	metricsListen, logFormat string
	logLevel                 slog.Level
}

func (f *roleFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.metricsListen, "metrics-listen", ":9090", "address of /metrics, /healthz and /readyz; port 0 takes a free one")
	flags.StringVar(&f.logFormat, "log-format", "text", "format of the log on the error output: text or json")
	flags.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "least level of what is logged: debug, info, warn or error")
}

// logger writes to the error output of a command.
func (f *roleFlags) logger(to io.Writer) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: f.logLevel}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q is unknown: use text or json", f.logFormat)
}

// role is the process of one role's command.
type role struct {
	*process
	// readyz answers beside the checks, when a part has an answer of its own.
	readyz http.Handler

	started atomic.Bool
	checks  []func(context.Context) bool
	closers []func() error
}

// traceTimeout bounds how long the last spans may take to be exported.
const traceTimeout = 2 * time.Second

// runRole starts a role and returns when it has ended; SIGTERM and Ctrl-C end it without an error.
func runRole(cmd *cobra.Command, flags roleFlags, metrics registry, start func(*role) error) (err error) {
	log, err := flags.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	// Before anything of these two libraries runs.
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	klog.SetSlogLogger(log)
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	r := &role{process: newProcess(ctx, metrics)}
	r.log = log
	defer func() { err = errors.Join(err, r.close()) }()
	l, err := listenOn("metrics-listen", flags.metricsListen)
	if err != nil {
		return err
	}
	if r.tracer, err = tracing.Open(ctx, cmd.Name()); err != nil {
		return err
	}
	r.atEnd(func() error {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceTimeout)
		defer cancel()
		return r.tracer.Close(last)
	})
	r.log.Info("starting", "role", cmd.Name(), "version", version.Version, "metrics", baseURL(l)+"/metrics")
	r.serve(&http.Server{Handler: r.telemetry(), ReadHeaderTimeout: stopTimeout}, l)
	if err = start(r); err != nil {
		cancel()
	} else if r.ctx.Err() == nil {
		r.started.Store(true)
		r.log.Info("started")
	}
	if ended := r.wait(); ended != nil {
		err = ended // the cause of whatever start has met
	}
	if cmd.Context().Err() == nil {
		return err
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	r.log.Info("stopped", "cause", context.Cause(cmd.Context()))
	return err
}

// newMetrics is the registry of the roles that controller-runtime does not have one for.
func newMetrics() registry {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return metrics
}

// telemetry serves what Prometheus and kubelet ask for.
func (r *role) telemetry() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		failing := func(check func(context.Context) bool) bool { return !check(req.Context()) }
		switch {
		case !r.started.Load() || r.ctx.Err() != nil || slices.ContainsFunc(r.checks, failing):
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.readyz != nil:
			r.readyz.ServeHTTP(w, req)
		}
	})
	return mux
}

// atEnd closes something after all parts have ended; what was opened last is closed first.
func (r *role) atEnd(closer func() error) { r.closers = append(r.closers, closer) }

func (r *role) close() error {
	var errs []error
	for _, closer := range slices.Backward(r.closers) {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}

const (
	// firstWait and longestWait are the pauses between tries to reach the bus; each is twice the one before.
	firstWait   = 250 * time.Millisecond
	longestWait = 5 * time.Second
)

// insist repeats what fails because the bus is away, says so, and returns when it succeeds, fails otherwise, or the
// process stops.
func (r *role) insist(what string, try func() error) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := try()
		if err == nil {
			return nil
		}
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		if !errors.Is(err, bus.ErrUnavailable) {
			return err
		}
		level := slog.LevelWarn
		if errors.Is(err, bus.ErrNoSpace) {
			level = slog.LevelError // until somebody does something
		}
		r.log.Log(r.ctx, level, "waiting for the bus", "for", what, "again", wait, "error", err)
		select {
		case <-r.ctx.Done():
			return r.ctx.Err()
		case <-r.clock.After(wait):
		}
	}
}

// runOnBus keeps a part running that begins with requests to the bus, and begins anew while these fail.
func (r *role) runOnBus(name string, part func(context.Context) error) {
	r.run(name, func(ctx context.Context) error {
		return r.insist(name, func() error { return part(ctx) })
	})
}
