package worker

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/bus"
)

// An account that Stripe wants to be left alone keeps no turn meanwhile, and has one again when it asks.
func TestASlowedDownAccountGivesItsTurnBack(t *testing.T) {
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
	clock := clocktesting.NewFakeClock(time.Unix(1_760_000_000, 0))
	all, err := newBudgets(b, clock, DefaultShare, m)
	g.Expect(err).NotTo(HaveOccurred())
	account, turns := all.of("acct_1", true), newTurns(1)
	free := func() int { turns.mu.Lock(); defer turns.mu.Unlock(); return turns.free }

	g.Expect(account.refused("", 30*time.Second)).To(Succeed())
	asked := make(chan error)
	s := &seat{turns: turns, key: "acct_1"}
	go func() { asked <- account.wait(context.Background(), "events", claim{}, s) }()
	g.Eventually(free).Should(BeZero())
	began := clock.Now()
	step := func() { clock.Step(20 * time.Millisecond) }
	g.Eventually(func() int { step(); return free() }, "10s", "1ms").Should(Equal(1))
	g.Expect(clock.Now().Sub(began)).To(BeNumerically("<", 30*time.Second), "before it may ask")
	g.Eventually(func() chan error { step(); return asked }, "60s", "1ms").Should(Receive(BeNil()))
	g.Expect(clock.Now().Sub(began)).To(BeNumerically(">=", 30*time.Second))
	g.Expect(free()).To(BeZero())
	s.leave()
	s.leave()
	g.Expect(free()).To(Equal(1))
}
