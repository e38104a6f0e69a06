package ingest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

// realBus is an embedded JetStream server and a client.
func realBus(t *testing.T) *bus.Bus {
	t.Helper()
	g := NewWithT(t)
	logger := slog.New(slog.DiscardHandler)
	server, err := bus.StartServer(t.Context(), bus.ServerOptions{Dir: t.TempDir(), EncryptionKey: bytes.Repeat([]byte{7}, 32), Logger: logger})
	g.Expect(err).NotTo(HaveOccurred())
	client, err := bus.Open(t.Context(), bus.Options{Server: server, Region: "eu", Name: "test", Logger: logger})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		client.Close()
		g.Expect(server.Close()).To(Succeed())
	})
	return client
}

// running starts the engine on its own store and returns how to stop it.
func (b *bench) running(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	return func() {
		cancel()
		NewWithT(t).Expect(<-done).To(Succeed())
		NewWithT(t).Expect(b.store.Close()).To(Succeed())
	}
}

// TestFromBusToTable publishes live events and a backfill that overlap, stops the engine in between and starts another
// one: every event counts once.
func TestFromBusToTable(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	g.Expect(b.store.Close()).To(Succeed())
	events := realBus(t)
	var expected []signal.Signal
	publish := func(from, to int) {
		var backfill []bus.Message
		for i := from; i < to; i++ {
			s := failed("cus_1", fmt.Sprintf("evt_%d", i), fmt.Sprintf("in_%d", i/3), 1+i%3, float64(60-i))
			expected = append(expected, s)
			_, err := events.PublishLive(b.ctx, message(s))
			g.Expect(err).NotTo(HaveOccurred())
			listed := message(s)
			listed.EventID, listed.EventType = "", ""
			backfill = append(backfill, listed)
		}
		g.Expect(events.PublishBackfill(b.ctx, backfill)).To(Succeed())
	}
	settled := func() {
		g.Eventually(func() (int, error) {
			c, err := b.store.Counts(b.ctx, workspace)
			return c.Signals, err
		}, "20s").Should(Equal(len(expected)))
		g.Eventually(func() int { return b.counted(t, scored) + b.counted(t, duplicate) }, "20s").Should(BeNumerically(">=", 40))
	}

	publish(0, 20)
	b.start(t, events)
	stop := b.running(t)
	settled()
	b.expectStored(t, "cus_1", expected, "the first engine")
	stop()

	publish(20, 40)
	b.start(t, events)
	stop = b.running(t)
	settled()
	b.expectStored(t, "cus_1", expected, "the second engine")
	page, err := b.store.AtRisk(b.ctx, workspace, store.AtRiskQuery{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Total).To(Equal(1))
	stop()
}

func TestOptionsAreRequired(t *testing.T) {
	g := NewWithT(t)
	_, err := New(Options{})
	g.Expect(err).To(MatchError(ContainSubstring("a bus is required")))
	_, err = newEngine(Options{}, noBus{}, boards{})
	g.Expect(err).To(MatchError(ContainSubstring("are required")))
}
