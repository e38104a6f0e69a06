//go:build !image

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/devcluster"
	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/stripesim"
)

const (
	// devRegion is the one region that kustiq dev serves.
	devRegion      = "EU"
	devRegionToken = "eu"
)

// devStack is everything that kustiq dev started. Its fields are filled in the order of startStack.
type devStack struct {
	*process
	opts    devOptions
	started time.Time
	logFile *os.File
	envMu   sync.Mutex

	listeners devListeners
	cluster   *devcluster.Cluster
	kube      client.Client
	keys      *keys.Set
	busFiles  []byte
	busServer *bus.Server
	bus       *bus.Bus
	storeDSN  string
	store     *store.Store
	stripe    *stripesim.Server
	account   string
	api       *stripeapi.API
}

// startStack starts the parts, each on top of those before it. On an error the parts that did start are still in the
// returned stack, so that the caller can stop them.
func startStack(ctx context.Context, opts devOptions) (*devStack, error) {
	s := &devStack{process: newProcess(ctx, prometheus.NewRegistry()), opts: opts, started: time.Now()}
	steps := []struct {
		what string
		do   func() error
	}{
		{"", s.openLog},
		{"", s.listen},
		{"control plane (etcd and kube-apiserver)", s.startControlPlane},
		{"keys and namespaces", s.installKeys},
		{"bus (NATS JetStream)", s.startBus},
		{"score store", s.openStore},
		{"simulated Stripe", s.startStripe},
		{"receiver, engine, worker, dashboard", s.startRoles},
		{"operator", s.startOperator},
		{"", s.offerEnv},
	}
	for _, step := range steps {
		from := time.Now()
		if err := step.do(); err != nil {
			if step.what == "" {
				return s, err
			}
			return s, fmt.Errorf("start %s: %w", step.what, err)
		}
		if step.what != "" {
			s.say("started %s in %s", step.what, time.Since(from).Round(10*time.Millisecond))
		}
	}
	return s, nil
}

// say prints one progress line with the time since the start.
func (s *devStack) say(format string, args ...any) {
	fmt.Fprintf(s.opts.out, "%6.1fs  %s\n", time.Since(s.started).Seconds(), fmt.Sprintf(format, args...))
}

func (s *devStack) openLog() error {
	dir := filepath.Join(s.opts.dataDir, "logs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make log folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "kustiq.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	s.logFile = file
	s.log = slog.New(slog.NewJSONHandler(file, &slog.HandlerOptions{Level: s.opts.logLevel}))
	ctrl.SetLogger(logr.FromSlogHandler(s.log.Handler())) // before anything of controller-runtime runs
	return nil
}

// devListeners are opened before anything else, so that a port in use is known at once.
type devListeners struct{ dashboard, receiver, stripe net.Listener }

func (s *devStack) listen() (err error) {
	for _, l := range []struct {
		flag, addr string
		to         *net.Listener
	}{
		{"dashboard-addr", s.opts.dashboardAddr, &s.listeners.dashboard},
		{"receiver-addr", s.opts.receiverAddr, &s.listeners.receiver},
		{"stripe-addr", s.opts.stripeAddr, &s.listeners.stripe},
	} {
		if err := onLoopback(l.addr); err != nil {
			return fmt.Errorf("--%s: %w", l.flag, err)
		}
		if *l.to, err = listenOn(l.flag, l.addr); err != nil {
			return err
		}
	}
	return nil
}

// stop ends every part in reverse order and waits for it.
func (s *devStack) stop(cancel context.CancelFunc) error {
	cancel()
	errs := []error{s.group.Wait()}
	for _, l := range []net.Listener{s.listeners.dashboard, s.listeners.receiver, s.listeners.stripe} {
		if l != nil {
			_ = l.Close()
		}
	}
	if s.bus != nil {
		s.bus.Close()
	}
	if s.busServer != nil {
		errs = append(errs, s.busServer.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Stop())
	}
	if s.logFile != nil {
		errs = append(errs, s.logFile.Close())
	}
	return errors.Join(errs...)
}
