package worker_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

func TestBackfillWaitsWhenThrottled(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(1, until)
	fake := clocktesting.NewFakeClock(time.Unix(until, 0))
	var asked []time.Time
	s.script(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		if req.URL.Path != "/v1/customers" {
			return false
		}
		if asked = append(asked, fake.Now()); len(asked) > 3 {
			return false
		}
		w.Header().Set("Retry-After", "9")
		w.Header().Set("Stripe-Rate-Limited-Reason", "endpoint-rate")
		refuse(w, http.StatusTooManyRequests, "rate_limit")
		return true
	})
	r := newRig(t, s.URL, fake)
	r.flow(fake)
	r.start()
	r.backfill(bus.BackfillTask{UID: "slow", Window: "30d", Until: until})
	p := r.ends("slow")
	r.Expect(p.Phase).To(Equal(bus.PhaseSucceeded))
	for n := 1; n < len(asked); n++ {
		r.Expect(asked[n].Sub(asked[n-1])).To(BeNumerically(">=", 9*time.Second), "Stripe asked for nine seconds")
	}
	r.Expect(p.Throttled).To(BeEquivalentTo(3))
	r.Expect(p.Requests).To(BeEquivalentTo(6))
	r.Expect(p.Code).To(BeEmpty())
	r.Expect(p.ThrottledSince).To(BeZero())
	r.Expect(r.counter("kustiq_worker_throttled_total", "endpoint-rate")).To(BeEquivalentTo(3))
}

// refuseForLong has every request wait for longer than a worker keeps a task.
func refuseForLong(_ int, w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Retry-After", "120")
	refuse(w, http.StatusTooManyRequests, "rate_limit")
	return true
}

func TestBackfillStepsAsideForALongThrottle(t *testing.T) {
	s := newStripe(t)
	s.script(refuseForLong)
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.backfill(bus.BackfillTask{UID: "aside", Window: "30d", Until: until})
	r.Eventually(func() string { return r.progress("aside").Code }, patch, "10ms").Should(Equal(string(errcode.ST429)))
	p := r.progress("aside")
	r.Expect(p.Phase).To(Equal(bus.PhaseRunning), "a wait is no failure")
	r.Expect(p.Throttled).To(And(BeNumerically(">=", 1), BeNumerically("<=", 3)), "no list asks again once one was refused for so long")
	r.Expect(p.ThrottledSince).To(BeNumerically(">=", until))
	r.Expect(p.Postponed).To(Equal(1))
	r.Expect(p.Owner).To(BeEmpty())
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "deferred") }, patch, "10ms").Should(BeEquivalentTo(1))
}

func TestWhatWasReadBeforeDoesNotEndAThrottle(t *testing.T) {
	s := newStripe(t)
	s.script(refuseForLong)
	r := newRig(t, s.URL, clock.RealClock{})
	ctx, before := context.Background(), bus.Progress{
		Phase: bus.PhaseRunning, StartedAt: until, Objects: 200, Requests: 5, Throttled: 3, Postponed: 2, ThrottledSince: until - 1000,
	}
	_, err := r.bus.Progress().Create(ctx, "still", before)
	must(t, err)
	_, err = r.bus.Lists().Create(ctx, bus.ListKey("still", "customers"), bus.ListProgress{
		Slices: []bus.Slice{{To: until, Cursor: "cus_0199", At: until - 1000, Objects: 200}},
	})
	must(t, err)
	r.backfill(bus.BackfillTask{UID: "still", Window: "30d", Until: until})
	r.start()
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "deferred") }, patch, "10ms").Should(BeEquivalentTo(1))
	p := r.progress("still")
	r.Expect(p.Objects).To(BeEquivalentTo(200))
	r.Expect(p.Postponed).To(Equal(3), "the schedule goes on")
	r.Expect(p.ThrottledSince).To(Equal(before.ThrottledSince))
	r.Expect(p.Requests-before.Requests).To(Equal(p.Throttled-before.Throttled), "each was refused")
}

