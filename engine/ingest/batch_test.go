package ingest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

// expectStored compares a customer's row with the model's own answer for the signals.
func (b *bench) expectStored(t testing.TB, customer string, signals []signal.Signal, note string) {
	t.Helper()
	g := NewWithT(t)
	e := scoring.Evaluate(scoring.Fold(signals), b.clock.Now(), scoring.Prior())
	d := b.shown(t, customer)
	g.Expect([]any{d.Score, d.P30, d.Tier, d.MRR, d.AtRisk, d.ModelVersion}).
		To(Equal([]any{e.Score, e.P30, string(e.Tier), e.MRR, e.Segment, e.ModelVersion}), note)
	g.Expect(d.Terms).To(Equal(e.Terms), note)
	g.Expect(d.NextChangeAt).To(BeTemporally("~", e.NextChangeAt, time.Millisecond), note)
}

func TestDuplicatesCountOnce(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	history := []signal.Signal{subscribed("cus_1", "evt_1", 40), failed("cus_1", "evt_2", "in_1", 1, 1)}
	g.Expect(b.deliver(message(history[0]), message(history[1]), message(history[1]))).To(HaveEach(acked()))
	b.expectStored(t, "cus_1", history, "the same event twice in a batch")
	before := b.shown(t, "cus_1")

	g.Expect(b.deliver(message(history[1]), message(history[0]))).To(HaveEach(acked()))
	g.Expect(b.shown(t, "cus_1")).To(Equal(before), "the same events again")

	// A backfill names no event; its signals are known by their own ids.
	listed := message(history...)
	listed.EventID = ""
	g.Expect(b.deliver(listed)).To(HaveEach(acked()))
	g.Expect(b.shown(t, "cus_1")).To(Equal(before), "the same signals from a list")
	g.Expect(b.counted(t, scored)).To(Equal(2))
	g.Expect(b.counted(t, duplicate)).To(Equal(5))

	// The same attempt under a new id is a signal of its own, and yet no second failure.
	again := failed("cus_1", "evt_3", "in_1", 1, 1)
	g.Expect(b.deliver(message(again))).To(HaveEach(acked()))
	after := b.shown(t, "cus_1")
	g.Expect([]any{after.Score, after.P30, after.Tier}).To(Equal([]any{before.Score, before.P30, before.Tier}))
	g.Expect(b.store.Counts(b.ctx, workspace)).To(HaveField("Signals", 3))
}

// TestShuffledArrival lets histories arrive in many orders, cuts and repetitions: the stored scores are the same.
func TestShuffledArrival(t *testing.T) {
	for seed := range uint64(12) {
		b := newBench(t)
		random := rand.New(rand.NewPCG(seed, 1))
		customers := map[string][]signal.Signal{}
		var messages []bus.Message
		for i := range 6 {
			id := fmt.Sprintf("cus_%d", i)
			customers[id] = history(random, id)
			for _, s := range customers[id] {
				for range 1 + random.IntN(2) {
					messages = append(messages, message(s))
				}
			}
		}
		random.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
		for len(messages) > 0 {
			n := min(1+random.IntN(9), len(messages))
			NewWithT(t).Expect(b.deliver(messages[:n]...)).To(HaveEach(acked()))
			messages = messages[n:]
		}
		for id, signals := range customers {
			b.expectStored(t, id, signals, fmt.Sprintf("seed %d", seed))
			NewWithT(t).Expect(b.shown(t, id).Email).To(Equal("latest@" + id + ".example"))
		}
	}
}

// history is a customer with a subscription, some failed and recovered invoices, and two descriptions.
func history(random *rand.Rand, customer string) []signal.Signal {
	n := 0
	id := func() string { n++; return fmt.Sprintf("evt_%s_%d", customer, n) }
	signals := []signal.Signal{
		subscribed(customer, id(), 200), about(customer, id(), "first@example.com", 200),
		about(customer, id(), "latest@"+customer+".example", 2),
	}
	for month := range 1 + random.IntN(4) {
		day, invoice := float64(5+30*month), fmt.Sprintf("in_%s_%d", customer, month)
		attempts := random.IntN(4)
		for a := range attempts {
			signals = append(signals, failed(customer, id(), invoice, a+1, day-float64(a)))
		}
		if random.IntN(2) == 0 {
			signals = append(signals, paid(customer, id(), invoice, day-float64(attempts)))
		}
	}
	return signals
}

func TestOrderOfTheTable(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	random := rand.New(rand.NewPCG(8, 1))
	var expected []scoring.Ranked
	var messages []bus.Message
	for i := range 120 {
		id := fmt.Sprintf("cus_%d", i)
		signals := history(random, id)
		e := scoring.Evaluate(scoring.Fold(signals), start, scoring.Prior())
		if e.Segment {
			expected = append(expected, scoring.Ranked{Customer: id, Tier: e.Tier, Score: e.Score, MRR: e.MRR})
		}
		for _, s := range signals {
			messages = append(messages, message(s))
		}
	}
	b.deliver(messages...)
	g.Expect(len(expected)).To(BeNumerically(">", 20))
	g.Expect(b.table(t)).To(Equal(sorted(expected)))
}

