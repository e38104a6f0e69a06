package worker_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

var until = clock.RealClock{}.Now().Unix()

func TestBackfillReadsEveryPage(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(250, until)
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.backfill(bus.BackfillTask{UID: "all", Window: "AllTime", Until: until})
	p := r.ends("all")
	r.Expect(p.Phase).To(Equal(bus.PhaseSucceeded))
	r.Expect(p.Percent).To(Equal(100))
	r.Expect(p.Objects).To(BeEquivalentTo(250))
	r.Expect(p.Requests).To(BeEquivalentTo(10), "three pages of customers, one of each other list, and two looks for customers of earlier years")
	r.Expect(p.Resources["customers"]).To(Equal(bus.ResourceProgress{Objects: 250, Requests: 5, Percent: 100, Done: true, Cursor: "cus_0249", Windows: 3}))
	r.Expect(p.Owner).To(BeEmpty())
	r.Eventually(func() error {
		_, _, err := r.bus.Lists().Get(context.Background(), bus.ListKey("all", "customers"))
		return err
	}, patch, "10ms").Should(MatchError(bus.ErrNotFound), "what it needed to go on is removed")
	r.Expect(p.CompletedAt).To(BeNumerically(">=", p.StartedAt))
	r.Expect(r.signals(p.Signals)).To(Equal(map[signal.Kind]int{signal.CustomerCreated: 250}))
}

func TestBackfillResumesAtItsCheckpoint(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(350, until)
	r := newRig(t, s.URL, clock.RealClock{})
	stop := r.start()
	killed := make(chan struct{})
	s.script(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		if req.URL.Query().Get("starting_after") != "cus_0199" {
			return false
		}
		select {
		case <-killed:
			return false
		default:
			close(killed)
			<-req.Context().Done() // the worker is stopped in the middle of this request
			return true
		}
	})
	r.backfill(bus.BackfillTask{UID: "resumed", Window: "AllTime", Until: until})
	<-killed
	stop()
	before := r.progress("resumed")
	r.Expect(before.Resources["customers"].Cursor).To(Equal("cus_0199"))
	r.Expect(before.Resources["customers"].Objects).To(BeEquivalentTo(200))
	r.Expect(before.Owner).To(BeEmpty(), "nobody has to wait for the lease to run out")

	first := len(s.requests())
	r.start()
	p := r.ends("resumed")
	r.Expect(p.Phase).To(Equal(bus.PhaseSucceeded))
	r.Expect(p.StartedAt).To(Equal(before.StartedAt))
	r.Expect(p.Objects).To(BeEquivalentTo(350))
	r.Expect(s.requests()[first:]).To(ContainElement(ContainSubstring("starting_after=cus_0199")))
	r.Expect(s.requests()[first:]).NotTo(ContainElement(MatchRegexp(`customers.*starting_after=cus_00`)), "nothing is read again")
	r.Expect(r.signals(350)).To(Equal(map[signal.Kind]int{signal.CustomerCreated: 350}))
}

func TestBackfillStartsAListOverWhenItsCheckpointIsGone(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(150, until)
	gone := false
	s.script(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		if gone || req.URL.Query().Get("starting_after") == "" {
			return false
		}
		gone = true
		refuse(w, http.StatusBadRequest, "resource_missing")
		return true
	})
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.backfill(bus.BackfillTask{UID: "over", Window: "30d", Until: until})
	r.Expect(r.ends("over").Phase).To(Equal(bus.PhaseSucceeded))
	r.Expect(r.signals(150)).To(Equal(map[signal.Kind]int{signal.CustomerCreated: 150}))
}

func TestBackfillWithoutATokenFails(t *testing.T) {
	s := newStripe(t)
	r := newRig(t, s.URL, clock.RealClock{})
	r.tokens.all = map[string]tokenstore.Record{}
	r.start()
	r.backfill(bus.BackfillTask{UID: "none", Window: "30d", Until: until})
	r.Expect(r.ends("none").Code).To(Equal(string(errcode.ST401)))
	r.Expect(s.requests()).To(BeEmpty())
}

func TestBackfillGoesOnWithARotatedToken(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(3, until)
	r := newRig(t, s.URL, clock.RealClock{})
	s.script(func(_ int, w http.ResponseWriter, req *http.Request) bool {
		if req.Header.Get("Authorization") == "Bearer rk_test_new" {
			return false
		}
		r.tokens.set(conn, tokenstore.Record{Account: acct, Access: "rk_test_new"}) // the operator was quicker
		refuse(w, http.StatusUnauthorized, "api_key_expired")
		return true
	})
	r.start()
	r.backfill(bus.BackfillTask{UID: "rotated", Window: "30d", Until: until})
	r.Expect(r.ends("rotated").Phase).To(Equal(bus.PhaseSucceeded))
	r.Expect(r.signals(3)).To(HaveKeyWithValue(signal.CustomerCreated, 3))
}

