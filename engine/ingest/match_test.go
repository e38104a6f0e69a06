package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

var (
	account = store.AccountRef{Scope: store.Scope{Workspace: workspace, Livemode: true}, Account: "acct_1"}
	route   = bus.RouteKey("acct_1", true)
	policy  = bus.MatchPolicy{Workspace: workspace, Connection: "uid-1", Account: "acct_1", Livemode: true, MinimumConfidence: 90}
)

const profiles = "profile_id,email\nada,ada@lovelace.example\nbob,bob@gmail.com\n"

// matchBench is a bench whose published counts a test reads.
type matchBench struct {
	*bench
	counts *memory[bus.Matches]
}

func newMatchBench(t *testing.T) *matchBench {
	b := newBench(t)
	return &matchBench{bench: b, counts: b.matcher.counts.(*memory[bus.Matches])}
}

// ask publishes a policy as the watch reports it.
func (b *matchBench) ask(p bus.MatchPolicy) {
	b.matcher.known[route] = p
	b.matcher.inbox.put(route)
	b.matcher.look()
}

// told returns what the operator reads, without the time.
func (b *matchBench) told(t *testing.T) bus.Matches {
	t.Helper()
	counts, _, err := b.counts.Get(b.ctx, route)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	counts.At = 0
	return counts
}

// settle lets the engine match until nothing waits but the next look.
func (b *matchBench) settle() {
	for range 3 {
		b.match(b.ctx)
		b.clock.Step(publishEvery)
	}
}

