package backfill_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/worker"
)

// workerEnv holds, as JSON, what a worker's process is given.
const workerEnv = "KUSTIQ_BACKFILL_WORKER"

// given to a worker's process: where bus and Stripe are, and the access tokens by connection.
type given struct {
	BusURL, StripeURL string
	Tokens            map[string]string
}

// Load implements worker.TokenSource.
func (g given) Load(_ context.Context, uid string) (tokenstore.Record, error) {
	token, ok := g.Tokens[uid]
	if !ok {
		return tokenstore.Record{}, tokenstore.ErrNotFound
	}
	return tokenstore.Record{Access: stripeapi.Secret(token)}, nil
}

// TestMain runs a worker instead of tests in the processes that tests start for that.
func TestMain(m *testing.M) {
	text := os.Getenv(workerEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var g given
	err := json.Unmarshal([]byte(text), &g)
	if err == nil {
		err = g.work()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func (g given) work() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := bus.Open(ctx, bus.Options{URL: g.BusURL, Token: busToken, Region: "eu", Logger: log})
	if err != nil {
		return err
	}
	defer b.Close()
	metrics := prometheus.NewRegistry()
	api, err := stripeapi.New(stripeapi.Config{APIURL: g.StripeURL, ConnectURL: g.StripeURL, Clock: clock.RealClock{}, Metrics: metrics})
	if err != nil {
		return err
	}
	w, err := worker.New(worker.Options{Bus: b, Tokens: g, API: api, Clock: clock.RealClock{}, Metrics: metrics, Logger: log})
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// process is a worker of its own.
type process struct {
	t       testing.TB
	command *exec.Cmd
}

func startProcess(t testing.TB, g given) *process {
	t.Helper()
	text, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, command: exec.Command(os.Args[0])}
	p.command.Env = append(os.Environ(), workerEnv+"="+string(text))
	p.command.Stdout, p.command.Stderr = os.Stdout, os.Stderr
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.command.ProcessState == nil {
			_ = p.command.Process.Kill()
			_ = p.command.Wait()
		}
	})
	return p
}

// kill ends it as a crash or a lost machine does.
func (p *process) kill() {
	p.t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := p.command.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		p.t.Fatalf("the worker ended by itself: %v", err)
	}
}
