package backfill_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripesim"
)

// twice are the kinds that events and objects both tell of the last 30 days, since objects are read as they are now. The
// fold takes them once.
var twice = []signal.Kind{signal.CustomerCreated, signal.SubscriptionDeleted, signal.SubscriptionObserved, signal.SubscriptionPaused}

// TestEventsDuringABackfillAreNeitherLostNorDoubled lets things happen before, in and after the second in which an
// account is connected, and while its history is read. What Stripe delivers from then on comes live; the backfill ends
// where that begins.
func TestEventsDuringABackfillAreNeitherLostNorDoubled(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	start := time.Now().Truncate(time.Second)
	a := stripesim.Generate(stripesim.GenerateOptions{
		AccountID: account, Name: "Gap", Country: "DE", Currency: "eur", Customers: 120, Years: 1, Seed: 9, End: start, Livemode: true, AllEvents: true,
	})
	r := newRig(t, a)
	limits := stripesim.StripeLimits()
	limits.Latency = 20 * time.Millisecond
	r.sim.SetLimits(limits)
	customers := r.sim.Customers(account)
	act := func(n int) {
		actions := stripesim.Actions()
		for range n {
			// One that does not fit the customer's state does not happen.
			_, _ = r.sim.Act(account, customers[random.IntN(len(customers))].ID, actions[random.IntN(len(actions))])
		}
	}
	act(40) // nobody is connected yet
	delivered := len(a.Events())
	connected := time.Now().Truncate(time.Second)
	deliver := func() {
		all := a.Events()
		signals := told(t, all)
		for _, body := range all[delivered:] {
			r.live(body, signals)
		}
		delivered = len(all)
	}
	act(20) // in the second of the connection: they come live, and the backfill lists them, too
	deliver()
	r.publish("gap", "AllTime", connected)
	r.start()
	for phase := ""; phase != bus.PhaseSucceeded; {
		act(3)
		deliver()
		p, _, _ := r.bus.Progress().Get(t.Context(), "gap")
		phase = p.Phase
	}
	act(40)
	deliver()
	p := r.succeeds("gap")
	all := told(t, a.Events())
	recent := p.StartedAt - 30*24*3600 + 3600
	wanted := map[string]signal.Signal{}
	for id, s := range all {
		if s.Created >= recent {
			wanted[id] = s
		}
	}
	r.Eventually(func() (missing []string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for id := range wanted {
			if _, ok := r.received[id]; !ok {
				missing = append(missing, id)
			}
		}
		return missing
	}, patience, "20ms").Should(BeEmpty(), "events that came neither live nor with the backfill")

	r.mu.Lock()
	defer r.mu.Unlock()
	seen, doubled := map[fact]string{}, []fact{}
	for id, s := range r.received {
		if slices.Contains(twice, s.Kind) {
			continue
		}
		f := factOf(s)
		if other, ok := seen[f]; ok && s.EventID != "" && r.received[other].EventID == "" || ok && s.EventID == "" {
			doubled = append(doubled, f)
		}
		seen[f] = id
	}
	r.Expect(doubled).To(BeEmpty(), "told by an event and by an object")
	at := time.Now()
	want, got, same := byCustomer(all), byCustomer(r.received), 0
	for customer, signals := range want {
		if !lossless(signals, recent) {
			continue
		}
		same++
		r.Expect(scoring.Evaluate(scoring.Fold(got[customer]), at, scoring.Prior()).Score).
			To(Equal(scoring.Evaluate(scoring.Fold(signals), at, scoring.Prior()).Score), customer)
	}
	r.Expect(same).To(BeNumerically(">", 30))
	t.Logf("%d events live, %d with the backfill and live; %d customers score the same", len(wanted), len(all), same)
}

// live publishes an event as the receiver does.
func (r *rig) live(body map[string]any, told map[string]signal.Signal) {
	r.t.Helper()
	raw, err := json.Marshal(body)
	must(r.t, err)
	e, err := signal.DecodeEvent(raw)
	must(r.t, err)
	signals, err := signal.Classify(e)
	must(r.t, err)
	if len(signals) == 0 {
		return
	}
	for i := range signals {
		signals[i].Customer = told[signals[i].ID].Customer // as the look-up of a dispute's charge finds it
	}
	_, err = r.bus.PublishLive(r.t.Context(), bus.Message{
		Workspace: "team/main", Connection: account, Account: account, Livemode: true, EventID: e.ID, EventType: e.Type, Created: e.Created,
		ReceivedAtMs: time.Now().UnixMilli(), Signals: signals,
	})
	must(r.t, err)
}

// TestObjectsDeletedUnderTheCursor deletes, while pages are read, customers that were read, among them those that the
// next pages are asked for after.
func TestObjectsDeletedUnderTheCursor(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	a := bulk(now, 300)
	r := newRig(t, a)
	limits := stripesim.StripeLimits()
	limits.Latency = 30 * time.Millisecond
	r.sim.SetLimits(limits)
	r.start()
	r.publish("deleted", "AllTime", now)
	removed := map[string]bool{}
	for phase := ""; phase != bus.PhaseSucceeded; {
		list, _, _ := r.bus.Lists().Get(t.Context(), bus.ListKey("deleted", "customers"))
		for _, s := range list.Slices {
			if s.Cursor != "" && !s.Done && !removed[s.Cursor] {
				removed[s.Cursor] = true
				r.sim.Remove(account, true, s.Cursor)
			}
		}
		p, _, _ := r.bus.Progress().Get(t.Context(), "deleted")
		phase = p.Phase
	}
	r.succeeds("deleted")
	r.Expect(removed).NotTo(BeEmpty())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Expect(facts(r.received, signal.CustomerCreated)).To(HaveLen(a.Totals(now.Unix())["customers"]), "those deleted had been read before")
	r.Expect(slices.Collect(func(yield func(string) bool) {
		for id := range removed {
			if _, ok := r.received[id+":created"]; !ok && !yield(id) {
				return
			}
		}
	})).To(BeEmpty())
}
