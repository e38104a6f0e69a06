package throughput_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/ingest"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/vault"
	"github.com/kustiq/kustiq/webhookreceiver"
)

const secret = "whsec_throughput"

// world is a bus, and what a benchmark starts on it. All but the load runs in this process.
type world struct {
	b        *testing.B
	bus      *bus.Bus
	vault    *vault.Vault
	store    *store.Store
	metrics  *prometheus.Registry
	receiver string
	// began gets the instant of the first event of each load.
	began chan time.Time
}

var quiet = slog.New(slog.DiscardHandler)

func newWorld(b *testing.B) *world {
	b.Helper()
	w := &world{b: b, metrics: prometheus.NewRegistry(), began: make(chan time.Time, 1)}
	keys, err := vault.NewKeyset()
	w.must(err)
	w.vault, err = vault.Open(keys)
	w.must(err)
	server, err := bus.StartServer(b.Context(), bus.ServerOptions{
		Dir: filepath.Join(b.TempDir(), "bus"), EncryptionKey: bytes.Repeat([]byte{1}, 32), Logger: quiet,
	})
	w.must(err)
	b.Cleanup(func() { _ = server.Close() })
	w.bus, err = bus.Open(b.Context(), bus.Options{Server: server, Region: "eu", Replicas: 1, Logger: quiet})
	w.must(err)
	b.Cleanup(w.bus.Close)
	sealed, err := w.vault.Seal([]byte(secret), "endpoint/we_1")
	w.must(err)
	_, err = w.bus.Endpoints().Put(b.Context(), "live", bus.Endpoint{ID: "we_1", SecretIDs: []string{"we_1"}, Secrets: [][]byte{sealed}})
	w.must(err)
	for n := range accounts {
		_, err = w.bus.Routes().Put(b.Context(), bus.RouteKey(accountOf(n), true), bus.Route{
			Workspace: workspaceOf(n), Connection: fmt.Sprint("uid-", n), Account: accountOf(n), Livemode: true,
		})
		w.must(err)
	}
	return w
}

func workspaceOf(n int) string { return "tenant-" + strconv.Itoa(n) + "/main" }

func (w *world) must(err error) {
	w.b.Helper()
	if err != nil {
		w.b.Fatal(err)
	}
}

// serve serves a handler as the receiver is served, and returns its address.
func (w *world) serve(handler http.Handler) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	server := webhookreceiver.NewServer("", handler)
	go func() { _ = server.Serve(listener) }()
	w.b.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

func (w *world) startReceiver() {
	receiver, err := webhookreceiver.New(webhookreceiver.Options{
		Bus: w.bus, Vault: w.vault, Clock: clock.RealClock{}, Logger: quiet, Metrics: w.metrics,
	})
	w.must(err)
	w.run(receiver.Run)
	w.receiver = w.serve(receiver.Handler())
	for {
		answer, err := http.Get("http://" + w.receiver + "/readyz")
		w.must(err)
		w.must(answer.Body.Close())
		if answer.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// run runs a role until the benchmark ends.
func (w *world) run(role func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = role(ctx)
	}()
	w.b.Cleanup(func() {
		stop()
		<-ended
	})
}

func (w *world) sqlite() string { return "sqlite://" + filepath.Join(w.b.TempDir(), "store.db") }

func (w *world) startEngine(dsn string) {
	var err error
	w.store, err = store.Open(w.b.Context(), store.Options{DSN: dsn, Vault: w.vault, Clock: clock.RealClock{}, Logger: quiet})
	w.must(err)
	w.b.Cleanup(func() { _ = w.store.Close() })
	engine, err := ingest.New(ingest.Options{Bus: w.bus, Store: w.store, Clock: clock.RealClock{}, Logger: quiet, Metrics: w.metrics})
	w.must(err)
	w.run(engine.Run)
}

// scored is how many signals the engine has scored.
func (w *world) scored() (n float64) {
	families, err := w.metrics.Gather()
	w.must(err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if family.GetName() == "kustiq_engine_signals_total" && label.GetValue() == "scored" {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return n
}

// null reads and verifies, and does nothing else.
func (w *world) null(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		_, err = stripeapi.VerifySignature(r.Header.Get("Stripe-Signature"), body, []string{secret}, time.Now())
	}
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(rw, `{"received":true}`)
}

// send has another process post events to an address, and fails the benchmark unless all are acknowledged.
func (w *world) send(address string, events int, perSecond float64, sample int) loaded {
	w.b.Helper()
	given, err := json.Marshal(load{
		Address: address, Path: "/webhooks/stripe/live", Secret: secret, Events: events, Connections: connections,
		Accounts: accounts, PerSecond: perSecond, Sample: sample,
	})
	w.must(err)
	command := exec.CommandContext(w.b.Context(), os.Args[0])
	command.Env = append(os.Environ(), loadEnv+"="+string(given))
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	w.must(err)
	w.must(command.Start())
	lines := bufio.NewReader(output)
	line, err := lines.ReadString('\n')
	w.must(err)
	ns, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	w.must(err)
	w.began <- time.Unix(0, ns)
	var done loaded
	w.must(json.NewDecoder(lines).Decode(&done))
	w.must(command.Wait())
	select {
	case <-w.began: // nobody watches
	default:
	}
	if done.Statuses[http.StatusOK] != events {
		w.b.Fatalf("answers by status: %v", done.Statuses)
	}
	return done
}
