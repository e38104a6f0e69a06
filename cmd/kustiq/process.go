package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/tracing"
)

const (
	// stopTimeout is how long a server may take to answer the requests it has.
	stopTimeout = 10 * time.Second
	// endTimeout is how long all parts of a process may take to end. It is below the 30 s after which Kubernetes kills.
	endTimeout = 25 * time.Second
)

// registry takes metrics and gives them out.
type registry interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// process is what the parts of one process share. They end together: when the context does, or when one of them fails.
type process struct {
	clock   clock.WithTicker
	log     *slog.Logger
	metrics registry
	// tracer is nil unless the environment asks for one.
	tracer *tracing.Tracer

	group *errgroup.Group
	ctx   context.Context
}

// newProcess has no log yet; whoever makes it sets one before anything runs.
func newProcess(ctx context.Context, metrics registry) *process {
	p := &process{clock: clock.RealClock{}, metrics: metrics}
	p.group, p.ctx = errgroup.WithContext(ctx)
	return p
}

// run keeps a part running; its failure stops the process.
func (p *process) run(name string, part func(context.Context) error) {
	p.group.Go(func() error {
		if err := part(p.ctx); err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// serve runs an HTTP server until the process stops. It then takes no more connections and answers what it has.
func (p *process) serve(server *http.Server, l net.Listener) {
	p.group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	p.group.Go(func() error {
		<-p.ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), stopTimeout)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close()
		}
		return nil
	})
}

// wait returns when all parts have ended, or when they take too long over it.
func (p *process) wait() error {
	ended := make(chan error, 1)
	go func() { ended <- p.group.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-p.ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-p.clock.After(endTimeout):
		return fmt.Errorf("did not end within %s", endTimeout)
	}
}

// listenOn opens an address that a flag names.
func listenOn(flag, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use: choose another with --%s, or port 0 for a free one", addr, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return l, nil
}

func baseURL(l net.Listener) string { return "http://" + l.Addr().String() }

// onLoopback refuses an address that other machines reach.
func onLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("%s is not a loopback address, and kustiq dev signs everybody in", addr)
}
