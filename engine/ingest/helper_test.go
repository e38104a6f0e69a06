package ingest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/vault"
)

// start is where every test's clock begins.
var start = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

const workspace = "acme/prod"

// bench is an engine on a real SQLite store, with a clock and a bus that the test moves by hand.
type bench struct {
	*Engine
	ctx      context.Context
	clock    *clocktesting.FakeClock
	registry *prometheus.Registry
	log      *lockedBuffer
	vault    *vault.Vault
	path     string
}

func newBench(t testing.TB, change ...func(o *Options)) *bench {
	t.Helper()
	g := NewWithT(t)
	b := &bench{ctx: t.Context(), clock: clocktesting.NewFakeClock(start), log: &lockedBuffer{},
		path: filepath.Join(t.TempDir(), "store.db")}
	keyset, err := vault.NewKeyset()
	g.Expect(err).NotTo(HaveOccurred())
	b.vault, err = vault.Open(keyset)
	g.Expect(err).NotTo(HaveOccurred())
	b.start(t, noBus{}, change...)
	return b
}

// start opens the store and makes an engine on it; after stop it may be called again.
func (b *bench) start(t testing.TB, from source, change ...func(o *Options)) {
	t.Helper()
	g := NewWithT(t)
	logger := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	st, err := store.Open(b.ctx, store.Options{DSN: "sqlite://" + b.path, Vault: b.vault, Clock: b.clock, Logger: logger})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = st.Close() })
	b.registry = prometheus.NewRegistry()
	o := Options{Store: st, Clock: b.clock, Logger: logger, Metrics: b.registry}
	for _, c := range change {
		c(&o)
	}
	on := boards{erasures: &memory[bus.Erasure]{}, policies: &memory[bus.MatchPolicy]{}, matches: &memory[bus.Matches]{},
		settings: &memory[bus.Settings]{}}
	if real, ok := from.(*bus.Bus); ok {
		on = boardsOf(real)
	}
	b.Engine, err = newEngine(o, from, on)
	g.Expect(err).NotTo(HaveOccurred())
}

// noBus is for tests that hand messages over themselves.
type noBus struct{}

func (noBus) ConsumeSignals(ctx context.Context, _ bus.ConsumeOptions, _ func(context.Context, []bus.Delivery)) error {
	<-ctx.Done()
	return ctx.Err()
}

// deliver hands messages over as one live batch, in their first attempt, and returns how each was settled.
func (b *bench) deliver(messages ...bus.Message) []*answer {
	return b.deliverAttempt(1, messages...)
}

func (b *bench) deliverAttempt(attempt int, messages ...bus.Message) []*answer {
	answers := make([]*answer, len(messages))
	batch := make([]item, len(messages))
	for i, m := range messages {
		answers[i] = &answer{}
		batch[i] = item{Message: m, attempt: attempt, live: true, delivery: answers[i]}
	}
	b.handle(b.ctx, batch)
	return answers
}

// answer records how a message was settled.
type answer struct {
	what  string
	after time.Duration
	lost  bool // the bus does not hear it
}

func (a *answer) settle(what string, after time.Duration) error {
	if a.what != "" {
		return errors.New("settled twice")
	}
	if a.what, a.after = what, after; a.lost {
		return errors.New("not heard")
	}
	return nil
}

func (a *answer) Ack() error                      { return a.settle("ack", 0) }
func (a *answer) Retry(after time.Duration) error { return a.settle("retry", after) }
func (a *answer) Drop() error                     { return a.settle("drop", 0) }

func acked() *answer                      { return &answer{what: "ack"} }
func retryIn(after time.Duration) *answer { return &answer{what: "retry", after: after} }

// message carries signals as the event of the first one.
func message(signals ...signal.Signal) bus.Message {
	return bus.Message{Workspace: workspace, Connection: "uid-1", Account: "acct_1", Livemode: true, EventID: signals[0].EventID,
		EventType: string(signals[0].Kind), Created: signals[0].Created, ReceivedAtMs: start.UnixMilli(), Signals: signals}
}

// at is the unix time of some days before the tests' start; later days are negative.
func at(daysAgo float64) int64 { return start.Unix() - int64(daysAgo*86400) }

func subscribed(customer, id string, daysAgo float64) signal.Signal {
	mrr := 4900.0
	return signal.Signal{ID: id, EventID: id, Kind: signal.SubscriptionObserved, Created: at(daysAgo), Provenance: signal.FromEvent,
		Customer: customer, Subscription: &signal.Subscription{ID: "sub_" + customer, Status: "active", Currency: "usd",
			Start: at(300), MRR: &mrr, IntervalMonths: 1, CurrentPeriodEnd: at(-15)}}
}

func failed(customer, id, invoice string, attempt int, daysAgo float64) signal.Signal {
	next := at(daysAgo - 3)
	return signal.Signal{ID: id, EventID: id, Kind: signal.PaymentFailed, Created: at(daysAgo), Provenance: signal.FromEvent,
		Customer: customer, Invoice: &signal.Invoice{ID: invoice, Subscription: "sub_" + customer, BillingReason: "subscription_cycle",
			Currency: "usd", AttemptCount: attempt, NextAttempt: &next, AmountDue: 4900, Created: at(daysAgo + 1)}}
}

func paid(customer, id, invoice string, daysAgo float64) signal.Signal {
	s := failed(customer, id, invoice, 1, daysAgo)
	s.Kind, s.Invoice.NextAttempt, s.Invoice.AmountPaid, s.Invoice.PaidAt = signal.PaymentSucceeded, nil, 4900, s.Created
	return s
}

func about(customer, id, email string, daysAgo float64) signal.Signal {
	return signal.Signal{ID: id, EventID: id, Kind: signal.CustomerUpdated, Created: at(daysAgo), Provenance: signal.FromEvent,
		Customer: customer, Person: &signal.Person{Email: email, Name: "Name of " + email, CustomerCreated: at(300)}}
}

// shown returns a customer as the dashboard sees it.
func (b *bench) shown(t testing.TB, customer string) store.CustomerDetail {
	t.Helper()
	d, err := b.store.Customer(b.ctx, workspace, customer)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return d
}

// counted returns the signals counted with an outcome.
func (b *bench) counted(t testing.TB, o outcome) int {
	t.Helper()
	families, err := b.registry.Gather()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		if f.GetName() != "kustiq_engine_signals_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == string(o) {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return -1
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// failed lists a workspace's failed events, or those of them that are given.
func (b *bench) failed(workspace string, only ...string) ([]store.FailedEvent, error) {
	page, err := b.store.Failed(b.ctx, workspace, store.FailedQuery{Events: only})
	return page.Events, err
}