func TestMatchingFollowsBatchesAndImports(t *testing.T) {
	g := NewWithT(t)
	b := newMatchBench(t)
	var all []bus.Message
	for i := range 2*rematchCustomers + 1 {
		all = append(all, message(about(fmt.Sprintf("cus_%04d", i), fmt.Sprintf("evt_%d", i), fmt.Sprintf("%d@gmail.com", i), 1)))
	}
	b.deliver(all...)
	b.ask(policy)
	b.settle()
	g.Expect(b.told(t)).To(Equal(bus.Matches{MinimumConfidence: 90}), "no profiles, nothing to match")

	n, err := b.Import(b.ctx, workspace, strings.NewReader(profiles), matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(n).To(Equal(store.ImportCounts{Added: 2, Profiles: 2}))
	b.settle()
	g.Expect(b.told(t)).To(Equal(bus.Matches{Profiles: 2, Unmatched: 2*rematchCustomers + 1, MinimumConfidence: 90}))

	// A customer with a new identity is matched with the batch that brings it.
	b.deliver(message(about("cus_0000", "evt_new", "ADA@lovelace.example", 0.5), subscribed("cus_silent", "evt_new2", 1)))
	m, err := b.store.Match(b.ctx, store.CustomerKey{Scope: account.Scope, Customer: "cus_0000"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(m).To(Equal(store.CustomerMatch{
		Match: matching.Match{ProfileID: "ada", Confidence: 100, Evidence: matching.ByEmail}, State: matching.Matched}))
	b.deliver(message(about("cus_team", "evt_team", "team@lovelace.example", 0.5)))
	b.settle()
	want := bus.Matches{Profiles: 2, Matched: 1, Review: 1, Unmatched: 2*rematchCustomers + 1, MinimumConfidence: 90}
	g.Expect(b.told(t)).To(Equal(want))

	asked := policy
	asked.RematchAt, asked.MinimumConfidence = "2024-03-01", 100
	b.ask(asked)
	b.settle()
	want.RematchAt, want.MinimumConfidence = "2024-03-01", 100
	g.Expect(b.told(t)).To(Equal(want))

	_, err = b.Import(b.ctx, workspace, strings.NewReader("profile_id,email\neve,\n,nobody@canary.example\n"), matching.CSV)
	g.Expect(err).To(MatchError(ContainSubstring("line 3: profile_id is empty")))
	b.settle()
	g.Expect(b.told(t)).To(Equal(want), "a file is imported as a whole or not at all")
	g.Expect(b.log.String()).NotTo(ContainSubstring("lovelace"))
}

// TestCountsAreToldSparingly moves the clock between batches: the counts follow at most every few seconds.
func TestCountsAreToldSparingly(t *testing.T) {
	g := NewWithT(t)
	b := newMatchBench(t)
	_, err := b.Import(b.ctx, workspace, strings.NewReader(profiles), matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	b.ask(policy)
	b.settle()
	revision := b.counts.revision
	b.match(b.ctx)
	g.Expect(b.counts.revision).To(Equal(revision), "what has not changed is not told again")
	b.clock.Step(time.Minute)

	b.deliver(message(about("cus_1", "evt_1", "bob@gmail.com", 1)))
	b.match(b.ctx)
	g.Expect(b.told(t)).To(HaveField("Matched", int64(1)))
	b.deliver(message(about("cus_2", "evt_2", "eve@gmail.com", 1)))
	g.Expect(b.match(b.ctx)).To(Equal(publishEvery))
	g.Expect(b.told(t)).To(HaveField("Unmatched", int64(0)))
	b.clock.Step(publishEvery)
	b.match(b.ctx)
	g.Expect(b.told(t)).To(HaveField("Unmatched", int64(1)))

	// A bus that is away is asked again, and another engine's counts are never overwritten unread.
	b.clock.Step(time.Minute)
	b.deliver(message(about("cus_3", "evt_3", "eve@gmail.com", 1)))
	b.counts.setAway(true)
	g.Expect(b.match(b.ctx)).To(BeNumerically("<=", watchRetry))
	b.counts.setAway(false)
	b.counts.interfere = func() { b.counts.set(route, bus.Matches{Profiles: 1}) }
	b.clock.Step(watchRetry)
	b.match(b.ctx)
	g.Expect(b.told(t)).To(And(HaveField("Profiles", int64(2)), HaveField("Unmatched", int64(2))))
}

// TestMatchingIsOneAccountsOwn erases one of two accounts and withdraws a policy.
func TestMatchingIsOneAccountsOwn(t *testing.T) {
	g := NewWithT(t)
	b := newMatchBench(t)
	_, err := b.Import(b.ctx, workspace, strings.NewReader(profiles), matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	b.ask(policy)
	b.deliver(message(about("cus_1", "evt_1", "bob@gmail.com", 1)), of("acct_2", message(about("cus_2", "evt_2", "bob@gmail.com", 1))))
	b.settle()
	g.Expect(b.told(t)).To(Equal(bus.Matches{Profiles: 2, Matched: 1, MinimumConfidence: 90}))
	_, _, err = b.counts.Get(b.ctx, bus.RouteKey("acct_2", true))
	g.Expect(err).To(MatchError(bus.ErrNotFound), "nobody asked for that account's")

	erasures := b.eraser.board.(*memory[bus.Erasure])
	erasures.set("uid-1", bus.Erasure{Workspace: workspace, Account: "acct_1", Livemode: true})
	b.eraser.inbox.put("uid-1")
	g.Expect(b.eraseAccounts(b.ctx)).To(BeZero())
	b.settle()
	g.Expect(b.told(t)).To(HaveField("Matched", int64(0)))

	delete(b.matcher.known, route)
	b.matcher.gone[route] = true
	b.matcher.inbox.put(route)
	b.settle()
	_, _, err = b.counts.Get(b.ctx, route)
	g.Expect(err).To(MatchError(bus.ErrNotFound))
}

// TestMatchingOverTheBus runs the engine on a real bus: a policy, an import, customers and a withdrawn policy.
func TestMatchingOverTheBus(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	g.Expect(b.store.Close()).To(Succeed())
	events := realBus(t)
	b.start(t, events)
	stop := b.running(t)
	told := func() (bus.Matches, error) {
		if b.clock.HasWaiters() {
			b.clock.Step(time.Second)
		}
		counts, _, err := events.Matches().Get(b.ctx, route)
		counts.At = 0
		return counts, err
	}
	_, err := events.PublishLive(b.ctx, message(about("cus_1", "evt_1", "ada@lovelace.example", 1)))
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(func() int { return b.counted(t, scored) }, "20s").Should(Equal(1))
	_, err = b.Import(b.ctx, workspace, strings.NewReader(profiles), matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = events.MatchPolicies().Put(b.ctx, route, policy)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(told, "20s").Should(Equal(bus.Matches{Profiles: 2, Matched: 1, MinimumConfidence: 90}))

	_, err = events.PublishLive(b.ctx, message(about("cus_2", "evt_2", "eve@gmail.com", 1)))
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(told, "20s").Should(Equal(bus.Matches{Profiles: 2, Matched: 1, Unmatched: 1, MinimumConfidence: 90}))
	asked := policy
	asked.RematchAt = "again"
	_, err = events.MatchPolicies().Put(b.ctx, route, asked)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(told, "20s").Should(HaveField("RematchAt", "again"))
	g.Expect(events.MatchPolicies().Delete(b.ctx, route)).To(Succeed())
	g.Eventually(func() error { _, err := told(); return err }, "20s").Should(MatchError(bus.ErrNotFound))
	stop()
}

// TestOtherProcessesImportsAndDecisions takes profiles in and decides on a match as the dashboard does, by the store alone.
func TestOtherProcessesImportsAndDecisions(t *testing.T) {
	g := NewWithT(t)
	b := newMatchBench(t)
	b.deliver(message(about("cus_team", "evt_1", "team@lovelace.example", 1)))
	b.ask(policy)
	b.settle()
	reader, err := matching.NewReader(strings.NewReader(profiles), matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = b.store.StageProfiles(b.ctx, workspace, reader)
	g.Expect(err).NotTo(HaveOccurred())
	b.settle()
	g.Expect(b.told(t)).To(HaveField("Profiles", int64(0)))
	g.Expect(b.applyImports(b.ctx)).To(Equal(importIdle))
	b.settle()
	g.Expect(b.told(t)).To(And(HaveField("Profiles", int64(2)), HaveField("Review", int64(1))))

	_, _, err = b.store.DecideMatch(b.ctx, workspace, store.Ruling{Customer: "cus_team", Verdict: matching.Approve})
	g.Expect(err).NotTo(HaveOccurred())
	b.clock.Step(rematchIdle)
	b.match(b.ctx)
	g.Expect(b.told(t)).To(And(HaveField("Matched", int64(1)), HaveField("Review", int64(0))))
}
