package ingest

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
)

// again is what a re-drive makes of a message.
func again(m bus.Message, at time.Time) bus.Message {
	m.Redrive = at.UnixMilli()
	m.ReceivedAtMs = m.Redrive
	return m
}

// unread is what the receiver publishes of an event that it cannot read.
func unread(event string) bus.Message {
	m := message(failed("cus_1", event, "in_1", 1, 1))
	m.EventID, m.Signals, m.Failure = event, nil, bus.FailureUndecodable
	return m
}

func TestAnEventThatCannotBeReadIsListedUntilItCan(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	g.Expect(b.deliver(unread("evt_1"), unread("evt_1"))).To(HaveEach(acked()))
	g.Expect(b.failed(workspace)).To(ConsistOf(And(
		HaveField("EventID", "evt_1"), HaveField("Reason", string(bus.FailureUndecodable)), HaveField("Connection", "uid-1"))))
	g.Expect(b.counted(t, gaveUp)).To(Equal(2))

	b.clock.Step(time.Hour)
	gone := again(unread("evt_1"), b.clock.Now())
	gone.Failure = bus.FailureGone
	g.Expect(b.deliver(gone)).To(HaveEach(acked()))
	g.Expect(b.failed(workspace, "evt_1")).To(ConsistOf(HaveField("Reason", string(bus.FailureGone))))
	g.Expect(b.failed(workspace, "evt_2")).To(BeEmpty())
	g.Expect(b.failed("rival/prod", "evt_1")).To(BeEmpty())

	read := again(message(failed("cus_1", "evt_1", "in_1", 1, 1)), b.clock.Now())
	g.Expect(b.deliver(read, read)).To(HaveEach(acked()), "two re-drives at once")
	g.Expect(b.failed(workspace)).To(BeEmpty())
	g.Expect(b.shown(t, "cus_1").Signals).To(HaveLen(1))
	g.Expect(b.counted(t, scored)).To(Equal(1))
}

// TestARedriveOfAnEventThatCameAfterAll takes it off the list and scores it no second time.
func TestARedriveOfAnEventThatCameAfterAll(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	event := message(failed("cus_1", "evt_1", "in_1", 1, 1))
	b.deliver(event)
	b.deliver(unread("evt_1"))
	b.deliver(again(event, b.clock.Now()))
	g.Expect(b.failed(workspace)).To(BeEmpty())
	g.Expect(b.shown(t, "cus_1").Signals).To(HaveLen(1))
}

func TestARedriveWithoutSignalsEndsTheListing(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.deliver(unread("evt_1"))
	nothing := again(unread("evt_1"), b.clock.Now())
	nothing.Failure = ""
	g.Expect(b.deliver(nothing)).To(HaveEach(acked()))
	g.Expect(b.failed(workspace)).To(BeEmpty())
}

func TestAnUnattributedDisputeIsRedrivenOnceItHasACustomer(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	dispute := message(signal.Signal{ID: "evt_1", EventID: "evt_1", Kind: signal.DisputeCreated, Created: start.Unix(),
		Provenance: signal.FromEvent, Dispute: &signal.Dispute{ID: "dp_1", Charge: "ch_1"}})
	b.deliver(dispute)
	b.deliver(again(dispute, b.clock.Now()))
	g.Expect(b.failed(workspace)).To(HaveLen(1), "its charge still has no customer")
	dispute.Signals[0].Customer = "cus_1"
	b.deliver(again(dispute, b.clock.Now()))
	g.Expect(b.failed(workspace)).To(BeEmpty())
	g.Expect(b.shown(t, "cus_1").Signals).To(HaveLen(1))
}

// TestARedriveOfAnErasedAccountLeavesNothing erases the account between the request and its answer.
func TestARedriveOfAnErasedAccountLeavesNothing(t *testing.T) {
	g := NewWithT(t)
	b := newBench(t)
	b.deliver(unread("evt_1"))
	answer := again(unread("evt_1"), b.clock.Now())
	answer.Failure = bus.FailureDisconnected
	b.clock.Step(time.Minute)
	_, err := b.store.Erase(b.ctx, workspace)
	g.Expect(err).NotTo(HaveOccurred())
	b.deliver(answer)
	g.Expect(b.failed(workspace)).To(BeEmpty())
}
