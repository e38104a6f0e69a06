package ingest

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/retry"
)

// bad is a message that the store refuses: it breaks the transaction of every batch it is in.
func bad(id string) bus.Message {
	s := failed("cus_bad", id, "in_bad", 1, 1)
	s.Kind = ""
	return message(s)
}

func TestBadMessagesAreIsolated(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	var batch []bus.Message
	var expected []*answer
	for i := range 45 {
		if i == 0 || i == 17 || i == 18 || i == 44 {
			batch, expected = append(batch, bad(fmt.Sprintf("evt_bad_%d", i))), append(expected, retryIn(time.Minute))
			continue
		}
		customer := fmt.Sprintf("cus_%d", i%9)
		batch = append(batch, message(failed(customer, fmt.Sprintf("evt_%d", i), fmt.Sprintf("in_%d", i), 1, 1)))
		expected = append(expected, acked())
	}
	g.Expect(b.deliver(batch...)).To(Equal(expected))
	g.Expect(b.store.Counts(b.ctx, workspace)).To(And(HaveField("Customers", 9), HaveField("Signals", 41)))
	g.Expect(b.counted(t, scored)).To(Equal(41))
	g.Expect(b.counted(t, retried)).To(Equal(4))
	g.Expect(b.failed(workspace)).To(BeEmpty(), "they still have tries left")
}

// panicky is a model that breaks on one workspace.
type panicky struct{ PriorModel }

func (p panicky) Params(s store.Scope) scoring.Params {
	if s.Workspace == "broken/ws" {
		panic("quoting cus_1 and all its secrets")
	}
	return p.PriorModel.Params(s)
}

func TestPanicHoldsBackOneCustomerOnly(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t, func(o *Options) { o.Model = panicky{} })
	broken := message(subscribed("cus_1", "evt_1", 40))
	broken.Workspace = "broken/ws"
	g.Expect(b.deliver(broken, message(subscribed("cus_2", "evt_2", 40)))).To(Equal([]*answer{retryIn(time.Minute), acked()}))
	g.Expect(b.shown(t, "cus_2").Tier).NotTo(BeEmpty())
	g.Expect(b.log.String()).To(ContainSubstring("scoring panicked"))
	g.Expect(b.log.String()).NotTo(ContainSubstring("secrets"))
}

func TestRetrySchedule(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	m := bad("evt_1")
	for attempt, pause := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour} {
		g.Expect(b.deliverAttempt(attempt+1, m)).To(Equal([]*answer{retryIn(pause)}))
		g.Expect(b.failed(workspace)).To(BeEmpty())
		b.clock.Step(pause)
	}
	g.Expect(b.deliverAttempt(6, m)).To(Equal([]*answer{{what: "drop"}}))
	g.Expect(b.failed(workspace)).To(Equal([]store.FailedEvent{{EventID: "evt_1", Connection: "uid-1",
		Account: "acct_1", Livemode: true, Reason: store.FailureProcessing, Attempts: 6,
		Created: time.Unix(at(1), 0).UTC(), FailedAt: start.Add(retry.Whole)}}))
	g.Expect(b.counted(t, gaveUp)).To(Equal(1))

	// A re-drive that works takes it off the list.
	g.Expect(b.deliver(message(failed("cus_1", "evt_1", "in_1", 1, 1)))).To(HaveEach(acked()))
	g.Expect(b.failed(workspace)).To(BeEmpty())
}

func TestNextRetry(t *testing.T) {
	for name, c := range map[string]struct {
		attempt int
		age     time.Duration
		after   time.Duration
		again   bool
	}{
		"first":                          {1, 0, time.Minute, true},
		"the bus does not count":         {0, 0, time.Minute, true},
		"fifth, long on the way":         {5, 100 * time.Hour, 12 * time.Hour, true},
		"sixth":                          {6, retry.Whole, 0, false},
		"many tries in an outage":        {40, time.Hour, 2 * time.Hour, true},
		"many tries, the time nearly up": {40, retry.Whole - time.Minute, time.Minute, true},
		"no time of receipt":             {6, 1e9 * time.Second, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			after, again := nextRetry(c.attempt, c.age)
			NewWithT(t).Expect([]any{after, again}).To(Equal([]any{c.after, c.again}))
		})
	}
}

// TestStoreOutOfService keeps everything on the bus: no message is to blame, however often it was tried.
func TestStoreOutOfService(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	g.Expect(b.store.Close()).To(Succeed())
	done := make(chan []*answer)
	go func() {
		done <- b.deliverAttempt(99, message(subscribed("cus_1", "evt_1", 400)), bad("evt_2"))
	}()
	g.Eventually(b.clock.HasWaiters).Should(BeTrue())
	g.Expect(done).NotTo(Receive(), "the consumer pauses, so as not to run through the whole stream")
	b.clock.Step(outagePause)
	g.Expect(<-done).To(HaveEach(retryIn(outageRetry)))
}

// TestCommittedButNotAcknowledged is a crash between the commit and the acknowledgement.
func TestCommittedButNotAcknowledged(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	m := message(failed("cus_1", "evt_1", "in_1", 1, 1))
	lost := &answer{lost: true}
	b.handle(b.ctx, []item{{Message: m, attempt: 1, live: true, delivery: lost}})
	before := b.shown(t, "cus_1")
	g.Expect(b.deliverAttempt(2, m)).To(HaveEach(acked()))
	g.Expect(b.shown(t, "cus_1")).To(Equal(before))
	b.expectStored(t, "cus_1", []signal.Signal{m.Signals[0]}, "counted once")
}
