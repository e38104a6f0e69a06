package worker_test

import (
	"context"
	"net/http"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
)

const asked = 1_700_000_000_000 // when the re-drive was asked for

func (r *rig) redrive(event, connection string) {
	r.t.Helper()
	must(r.t, r.bus.PublishTask(context.Background(), event, bus.Task{Kind: bus.TaskRedrive, Redrive: &bus.RedriveTask{
		Workspace: "team/ws", Connection: connection, Account: acct, EventID: event, EventType: "listed.type", RequestedAtMs: asked,
	}}))
}

// published waits for the message that a re-drive leads to.
func (r *rig) published() bus.Message {
	r.t.Helper()
	r.Eventually(func() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.live) }, patch, "10ms").Should(Equal(1))
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live[0]
}

func events(s *stripe) {
	failed := map[string]any{"id": "in_1", "object": "invoice", "customer": "cus_1", "attempt_count": 2}
	s.set("events",
		map[string]any{"object": "event", "id": "evt_1", "type": "invoice.payment_failed", "created": until, "data": map[string]any{"object": failed}},
		map[string]any{"object": "event", "id": "evt_d", "type": "charge.dispute.created", "created": until,
			"data": map[string]any{"object": map[string]any{"id": "dp_1", "status": "needs_response", "charge": "ch_1"}}},
		map[string]any{"object": "event", "id": "evt_odd", "type": "invoice.payment_failed", "created": until,
			"data": map[string]any{"object": map[string]any{"id": 7}}},
		map[string]any{"object": "event", "id": "evt_none", "type": "product.created", "created": until, "data": map[string]any{"object": map[string]any{}}},
		map[string]any{"object": "event", "id": "evt_live", "type": "product.created", "livemode": true, "created": until, "data": map[string]any{}},
	)
}

func TestRedrive(t *testing.T) {
	for name, tc := range map[string]struct {
		event, connection string
		failure           bus.Failure
		kind              signal.Kind // of the only signal; none without
	}{
		"an event":                           {"evt_1", conn, "", signal.PaymentFailed},
		"a dispute, whose charge tells more": {"evt_d", conn, "", signal.DisputeCreated},
		"an event without signals":           {"evt_none", conn, "", ""},
		"one that cannot be read":            {"evt_odd", conn, bus.FailureUndecodable, ""},
		"one of the other mode":              {"evt_live", conn, bus.FailureUndecodable, ""},
		"one that Stripe has no more":        {"evt_old", conn, bus.FailureGone, ""},
		"one of a connection that has gone":  {"evt_1", "another-uid", bus.FailureDisconnected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStripe(t)
			events(s)
			s.set("charges", map[string]any{"object": "charge", "id": "ch_1", "customer": "cus_1"})
			r := newRig(t, s.URL, clock.RealClock{})
			r.start()
			r.redrive(tc.event, tc.connection)
			m := r.published()
			r.Expect(m.EventID).To(Equal(tc.event))
			r.Expect(m.Failure).To(Equal(tc.failure))
			r.Expect(m.Redrive).To(BeEquivalentTo(asked))
			r.Expect(m.ReceivedAtMs).To(BeEquivalentTo(asked))
			if tc.kind == "" {
				r.Expect(m.Signals).To(BeEmpty())
				return
			}
			r.Expect(m.Signals).To(HaveLen(1))
			r.Expect(m.Signals[0].Kind).To(Equal(tc.kind))
			r.Expect(m.Signals[0].Customer).To(Equal("cus_1"))
		})
	}
}

func TestARedriveIsTriedAgain(t *testing.T) {
	s := newStripe(t)
	s.script(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, http.StatusBadGateway, "api_error")
		return true
	})
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.redrive("evt_1", conn)
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "redrive", "failed") }, patch, "10ms").Should(BeNumerically(">=", 1))
	r.Expect(s.requests()).To(HaveLen(1), "the next try is a minute away")
}
