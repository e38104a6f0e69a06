package worker_test

import (
	"context"
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/worker"
)

func (r *rig) dispute(charge string) { r.t.Helper(); r.disputeOf(conn, charge) }

func (r *rig) disputeOf(connection, charge string) {
	r.t.Helper()
	m := bus.Message{
		Workspace: "team/ws", Connection: connection, Account: acct, EventID: "evt_d", EventType: "charge.dispute.created", Created: until,
		Signals: []signal.Signal{{ID: "evt_d", EventID: "evt_d", Kind: signal.DisputeCreated, Created: until,
			Provenance: signal.FromEvent, Dispute: &signal.Dispute{ID: "dp_1", Charge: charge, Status: "needs_response"}}},
	}
	must(r.t, r.bus.PublishTask(context.Background(), "evt_d", bus.Task{Kind: bus.TaskDispute, Dispute: &m}))
}

func charges(s *stripe) {
	s.set("charges", map[string]any{"object": "charge", "id": "ch_1", "customer": "cus_1"},
		map[string]any{"object": "charge", "id": "ch_anonymous", "customer": nil})
}

func (r *rig) ended(outcome string) {
	r.t.Helper()
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "dispute", outcome) }, patch, "10ms").
		Should(BeNumerically(">=", 1))
}

func TestDisputeGetsItsCustomer(t *testing.T) {
	s := newStripe(t)
	charges(s)
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.dispute("ch_1")
	r.ended("attributed")
	r.Expect(r.signals(1)).To(Equal(map[signal.Kind]int{signal.DisputeCreated: 1}))
	r.Expect(r.live).To(HaveLen(1))
	r.Expect(r.live[0].Signals[0].Customer).To(Equal("cus_1"))
	r.Expect(r.live[0].EventID).To(Equal("evt_d"), "the ledger must know it again when Stripe sends it twice")
}

func TestDisputeOfNobodyIsPublishedWithoutACustomer(t *testing.T) {
	for name, charge := range map[string]string{"charge without customer": "ch_anonymous", "charge is gone": "ch_gone"} {
		t.Run(name, func(t *testing.T) {
			s := newStripe(t)
			charges(s)
			r := newRig(t, s.URL, clock.RealClock{})
			r.start()
			r.dispute(charge)
			r.ended("unattributed")
			r.Expect(r.counter("kustiq_worker_disputes_total", "unattributed")).To(BeEquivalentTo(1))
			r.Expect(r.signals(1)).To(Equal(map[signal.Kind]int{signal.DisputeCreated: 1}))
			r.Expect(r.received["evt_d"].Customer).To(BeEmpty(), "the engine lists it as failed")
		})
	}
}

func TestDisputeOfAConnectionThatHasGoneIsListedAtOnce(t *testing.T) {
	s := newStripe(t)
	charges(s)
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.disputeOf("another-uid", "ch_1")
	r.ended("gave_up")
	r.Expect(r.published().Failure).To(Equal(bus.FailureDisconnected))
	r.Expect(r.live[0].Signals).To(BeEmpty())
	r.Expect(s.requests()).To(BeEmpty())
}

func TestAChargeIsLookedUpOnce(t *testing.T) {
	s := newStripe(t)
	events(s)
	charges(s)
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.dispute("ch_1")
	r.ended("attributed")
	r.redrive("evt_d", conn)
	r.Eventually(func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.live) }, patch, "10ms").Should(Equal(2))
	r.Expect(r.live[1].Signals[0].Customer).To(Equal("cus_1"))
	r.Expect(s.requests()).To(ConsistOf(HavePrefix("/v1/charges/ch_1"), HavePrefix("/v1/events/evt_d")))
}

func TestDisputeIsTriedAgain(t *testing.T) {
	s := newStripe(t)
	s.script(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, http.StatusBadGateway, "api_error")
		return true
	})
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.dispute("ch_1")
	r.ended("failed")
	r.Expect(s.requests()).To(HaveLen(1), "the next try is a minute away")
}

func TestNewRefusesWhatIsMissing(t *testing.T) {
	if _, err := worker.New(worker.Options{}); err == nil {
		t.Fatal("New accepted nothing at all")
	}
}
