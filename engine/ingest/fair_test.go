package ingest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/internal/bus"
)

// watched is a real bus that counts what an engine has handled when a quiet workspace's signal was.
type watched struct {
	*bus.Bus
	before int
	seen   chan struct{}
}

func (w *watched) ConsumeSignals(ctx context.Context, o bus.ConsumeOptions, handle func(context.Context, []bus.Delivery)) error {
	open := true
	return w.Bus.ConsumeSignals(ctx, o, func(ctx context.Context, batch []bus.Delivery) {
		handle(ctx, batch)
		for _, d := range batch {
			if open && d.Message.Workspace == "quiet/prod" {
				open = false
				close(w.seen)
			}
		}
		if open {
			w.before += len(batch)
		}
	})
}

// TestAFloodDoesNotDelayAnotherWorkspace scores a quiet workspace's signal long before the flood that was there first.
func TestAFloodDoesNotDelayAnotherWorkspace(t *testing.T) {
	g := NewWithT(t)
	const flood = 6000
	b := newBench(t)
	g.Expect(b.store.Close()).To(Succeed())
	from := &watched{Bus: realBus(t), seen: make(chan struct{})}
	b.start(t, from)
	var senders sync.WaitGroup
	for sender := range 64 {
		senders.Go(func() {
			for n := sender; n < flood; n += 64 {
				_, err := from.PublishLive(b.ctx, message(failed(fmt.Sprint("cus_", n%100), fmt.Sprint("evt_", n), fmt.Sprint("in_", n), 1, 1)))
				g.Expect(err).NotTo(HaveOccurred())
			}
		})
	}
	senders.Wait()
	quiet := message(failed("cus_quiet", "evt_quiet", "in_quiet", 1, 1))
	quiet.Workspace = "quiet/prod"
	_, err := from.PublishLive(b.ctx, quiet)
	g.Expect(err).NotTo(HaveOccurred())

	stop := b.running(t)
	g.Eventually(from.seen, "20s").Should(BeClosed())
	found, err := b.store.Customer(b.ctx, "quiet/prod", "cus_quiet")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.Signals).To(HaveLen(1))
	g.Eventually(func() int { return b.counted(t, scored) }, "60s").Should(Equal(flood+1), "nothing of the flood is lost")
	stop()
	t.Logf("%d of the flood's %d signals were scored first", from.before, flood)
	g.Expect(from.before).To(BeNumerically("<", flood/2))
}
