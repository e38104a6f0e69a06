package ingest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

// population delivers customers with random histories and returns their signals.
func (b *bench) population(n int, random *rand.Rand) map[string][]signal.Signal {
	customers := map[string][]signal.Signal{}
	var messages []bus.Message
	for i := range n {
		id := fmt.Sprintf("cus_%d", i)
		customers[id] = history(random, id)
		for _, s := range customers[id] {
			messages = append(messages, message(s))
		}
	}
	b.deliver(messages...)
	return customers
}

// TestOnlyDueCustomersAreEvaluated moves the clock to just before, and then to, the first customer's due time.
func TestOnlyDueCustomersAreEvaluated(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	customers := b.population(30, rand.New(rand.NewPCG(5, 5)))
	next, ok, err := b.store.NextDue(b.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeTrue())
	g.Expect(next).To(BeTemporally(">", start))

	b.clock.SetTime(next.Add(-time.Millisecond))
	g.Expect(b.reevaluate(b.ctx)).To(BeZero())

	due := map[string]bool{}
	for id := range customers {
		due[id] = !b.shown(t, id).NextChangeAt.After(next)
	}
	b.clock.SetTime(next)
	n, err := b.reevaluate(b.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(n).To(BeNumerically(">", 0))
	for id := range customers {
		evaluated := start
		if due[id] {
			evaluated = next
		}
		g.Expect(b.shown(t, id).EvaluatedAt).To(Equal(evaluated), id)
	}
	g.Expect(b.reevaluate(b.ctx)).To(BeZero(), "nobody is due twice at one instant")
}

// TestOrderAtAnyTime compares the table, kept by due times alone, with scoring everybody at random times.
func TestOrderAtAnyTime(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	random := rand.New(rand.NewPCG(6, 6))
	customers := b.population(60, random)
	for range 25 {
		b.clock.Step(time.Duration(random.Int64N(int64(50 * time.Hour))))
		_, err := b.reevaluate(b.ctx)
		g.Expect(err).NotTo(HaveOccurred())
		expected := []scoring.Ranked{}
		for id, signals := range customers {
			e := scoring.Evaluate(scoring.Fold(signals), b.clock.Now(), scoring.Prior())
			if e.Segment {
				expected = append(expected, scoring.Ranked{Customer: id, Tier: e.Tier, Score: e.Score, MRR: e.MRR})
			}
		}
		g.Expect(append([]scoring.Ranked{}, b.table(t)...)).To(Equal(sorted(expected)), b.clock.Now().String())
	}
}

func TestPagesOfDueCustomers(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	n := duePage + 30
	var batch []bus.Message
	for i := range n {
		batch = append(batch, message(failed(fmt.Sprintf("cus_%d", i), fmt.Sprintf("evt_%d", i), fmt.Sprintf("in_%d", i), 1, 1)))
	}
	b.deliver(batch...)
	b.clock.Step(25 * time.Hour)
	g.Expect(b.reevaluate(b.ctx)).To(Equal(n))
}

// TestOneBadCustomerDoesNotStopTheOthers puts off what cannot be scored.
func TestOneBadCustomerDoesNotStopTheOthers(t *testing.T) {
	g := NewWithT(t)
	model := &switchable{}
	b := newBench(t, func(o *Options) { o.Model = model })
	broken := message(failed("cus_1", "evt_1", "in_1", 1, 1))
	broken.Workspace = "broken/ws"
	b.deliver(broken, message(failed("cus_2", "evt_2", "in_2", 1, 1)), message(failed("cus_3", "evt_3", "in_3", 1, 1)))
	model.broken = true
	b.clock.Step(25 * time.Hour)
	_, err := b.reevaluate(b.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	for _, id := range []string{"cus_2", "cus_3"} {
		g.Expect(b.shown(t, id).EvaluatedAt).To(Equal(b.clock.Now()))
	}
	d, err := b.store.Customer(b.ctx, "broken/ws", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.EvaluatedAt).To(Equal(start))
	g.Expect(d.NextChangeAt).To(Equal(b.clock.Now().Add(heldBack)))
}

type switchable struct {
	panicky
	broken bool
}

func (s *switchable) Params(scope store.Scope) scoring.Params {
	if s.broken {
		return s.panicky.Params(scope)
	}
	return s.PriorModel.Params(scope)
}

// TestUnreadableStateIsRebuilt covers a state written by a version that this one cannot read.
func TestUnreadableStateIsRebuilt(t *testing.T) {
	b := newBench(t)
	s := failed("cus_1", "evt_1", "in_1", 1, 1)
	b.deliver(message(s))
	spoil := func() {
		key := store.CustomerKey{Scope: store.Scope{Workspace: workspace, Livemode: true}, Customer: "cus_1"}
		NewWithT(t).Expect(b.store.Update(b.ctx, func(tx *store.Tx) error {
			records, err := tx.Customers(b.ctx, []store.CustomerKey{key})
			if err != nil {
				return err
			}
			r := records[key]
			r.State, r.Evaluation.ModelVersion = []byte("from another time"), "prior-1"
			r.Evaluation.NextChangeAt = b.clock.Now()
			return tx.SaveCustomers(b.ctx, []*store.CustomerRecord{r})
		})).To(Succeed())
	}
	spoil()
	NewWithT(t).Expect(b.reevaluate(b.ctx)).To(Equal(1))
	b.expectStored(t, "cus_1", []signal.Signal{s}, "rebuilt by the scheduler")
	spoil()
	second := failed("cus_1", "evt_2", "in_1", 2, 0)
	b.deliver(message(second))
	b.expectStored(t, "cus_1", []signal.Signal{s, second}, "rebuilt by a batch")
}

func TestPruningOnceADay(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.deliver(message(subscribed("cus_1", "evt_1", 40)))
	b.tick(b.ctx)
	g.Expect(b.pruneAt).To(Equal(start.Add(24 * time.Hour)))
	b.clock.Step(40 * 24 * time.Hour)
	b.tick(b.ctx)
	g.Expect(b.log.String()).To(ContainSubstring("events=1"))
}

// TestSchedulerSleepsOnTheClock runs the scheduler itself: it wakes for what is due, and for a batch.
func TestSchedulerSleepsOnTheClock(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	ctx, stop := context.WithCancel(b.ctx)
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	g.Eventually(b.clock.HasWaiters).Should(BeTrue())

	b.deliver(message(failed("cus_1", "evt_1", "in_1", 1, 1)))
	next := b.shown(t, "cus_1").NextChangeAt
	g.Eventually(func() time.Time {
		if b.clock.HasWaiters() {
			b.clock.Step(time.Hour)
		}
		return b.shown(t, "cus_1").EvaluatedAt
	}, "20s", "1ms").Should(BeTemporally(">=", next))
	stop()
	g.Expect(<-done).To(Succeed())
}
