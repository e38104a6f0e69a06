// Package backfill_test reads simulated accounts' history with real workers and a real bus, and holds what comes of it
// against the events of the same history.
package backfill_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/worker"
)

const (
	platform = "Kustiq"
	account  = "acct_history"
	busToken = "history"
	// patience is how long anything may take on a busy machine.
	patience = 2 * time.Minute
)

// rig is a simulated Stripe, a real bus, and workers in this process.
type rig struct {
	*WithT
	t   testing.TB
	sim *stripesim.Server
	url string
	bus *bus.Bus
	// busURL is where worker processes find it.
	busURL string
	// tokens of the accounts, by connection, which is called as its account.
	tokens map[string]string

	// drop lets what is received be forgotten.
	drop     atomic.Bool
	mu       sync.Mutex
	received map[string]signal.Signal // by id
}

func newRig(t testing.TB, accounts ...*stripesim.Account) *rig {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	r := &rig{WithT: NewWithT(t), t: t, received: map[string]signal.Signal{}, tokens: map[string]string{}}
	var err error
	r.sim, err = stripesim.New(stripesim.Options{Clock: clock.RealClock{}, Seed: 1, Logger: quiet})
	must(t, err)
	r.sim.AddPlatform(stripesim.Platform{Name: platform, SecretKeyLive: "sk_live_platform", SecretKeyTest: "sk_test_platform"})
	for _, a := range accounts {
		r.sim.AddAccount(a)
		r.tokens[a.ID], _ = r.sim.Grant(platform, a.ID, a.Livemode)
	}
	web := httptest.NewServer(r.sim)
	t.Cleanup(web.Close)
	r.url = web.URL
	server, err := bus.StartServer(t.Context(), bus.ServerOptions{
		Dir: t.TempDir(), EncryptionKey: make([]byte, 32), Listen: "127.0.0.1:0", Token: busToken, Logger: quiet,
	})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	r.busURL = server.ClientURL()
	r.bus, err = bus.Open(t.Context(), bus.Options{Server: server, Region: "eu", Logger: quiet})
	must(t, err)
	t.Cleanup(r.bus.Close)
	r.collect()
	return r
}

// collect takes signals off the bus as the engine would, each message once or oftener.
func (r *rig) collect() {
	ctx, cancel := context.WithCancel(context.Background())
	var collecting sync.WaitGroup
	collecting.Go(func() {
		err := r.bus.ConsumeSignals(ctx, bus.ConsumeOptions{MaxBatch: 1000}, func(_ context.Context, batch []bus.Delivery) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, d := range batch {
				for _, s := range d.Message.Signals {
					if !r.drop.Load() {
						r.received[s.ID] = s
					}
				}
				if err := d.Ack(); err != nil {
					r.t.Errorf("acknowledge: %v", err)
				}
			}
		})
		if !errors.Is(err, context.Canceled) {
			r.t.Errorf("consume signals: %v", err)
		}
	})
	r.t.Cleanup(func() { cancel(); collecting.Wait() })
}

// start runs a worker until the test ends.
func (r *rig) start() {
	r.t.Helper()
	metrics := prometheus.NewRegistry()
	api, err := stripeapi.New(stripeapi.Config{APIURL: r.url, ConnectURL: r.url, Clock: clock.RealClock{}, Metrics: metrics})
	must(r.t, err)
	w, err := worker.New(worker.Options{
		Bus: r.bus, Tokens: r.given(), API: api, Clock: clock.RealClock{}, Metrics: metrics, Logger: slog.New(slog.DiscardHandler),
	})
	must(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { must(r.t, w.Run(ctx)) })
	r.t.Cleanup(func() { cancel(); working.Wait() })
}

// given is what a worker is.
func (r *rig) given() given { return given{BusURL: r.busURL, StripeURL: r.url, Tokens: r.tokens} }

func (r *rig) publish(uid, window string, until time.Time) {
	r.t.Helper()
	r.publishFor(account, uid, window, until)
}

func (r *rig) publishFor(account, uid, window string, until time.Time) {
	r.t.Helper()
	_, err := r.bus.Progress().Create(r.t.Context(), uid, bus.Progress{Phase: bus.PhasePending})
	must(r.t, err)
	must(r.t, r.bus.PublishTask(r.t.Context(), uid, bus.Task{Kind: bus.TaskBackfill, Backfill: &bus.BackfillTask{
		UID: uid, Namespace: "team", Name: uid, Connection: account, Workspace: "team/main", Account: account, Livemode: true,
		Window: window, Until: until.Unix(),
	}}))
}

// succeeds waits for a backfill's end, and for all of its signals.
func (r *rig) succeeds(uid string) (p bus.Progress) {
	r.t.Helper()
	r.Eventually(func() string {
		var err error
		if p, _, err = r.bus.Progress().Get(r.t.Context(), uid); errors.Is(err, bus.ErrNotFound) {
			return ""
		}
		must(r.t, err)
		return p.Phase
	}, patience, "20ms").Should(Or(Equal(bus.PhaseSucceeded), Equal(bus.PhaseFailed)))
	r.Expect(p.Phase).To(Equal(bus.PhaseSucceeded), p.Message)
	r.Eventually(func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.received) }, patience, "20ms").
		Should(BeNumerically(">=", p.Signals))
	return p
}

// byCustomer sorts signals by whose they are.
func byCustomer(signals map[string]signal.Signal) map[string][]signal.Signal {
	out := map[string][]signal.Signal{}
	for _, s := range signals {
		out[s.Customer] = append(out[s.Customer], s)
	}
	return out
}

// told is what events say, by signal id, with the customers of disputes.
func told(t testing.TB, events []map[string]any) map[string]signal.Signal {
	t.Helper()
	all, owners := map[string]signal.Signal{}, map[string]string{}
	for _, body := range events {
		raw, err := json.Marshal(body)
		must(t, err)
		e, err := signal.DecodeEvent(raw)
		must(t, err)
		if charge, customer, ok := e.ChargeOwner(); ok {
			owners[charge] = customer
		}
		signals, err := signal.Classify(e)
		must(t, err)
		for _, s := range signals {
			all[s.ID] = s
		}
	}
	for id, s := range all {
		if s.Customer == "" && s.Dispute != nil {
			s.Customer = owners[s.Dispute.Charge]
			all[id] = s
		}
	}
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
