package ingest

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

// of lets a message come from another account.
func of(account string, m bus.Message) bus.Message {
	m.Account = account
	return m
}

var askedFor = bus.Erasure{Workspace: workspace, Account: "acct_gone", Livemode: true, RequestedAt: start.Unix()}

// TestEraseAccountOverTheBus runs an engine on a real bus: it erases one of two accounts on request, drops what was
// still on its way, and scores the account again once it is connected anew.
func TestEraseAccountOverTheBus(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	g.Expect(b.store.Close()).To(Succeed())
	events := realBus(t)
	b.start(t, events)
	stop := b.running(t)
	publish := func(m bus.Message) {
		_, err := events.PublishLive(b.ctx, m)
		g.Expect(err).NotTo(HaveOccurred())
	}
	publish(of("acct_gone", message(failed("cus_gone", "evt_1", "in_1", 1, 1))))
	publish(of("acct_gone", message(about("cus_gone", "evt_2", "ada@example.com", 1))))
	publish(message(failed("cus_stays", "evt_3", "in_3", 1, 1)))
	g.Eventually(func() int { return b.counted(t, scored) }, "20s").Should(Equal(3))

	b.clock.Step(time.Minute)
	_, err := events.Erasures().Create(b.ctx, "uid-1", askedFor)
	g.Expect(err).NotTo(HaveOccurred())
	done := askedFor
	done.DoneAt, done.Customers, done.Signals, done.Scores, done.Identities = start.Add(time.Minute).Unix(), 1, 2, 1, 1
	g.Eventually(func() (bus.Erasure, error) {
		answer, _, err := events.Erasures().Get(b.ctx, "uid-1")
		return answer, err
	}, "20s").Should(Equal(done))
	_, err = b.store.Customer(b.ctx, workspace, "cus_gone")
	g.Expect(err).To(MatchError(store.ErrNotFound))
	g.Expect(b.shown(t, "cus_stays").Signals).To(HaveLen(1))

	publish(of("acct_gone", message(failed("cus_gone", "evt_4", "in_4", 1, 1)))) // received before the erasure
	g.Eventually(func() int { return b.counted(t, erased) }, "20s").Should(Equal(1))
	back := of("acct_gone", message(failed("cus_gone", "evt_5", "in_5", 1, 1)))
	back.ReceivedAtMs = start.Add(2 * time.Minute).UnixMilli()
	publish(back)
	g.Eventually(func() int { return b.counted(t, scored) }, "20s").Should(Equal(4))
	g.Expect(b.shown(t, "cus_gone").Signals).To(HaveLen(1))
	stop()
}

// TestErasureAskedForWhileNoEngineRan starts an engine long after a request: what the account left before is gone, and
// what it sent after it was connected again is not.
func TestErasureAskedForWhileNoEngineRan(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	g.Expect(b.store.Close()).To(Succeed())
	events := realBus(t)
	b.start(t, events)
	b.deliver(of("acct_gone", message(failed("cus_gone", "evt_1", "in_1", 1, 1))))
	_, err := events.Erasures().Create(b.ctx, "uid-1", askedFor)
	g.Expect(err).NotTo(HaveOccurred())
	back := of("acct_gone", message(failed("cus_back", "evt_3", "in_3", 1, 1)))
	back.ReceivedAtMs = start.Add(10 * time.Minute).UnixMilli()
	for _, m := range []bus.Message{of("acct_gone", message(failed("cus_gone", "evt_2", "in_2", 1, 1))), back} {
		_, err := events.PublishLive(b.ctx, m)
		g.Expect(err).NotTo(HaveOccurred())
	}

	b.clock.Step(time.Hour)
	stop := b.running(t)
	g.Eventually(func() int { return b.counted(t, scored) + b.counted(t, erased) }, "20s").Should(Equal(3))
	_, err = b.store.Customer(b.ctx, workspace, "cus_gone")
	g.Expect(err).To(MatchError(store.ErrNotFound))
	g.Expect(b.shown(t, "cus_back").Signals).To(HaveLen(1))
	stop()
}