func TestBackfillWaitsForATokenThatIsDue(t *testing.T) {
	s := newStripe(t)
	s.script(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, http.StatusUnauthorized, "api_key_expired")
		return true
	})
	r := newRig(t, s.URL, clock.RealClock{})
	r.tokens.set(conn, tokenstore.Record{Account: acct, Access: "rk_test_old", ExpiresAt: time.Unix(until-60, 0)})
	r.start()
	r.backfill(bus.BackfillTask{UID: "due", Window: "30d", Until: until})
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "deferred") }, patch, "10ms").Should(BeEquivalentTo(1))
	r.Expect(r.progress("due").Phase).To(Equal(bus.PhaseRunning))
}

func TestBackfillWaitsForAWhileForATokenThatEndedBeforeItsTime(t *testing.T) {
	s := newStripe(t)
	s.script(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, http.StatusUnauthorized, "api_key_expired")
		return true
	})
	r := newRig(t, s.URL, clock.RealClock{})
	r.tokens.set(conn, tokenstore.Record{Account: acct, Access: "rk_test_old", ExpiresAt: time.Now().Add(time.Hour)})
	r.start()
	r.backfill(bus.BackfillTask{UID: "ended", Window: "30d", Until: until})
	r.Eventually(func() int { return r.progress("ended").Failures }, patch, "10ms").Should(Equal(1))
	r.Expect(r.progress("ended").Phase).To(Equal(bus.PhaseRunning))

	_, err := r.bus.Progress().Create(t.Context(), "gone", bus.Progress{Phase: bus.PhasePending, Failures: 6})
	r.Expect(err).NotTo(HaveOccurred())
	r.backfill(bus.BackfillTask{UID: "gone", Window: "30d", Until: until})
	r.Expect(r.ends("gone").Code).To(Equal(string(errcode.ST401)))
}

// holdPage lets the second page of customers wait until it is released, and then go on.
func (s *stripe) holdPage() (asked <-chan struct{}, release func()) {
	reached, free := make(chan struct{}), make(chan struct{})
	once := sync.Once{}
	s.script(func(_ int, _ http.ResponseWriter, req *http.Request) bool {
		if req.URL.Query().Get("starting_after") != "" {
			once.Do(func() { close(reached) })
			<-free
		}
		return false
	})
	return reached, sync.OnceFunc(func() { close(free) })
}

func TestBackfillIsCalledOffByRemovingItsProgress(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(350, until)
	asked, release := s.holdPage()
	r := newRig(t, s.URL, clock.RealClock{})
	t.Cleanup(release)
	r.start()
	r.backfill(bus.BackfillTask{UID: "off", Window: "30d", Until: until})
	<-asked
	must(t, r.bus.Progress().Delete(context.Background(), "off"))
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "cancelled") }, patch, "10ms").Should(BeEquivalentTo(1))
	release()
	r.Expect(r.progress("off")).To(Equal(bus.Progress{}), "what was removed stays removed")
	r.Expect(s.requests()).NotTo(ContainElement(ContainSubstring("starting_after=cus_0199")))
}

func TestBackfillThatWasCalledOffWhileItsTaskWaitedIsNotRead(t *testing.T) {
	s := newStripe(t)
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.publish(bus.BackfillTask{UID: "gone", Window: "30d", Until: until})
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "cancelled") }, patch, "10ms").Should(BeEquivalentTo(1))
	r.Expect(r.progress("gone")).To(Equal(bus.Progress{}), "what was removed stays removed")
	r.Expect(s.requests()).To(BeEmpty())
}

func TestBackfillYieldsToTheWorkerThatOvertookIt(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(350, until)
	asked, release := s.holdPage()
	r := newRig(t, s.URL, clock.RealClock{})
	t.Cleanup(release)
	r.start()
	r.backfill(bus.BackfillTask{UID: "raced", Window: "30d", Until: until})
	<-asked
	_, err := r.bus.Progress().Put(context.Background(), "raced", bus.Progress{Phase: bus.PhaseRunning, Percent: 77, Owner: "another", LeaseUntil: until + 3600})
	must(t, err)
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "overtaken") }, patch, "10ms").Should(BeEquivalentTo(1))
	r.Expect(r.progress("raced").Percent).To(Equal(77), "the other's progress stands")
}

