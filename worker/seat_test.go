package worker

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/bus"
)

// budgetOf is an account's budget on a real bus.
func budgetOf(t *testing.T, clock *clocktesting.FakeClock) *budget {
	t.Helper()
	g := NewWithT(t)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	server, err := bus.StartServer(t.Context(), bus.ServerOptions{Dir: t.TempDir(), EncryptionKey: make([]byte, 32), Logger: quiet})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(server.Close()).To(Succeed()) })
	b, err := bus.Open(t.Context(), bus.Options{Server: server, Region: "eu", Name: "test", Logger: quiet})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(b.Close)
	m, err := newMetrics(prometheus.NewRegistry())
	g.Expect(err).NotTo(HaveOccurred())
	all, err := newBudgets(b, clock, DefaultShare, m)
	g.Expect(err).NotTo(HaveOccurred())
	return all.of("acct_1", true)
}

// A burst of requests that are refused together is written down as a whole.
func TestManyRefusalsAtOnce(t *testing.T) {
	account := budgetOf(t, clocktesting.NewFakeClock(time.Unix(1_760_000_000, 0)))
	var group errgroup.Group
	for range 4 * budgetTries {
		group.Go(func() error { return account.refused("invoices", 0) })
	}
	NewWithT(t).Expect(group.Wait()).To(Succeed())
}

// An account that Stripe wants to be left alone keeps no turn meanwhile, and has one again when it asks.
func TestASlowedDownAccountGivesItsTurnBack(t *testing.T) {
	g := NewWithT(t)
	clock := clocktesting.NewFakeClock(time.Unix(1_760_000_000, 0))
	account, turns := budgetOf(t, clock), newTurns(1)
	free := func() int { turns.mu.Lock(); defer turns.mu.Unlock(); return turns.free }

	g.Expect(account.refused("", 30*time.Second)).To(Succeed())
	asked := make(chan error)
	s := &seat{turns: turns, key: "acct_1"}
	go func() { asked <- account.wait(context.Background(), "events", claim{}, s) }()
	g.Eventually(free).Should(BeZero())
	began := clock.Now()
	step := func() { clock.Step(20 * time.Millisecond) }
	g.Eventually(func() int { step(); return free() }, "10s", "5ms").Should(Equal(1))
	g.Expect(clock.Now().Sub(began)).To(BeNumerically("<", 30*time.Second), "before it may ask")
	g.Eventually(func() chan error { step(); return asked }, "60s", "1ms").Should(Receive(BeNil()))
	g.Expect(clock.Now().Sub(began)).To(BeNumerically(">=", 30*time.Second))
	g.Expect(free()).To(BeZero())
	s.leave()
	s.leave()
	g.Expect(free()).To(Equal(1))
}
