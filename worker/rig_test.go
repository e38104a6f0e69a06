package worker_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/worker"
)

const (
	acct  = "acct_test"
	conn  = "connection-uid"
	patch = 20 * time.Second // how long anything may take on a busy machine
)

// tokens is a TokenSource whose content a test may change.
type tokens struct {
	mu  sync.Mutex
	all map[string]tokenstore.Record
}

func (s *tokens) Load(_ context.Context, uid string) (tokenstore.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.all[uid]
	if !ok {
		return r, tokenstore.ErrNotFound
	}
	return r, nil
}

func (s *tokens) set(uid string, r tokenstore.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[uid] = r
}

// rig is a real bus, a Stripe at some URL, and as many workers as a test starts.
type rig struct {
	*gomega.WithT
	t        *testing.T
	bus      *bus.Bus
	tokens   *tokens
	api      *stripeapi.API
	clock    clock.WithTicker
	registry *prometheus.Registry

	mu       sync.Mutex
	received map[string]signal.Signal // by id
	live     []bus.Message
	failures map[string]bus.Failure // by event
}

func newRig(t *testing.T, url string, c clock.WithTicker) *rig {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	server, err := bus.StartServer(t.Context(), bus.ServerOptions{Dir: t.TempDir(), EncryptionKey: make([]byte, 32), Logger: quiet})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	b, err := bus.Open(t.Context(), bus.Options{Server: server, Region: "eu", Name: "test", Logger: quiet})
	must(t, err)
	t.Cleanup(b.Close)
	registry := prometheus.NewRegistry()
	api, err := stripeapi.New(stripeapi.Config{APIURL: url, ConnectURL: url, Clock: c, Metrics: registry})
	must(t, err)
	r := &rig{
		WithT: gomega.NewWithT(t), t: t, bus: b, api: api, clock: c, registry: registry,
		tokens:   &tokens{all: map[string]tokenstore.Record{conn: {Account: acct, Access: "rk_test_good"}}},
		received: map[string]signal.Signal{}, failures: map[string]bus.Failure{},
	}
	r.collect()
	return r
}

// collect takes signals off the bus as the engine would.
func (r *rig) collect() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := r.bus.ConsumeSignals(ctx, bus.ConsumeOptions{}, func(_ context.Context, batch []bus.Delivery) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, d := range batch {
				for _, s := range d.Message.Signals {
					r.received[s.ID] = s
				}
				if d.Message.Failure != "" {
					r.failures[d.Message.EventID] = d.Message.Failure
				}
				if d.Live {
					r.live = append(r.live, d.Message)
				}
				if err := d.Ack(); err != nil {
					r.t.Errorf("acknowledge: %v", err)
				}
			}
		})
		if !errors.Is(err, context.Canceled) {
			r.t.Errorf("consume signals: %v", err)
		}
	}()
	r.t.Cleanup(func() { cancel(); <-done })
}

// start runs a worker until the returned function, or the end of the test, stops it.
func (r *rig) start() (stop func()) {
	r.t.Helper()
	w, err := worker.New(worker.Options{
		Bus: r.bus, Tokens: r.tokens, API: r.api, Clock: r.clock, Metrics: r.registry, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	must(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("worker: %v", err)
		}
	})
	r.t.Cleanup(stop)
	return stop
}

// flow lets a clock go on by itself, twenty times as fast as time.
func (r *rig) flow(fake *clocktesting.FakeClock) {
	done := make(chan struct{})
	var flowing sync.WaitGroup
	flowing.Go(func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				fake.Step(20 * time.Millisecond)
			}
		}
	})
	r.t.Cleanup(func() { close(done); flowing.Wait() })
}

// change writes a backfill's progress as the operator does.
func (r *rig) change(uid string, apply func(*bus.Progress)) {
	r.t.Helper()
	r.Eventually(func() error {
		p, revision, err := r.bus.Progress().Get(context.Background(), uid)
		must(r.t, err)
		apply(&p)
		_, err = r.bus.Progress().Update(context.Background(), uid, p, revision)
		return err
	}, patch, "10ms").Should(gomega.Succeed())
}

// backfill publishes a task as the operator does, which creates its progress first; under an id if it was published before.
func (r *rig) backfill(task bus.BackfillTask, id ...string) {
	r.t.Helper()
	if _, err := r.bus.Progress().Create(context.Background(), task.UID, bus.Progress{Phase: bus.PhasePending}); !errors.Is(err, bus.ErrExists) {
		must(r.t, err)
	}
	r.publish(task, id...)
}

func (r *rig) publish(task bus.BackfillTask, id ...string) {
	r.t.Helper()
	id = append(id, task.UID)
	task.Namespace, task.Name, task.Workspace = "team", task.UID, "team/ws"
	task.Account, task.Connection = cmp.Or(task.Account, acct), cmp.Or(task.Connection, conn)
	must(r.t, r.bus.PublishTask(context.Background(), id[0], bus.Task{Kind: bus.TaskBackfill, Backfill: &task}))
}

func (r *rig) progress(uid string) bus.Progress {
	p, _, err := r.bus.Progress().Get(context.Background(), uid)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		r.t.Errorf("progress: %v", err)
	}
	return p
}

// ends waits until the backfill is over and returns its progress.
func (r *rig) ends(uid string) (p bus.Progress) {
	r.t.Helper()
	r.Eventually(func() string { p = r.progress(uid); return p.Phase }, patch, "10ms").
		Should(gomega.Or(gomega.Equal(bus.PhaseSucceeded), gomega.Equal(bus.PhaseFailed)))
	return p
}

// signals waits until as many have arrived as the progress says were sent, and counts them by kind.
func (r *rig) signals(want int64) map[signal.Kind]int {
	r.t.Helper()
	r.Eventually(func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.received) }, patch, "10ms").
		Should(gomega.BeNumerically(">=", want))
	r.mu.Lock()
	defer r.mu.Unlock()
	count := map[signal.Kind]int{}
	for _, s := range r.received {
		count[s.Kind]++
	}
	return count
}

// counter sums the series of a metric that carry all the given label values.
func (r *rig) counter(name string, values ...string) (sum float64) {
	families, err := r.registry.Gather()
	must(r.t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	series:
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			for _, v := range values {
				if !slices.Contains(labels, v) {
					continue series
				}
			}
			sum += m.GetCounter().GetValue()
		}
	}
	return sum
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