func TestBackfillIsSuspendedAndResumed(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(350, until)
	asked, release := s.holdPage()
	r := newRig(t, s.URL, clock.RealClock{})
	t.Cleanup(release)
	r.start()
	task := bus.BackfillTask{UID: "held", Window: "30d", Until: until}
	r.backfill(task)
	<-asked
	r.change("held", func(p *bus.Progress) { p.Suspend = true })
	r.Eventually(func() string { return r.progress("held").Phase }, patch, "10ms").Should(Equal(bus.PhaseSuspended))
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "suspended") }, patch, "10ms").Should(BeEquivalentTo(1))
	release()
	first := len(s.requests())
	r.change("held", func(p *bus.Progress) { p.Suspend, p.Resumes = false, 1 })
	r.backfill(task, "held/1")
	p := r.ends("held")
	r.Expect(p.Phase).To(Equal(bus.PhaseSucceeded))
	r.Expect(p.Objects).To(BeEquivalentTo(350))
	for _, uri := range s.requests()[:first] {
		if !strings.Contains(uri, "starting_after") {
			r.Expect(s.requests()[first:]).NotTo(ContainElement(uri), "what was read is not read again")
		}
	}
}

func TestBackfillWaitsForALeaseThatAnotherHas(t *testing.T) {
	s := newStripe(t)
	r := newRig(t, s.URL, clock.RealClock{})
	_, err := r.bus.Progress().Create(context.Background(), "taken", bus.Progress{Phase: bus.PhaseRunning, Owner: "another", LeaseUntil: until + 3600})
	must(t, err)
	r.start()
	r.backfill(bus.BackfillTask{UID: "taken", Window: "30d", Until: until})
	r.Eventually(func() float64 { return r.counter("kustiq_worker_tasks_total", "waiting") }, patch, "10ms").Should(BeEquivalentTo(1))
	r.Expect(s.requests()).To(BeEmpty())
}

func TestBackfillLeavesOutWhatItCannotRead(t *testing.T) {
	s := newStripe(t)
	s.addCustomers(2, until)
	s.set("subscriptions", map[string]any{"object": "subscription", "id": "sub_1", "customer": 7, "created": until})
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.backfill(bus.BackfillTask{UID: "odd", Window: "30d", Until: until})
	r.Expect(r.ends("odd").Phase).To(Equal(bus.PhaseSucceeded))
	r.Expect(r.counter("kustiq_worker_skipped_objects_total", "subscriptions")).To(BeEquivalentTo(1))
	r.Expect(r.signals(2)).To(Equal(map[signal.Kind]int{signal.CustomerCreated: 2}))
}

func TestBackfillOfAnUnknownWindowFails(t *testing.T) {
	r := newRig(t, newStripe(t).URL, clock.RealClock{})
	r.start()
	r.backfill(bus.BackfillTask{UID: "window", Window: "a year", Until: until})
	p := r.ends("window")
	r.Expect(p.Phase).To(Equal(bus.PhaseFailed))
	r.Expect(p.Code).To(BeEmpty())
	r.Expect(p.Message).To(ContainSubstring("unknown backfill window"))
}

func TestBackfillCompletesListedDisputes(t *testing.T) {
	s := newStripe(t)
	dispute := func(event, id, charge string) map[string]any {
		return map[string]any{
			"object": "event", "id": event, "type": "charge.dispute.created", "created": until - 60, "api_version": stripeapi.APIVersion,
			"data": map[string]any{"object": map[string]any{
				"object": "dispute", "id": id, "charge": charge, "status": "needs_response", "created": until - 60,
			}},
		}
	}
	odd := map[string]any{"object": "event", "id": "evt_odd", "type": "invoice.payment_failed", "created": until - 60,
		"data": map[string]any{"object": map[string]any{"id": 7}}}
	s.set("events", dispute("evt_1", "dp_1", "ch_1"), dispute("evt_2", "dp_2", "ch_anonymous"), dispute("evt_3", "dp_3", "ch_gone"), odd)
	s.set("charges", map[string]any{"object": "charge", "id": "ch_1", "customer": "cus_1"},
		map[string]any{"object": "charge", "id": "ch_anonymous", "customer": nil})
	r := newRig(t, s.URL, clock.RealClock{})
	r.start()
	r.backfill(bus.BackfillTask{UID: "disputes", Window: "30d", Until: until})
	r.Expect(r.ends("disputes").Signals).To(BeEquivalentTo(1))
	r.Expect(r.signals(1)).To(Equal(map[signal.Kind]int{signal.DisputeCreated: 1}))
	r.Expect(r.received["evt_1"].Customer).To(Equal("cus_1"))
	r.Expect(r.counter("kustiq_worker_disputes_total", "unattributed")).To(BeEquivalentTo(2))
	r.Eventually(func() bus.Failure { r.mu.Lock(); defer r.mu.Unlock(); return r.failures["evt_odd"] }, patch, "10ms").
		Should(Equal(bus.FailureUndecodable), "the engine lists it")
	for _, uri := range s.requests() {
		r.Expect(strings.HasPrefix(uri, "/v1/")).To(BeTrue())
	}
}