// TestErasureIsTriedAgain lets the bus fail between the erasure and its answer: nothing is counted twice, or not at all.
func TestErasureIsTriedAgain(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	board := b.eraser.board.(*memory[bus.Erasure])
	b.deliver(of("acct_gone", message(failed("cus_gone", "evt_1", "in_1", 1, 1))))
	board.set("uid-1", askedFor)
	b.eraser.inbox.put("uid-1")

	board.setAway(true)
	g.Expect(b.eraseAccounts(b.ctx)).To(Equal(watchRetry))
	g.Expect(b.shown(t, "cus_gone").Signals).To(HaveLen(1), "nobody knows whose data to erase")
	board.setAway(false)
	board.interfere = func() { board.setAway(true) }
	g.Expect(b.eraseAccounts(b.ctx)).To(Equal(watchRetry))
	g.Expect(b.store.Counts(b.ctx, workspace)).To(Equal(store.Counts{}))
	board.setAway(false)
	g.Expect(b.eraseAccounts(b.ctx)).To(BeZero())
	answer, _, err := board.Get(b.ctx, "uid-1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer).To(And(HaveField("DoneAt", start.Unix()), HaveField("Customers", 1), HaveField("Signals", 1)))
	g.Expect(b.eraseAccounts(b.ctx)).To(BeZero())
}

// TestTwoEnginesEraseOneAccount lets another engine answer first: both counts are told.
func TestTwoEnginesEraseOneAccount(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	board := b.eraser.board.(*memory[bus.Erasure])
	b.deliver(of("acct_gone", message(failed("cus_gone", "evt_1", "in_1", 1, 1))))
	board.set("uid-1", askedFor)
	b.eraser.inbox.put("uid-1")
	board.interfere = func() {
		other := askedFor
		other.DoneAt, other.Customers = start.Unix()-1, 5
		board.set("uid-1", other)
	}
	g.Expect(b.eraseAccounts(b.ctx)).To(BeZero())
	answer, _, err := board.Get(b.ctx, "uid-1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer).To(And(HaveField("DoneAt", start.Unix()-1), HaveField("Customers", 6), HaveField("Signals", 1)))

	// A request that was met, or withdrawn, asks for nothing.
	b.clock.Step(time.Minute)
	back := of("acct_gone", message(failed("cus_gone", "evt_2", "in_1", 1, 1)))
	back.ReceivedAtMs = b.clock.Now().UnixMilli()
	b.deliver(back)
	b.eraser.inbox.put("uid-1", "uid-2")
	g.Expect(b.eraseAccounts(b.ctx)).To(BeZero())
	g.Expect(b.shown(t, "cus_gone").Signals).To(HaveLen(1))
}

// TestEraseWorkspace erases all accounts of a workspace with its profiles and its data key, and nothing of another one.
func TestEraseWorkspace(t *testing.T) {
	g := NewWithT(t)
	b := newMatchBench(t)
	_, err := b.Import(b.ctx, workspace, strings.NewReader(profiles), matching.CSV)
	g.Expect(err).NotTo(HaveOccurred())
	b.ask(policy)
	other := message(about("cus_other", "evt_3", "bob@gmail.com", 1))
	other.Workspace = "rival/prod"
	b.deliver(message(about("cus_1", "evt_1", "bob@gmail.com", 1)), of("acct_2", message(about("cus_2", "evt_2", "eve@gmail.com", 1))), other)
	b.settle()
	g.Expect(b.told(t)).To(HaveField("Matched", int64(1)))

	board := b.eraser.board.(*memory[bus.Erasure])
	request := bus.Erasure{Workspace: workspace, RequestedAt: start.Unix()}
	board.set("erase-1", request)
	b.eraser.inbox.put("erase-1")
	g.Expect(b.eraseAccounts(b.ctx)).To(BeZero())
	done, _, err := board.Get(b.ctx, "erase-1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(done).To(And(HaveField("DoneAt", b.clock.Now().Unix()), HaveField("Customers", 2), HaveField("Identities", 2), HaveField("Keys", 1)))
	b.clock.Step(publishEvery)
	b.match(b.ctx)
	g.Expect(b.told(t)).To(And(HaveField("Profiles", int64(0)), HaveField("Matched", int64(0))))
	g.Expect(b.store.Counts(b.ctx, "rival/prod")).To(HaveField("Customers", 1))
	g.Expect(b.store.Profiles(b.ctx, workspace, "", 0)).To(HaveField("Total", int64(0)))
}