func sorted(r []scoring.Ranked) []scoring.Ranked {
	slices.SortFunc(r, func(a, b scoring.Ranked) int {
		if scoring.Less(a, b) {
			return -1
		}
		return 1
	})
	return r
}

// table is the whole at-risk table, page by page.
func (b *bench) table(t testing.TB) (out []scoring.Ranked) {
	t.Helper()
	q := store.AtRiskQuery{Limit: 7}
	for {
		page, err := b.store.AtRisk(b.ctx, workspace, q)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		for _, r := range page.Rows {
			out = append(out, scoring.Ranked{Customer: r.Customer, Tier: scoring.Tier(r.Tier), Score: r.Score, MRR: r.MRR})
		}
		if q.After = page.Next; q.After == "" {
			return out
		}
	}
}

func TestTestModeNeverTouchesLive(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	live := []signal.Signal{subscribed("cus_1", "evt_1", 40)}
	b.deliver(message(live[0]))
	before := b.shown(t, "cus_1")
	test := message(failed("cus_1", "evt_2", "in_1", 1, 1))
	test.Livemode = false
	g.Expect(b.deliver(test)).To(HaveEach(acked()))
	g.Expect(b.shown(t, "cus_1")).To(Equal(before))
}

func TestUnattributedIsListed(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	dispute := signal.Signal{ID: "evt_1", EventID: "evt_1", Kind: signal.DisputeCreated, Created: at(1), Provenance: signal.FromEvent,
		Dispute: &signal.Dispute{ID: "dp_1", Charge: "ch_1"}}
	good := subscribed("cus_1", "evt_2", 40)
	g.Expect(b.deliver(message(dispute), message(good), message(dispute))).To(HaveEach(acked()))
	g.Expect(b.failed(workspace)).To(Equal([]store.FailedEvent{{EventID: "evt_1", EventType: "dispute.created",
		Connection: "uid-1", Account: "acct_1", Livemode: true, Reason: store.FailureUnattributed, Attempts: 1,
		Created: time.Unix(at(1), 0).UTC(), FailedAt: start}}))
	g.Expect(b.counted(t, unattributed)).To(Equal(2))

	// Looked up later, the same event counts and leaves the list.
	dispute.Customer = "cus_1"
	g.Expect(b.deliver(message(dispute))).To(HaveEach(acked()))
	g.Expect(b.failed(workspace)).To(BeEmpty())
	b.expectStored(t, "cus_1", []signal.Signal{good, dispute}, "with the dispute")
}

func TestErasedOnTheWay(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.deliver(message(subscribed("cus_1", "evt_1", 40)))
	b.clock.Step(time.Minute)
	_, err := b.store.Erase(b.ctx, workspace)
	g.Expect(err).NotTo(HaveOccurred())

	late, fresh := message(failed("cus_1", "evt_2", "in_1", 1, 1)), message(failed("cus_2", "evt_3", "in_2", 1, 1))
	fresh.ReceivedAtMs = b.clock.Now().Add(time.Millisecond).UnixMilli()
	g.Expect(b.deliver(late, fresh)).To(HaveEach(acked()))
	_, err = b.store.Customer(b.ctx, workspace, "cus_1")
	g.Expect(err).To(MatchError(store.ErrNotFound))
	b.expectStored(t, "cus_2", fresh.Signals, "received after the erasure")
	g.Expect(b.counted(t, erased)).To(Equal(1))
}

func TestFreshness(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	m := message(failed("cus_1", "evt_1", "in_1", 1, 0))
	m.ReceivedAtMs = start.Add(-1500 * time.Millisecond).UnixMilli()
	b.deliver(m)
	g.Expect(b.shown(t, "cus_1").FreshnessMs).To(Equal(int64(1500)))

	// A backfill says nothing about freshness.
	old := message(failed("cus_1", "evt_2", "in_1", 2, 0), failed("cus_2", "evt_3", "in_2", 1, 0))
	b.handle(b.ctx, []item{{Message: old, attempt: 1, live: false, delivery: &answer{}}})
	g.Expect(b.shown(t, "cus_1").FreshnessMs).To(Equal(int64(1500)))
	g.Expect(b.shown(t, "cus_2").FreshnessMs).To(BeZero())
}

// TestPersonsStayOutOfFilesAndLogs also lets a message with a person fail.
func TestPersonsStayOutOfFilesAndLogs(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	const marker = "canary.person@marked.example"
	bad := about("cus_2", "evt_2", marker, 1)
	bad.Kind = "" // which the store refuses
	g.Expect(b.deliver(message(about("cus_1", "evt_1", marker, 1)), message(bad))).To(Equal([]*answer{acked(), retryIn(time.Minute)}))
	g.Expect(b.shown(t, "cus_1").Email).To(Equal(marker))
	g.Expect(b.log.String()).To(ContainSubstring("evt_2"))
	g.Expect(b.log.String()).NotTo(ContainSubstring("marked.example"))
	files, err := filepath.Glob(b.path + "*")
	g.Expect(err).NotTo(HaveOccurred())
	found := false
	for _, file := range files {
		raw, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		found = found || strings.Contains(string(raw), "cus_1")
		g.Expect(string(raw)).NotTo(ContainSubstring("marked.example"), file)
	}
	g.Expect(found).To(BeTrue(), "the search must find what is there")
}