func TestBackfillRepeatsWhatStripeFailedToAnswer(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(150, until)
	fake := clocktesting.NewFakeClock(time.Unix(until, 0))
	var asked []time.Time
	s.script(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		if req.URL.Query().Get("starting_after") == "" {
			return false
		}
		asked = append(asked, fake.Now())
		switch len(asked) {
		case 1:
			refuse(w, http.StatusBadGateway, "api_error")
		case 2:
			refuse(w, http.StatusConflict, "lock_timeout")
		case 3:
			_, _ = w.Write([]byte(`{"object":"list",`))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // a connection that breaks
		default:
			return false
		}
		return true
	})
	r := newRig(t, s.URL, fake)
	r.flow(fake)
	r.start()
	r.backfill(bus.BackfillTask{UID: "faults", Window: "30d", Until: until})
	r.Expect(r.ends("faults").Phase).To(Equal(bus.PhaseSucceeded))
	r.Expect(asked).To(HaveLen(4))
	r.Expect(asked[3].Sub(asked[0])).To(BeNumerically(">=", 1750*time.Millisecond), "half of 0.5, 1 and 2 s at least")
	r.Expect(r.counter("kustiq_worker_tasks_total", "failed")).To(BeZero(), "the run goes on")
}

func TestBackfillFailsWhereAPersonMustAct(t *testing.T) {
	tests := map[string]struct {
		status int
		code   string
		want   errcode.Code
	}{
		"revoked":            {http.StatusUnauthorized, "api_key_expired", errcode.ST401},
		"access withdrawn":   {http.StatusForbidden, "account_invalid", errcode.ST401},
		"permission missing": {http.StatusForbidden, "more_permissions_required_for_application", errcode.ST403},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStripe(t)
			s.script(func(_ int, w http.ResponseWriter, _ *http.Request) bool { refuse(w, tc.status, tc.code); return true })
			r := newRig(t, s.URL, clock.RealClock{})
			r.start()
			r.backfill(bus.BackfillTask{UID: "refused", Window: "30d", Until: until})
			p := r.ends("refused")
			r.Expect(p.Phase).To(Equal(bus.PhaseFailed))
			r.Expect(p.Code).To(Equal(string(tc.want)))
			r.Expect(p.Message).NotTo(BeEmpty())
			r.Expect(p.Message).NotTo(ContainSubstring("secret words"))
			r.Expect(p.CompletedAt).NotTo(BeZero())
			r.Expect(s.requests()).To(HaveLen(1))
		})
	}
}

// Readings of one account have as many pages at hand as a worker may have, and look up charges that Stripe refuses.
func TestAThrottledAccountDoesNotKeepTheOthersOfItsWorker(t *testing.T) {
	s := newStripe(t)
	s.set("events", map[string]any{
		"object": "event", "id": "evt_1", "type": "charge.dispute.created", "created": until - 60, "api_version": stripeapi.APIVersion,
		"data": map[string]any{"object": map[string]any{
			"object": "dispute", "id": "dp_1", "charge": "ch_1", "status": "needs_response", "created": until - 60,
		}},
	})
	s.script(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		if req.Header.Get("Authorization") == "Bearer rk_test_good" {
			if strings.HasPrefix(req.URL.Path, "/v1/charges/") {
				w.Header().Set("Retry-After", "15")
				w.Header().Set("Stripe-Rate-Limited-Reason", "endpoint-rate")
				refuse(w, http.StatusTooManyRequests, "rate_limit")
				return true
			}
			return false
		}
		if req.URL.Path == "/v1/events" {
			answer(w, http.StatusOK, map[string]any{"object": "list", "data": []any{}, "has_more": false})
			return true
		}
		return false
	})
	r := newRig(t, s.URL, clock.RealClock{})
	r.tokens.set("quiet", tokenstore.Record{Account: "acct_quiet", Access: "rk_test_quiet"})
	r.start()
	for range max(4, 2*runtime.GOMAXPROCS(0)) {
		r.backfill(bus.BackfillTask{UID: rand.Text(), Window: "30d", Until: until})
	}
	r.Eventually(func() float64 { return r.counter("kustiq_worker_throttled_total", "endpoint-rate") }, patch, "10ms").Should(BeNumerically(">=", 1))
	r.backfill(bus.BackfillTask{UID: "quiet", Connection: "quiet", Account: "acct_quiet", Window: "30d", Until: until})
	r.Expect(r.ends("quiet").Phase).To(Equal(bus.PhaseSucceeded))
}
