package backfill_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/stripesim"
)

// fact is what a signal says happened.
type fact struct {
	Kind     signal.Kind
	Customer string
	// Object is the invoice, subscription or dispute it happened to.
	Object string
	At     int64
}

func factOf(s signal.Signal) fact {
	f := fact{Kind: s.Kind, Customer: s.Customer, At: s.Created}
	switch {
	case s.Invoice != nil:
		f.Object = s.Invoice.ID
	case s.Subscription != nil:
		f.Object = s.Subscription.ID
	case s.Dispute != nil:
		f.Object = s.Dispute.ID
	}
	return f
}

// kept are the kinds of which Stripe's objects tell as much as its events, at the same second.
var kept = []signal.Kind{
	signal.CustomerCreated, signal.InvoiceFinalized, signal.PaymentFailed, signal.PaymentSucceeded, signal.SubscriptionDeleted, signal.DisputeCreated,
}

// TestBackfillTellsWhatEventsTold reads three years of one history as events and as a backfill. What differs is stated
// here, and in docs/backfill.md: beyond Stripe's 30 days of events
//   - pauses, resumptions, scheduled ends and their withdrawal are gone;
//   - several price changes between two invoices are one, and it is dated at the later invoice;
//   - a failed payment does not know which attempt it was.
func TestBackfillTellsWhatEventsTold(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	a := stripesim.Generate(stripesim.GenerateOptions{
		AccountID: account, Name: "History", Country: "DE", Currency: "eur", Customers: 150, Years: 3, Seed: 5, End: now, Livemode: true, AllEvents: true,
	})
	events := told(t, a.Events())
	r := newRig(t, a)
	r.start()
	r.publish("equal", "AllTime", now)
	p := r.succeeds("equal")
	r.mu.Lock()
	defer r.mu.Unlock()
	recent := p.StartedAt - 30*24*3600 + 3600

	for _, kind := range kept {
		want, got := facts(events, kind), facts(r.received, kind)
		missing, extra := without(want, got), without(got, want)
		r.Expect(missing).To(BeEmpty(), "%s that only events tell, of %d", kind, len(want))
		r.Expect(extra).To(BeEmpty(), "%s that only objects tell, of %d", kind, len(got))
		r.Expect(want).NotTo(BeEmpty(), "the history has no %s, so this proves nothing", kind)
	}
	r.Expect(moves(r.received)).To(Equal(net(events, invoiceTimes(events), recent)), "price changes, net between two invoices")
	inferred := p.Found[signal.SubscriptionUpgraded].Inferred + p.Found[signal.SubscriptionDowngraded].Inferred
	r.Expect(inferred).To(BeNumerically(">", 10))
	t.Logf("%d signals of %d customers are the same; %d price changes inferred; %+v", len(r.received), len(byCustomer(events)), inferred, p.Found)
	compareScores(r, events, now, recent)
}

func facts(signals map[string]signal.Signal, kind signal.Kind) map[fact]bool {
	out := map[fact]bool{}
	for _, s := range signals {
		if s.Kind == kind {
			out[factOf(s)] = true
		}
	}
	return out
}

func without(these, those map[fact]bool) (out []fact) {
	for f := range these {
		if !those[f] {
			out = append(out, f)
		}
	}
	return out
}

// move is a change of one subscription's price.
type move struct {
	Subscription  string
	At            int64
	Before, After string
}

func priced(v float64) string { return fmt.Sprintf("%.2f", v) }

func isMove(s signal.Signal) bool {
	return s.Kind == signal.SubscriptionUpgraded || s.Kind == signal.SubscriptionDowngraded
}

// moves are the price changes that were found, in order.
func moves(signals map[string]signal.Signal) (out []move) {
	for _, s := range signals {
		if isMove(s) {
			out = append(out, move{s.Subscription.ID, s.Created, priced(*s.Subscription.PreviousMRR), priced(*s.Subscription.MRR)})
		}
	}
	return ordered(out)
}

func ordered(moves []move) []move {
	slices.SortFunc(moves, func(a, b move) int {
		return cmp.Or(cmp.Compare(a.Subscription, b.Subscription), cmp.Compare(a.At, b.At))
	})
	return moves
}

// invoiceTimes are when each subscription was billed, and when it ended.
func invoiceTimes(events map[string]signal.Signal) map[string][]int64 {
	out := map[string][]int64{}
	for _, s := range events {
		switch s.Kind {
		case signal.InvoiceFinalized:
			out[s.Invoice.Subscription] = append(out[s.Invoice.Subscription], s.Created)
		case signal.SubscriptionDeleted:
			out[s.Subscription.ID] = append(out[s.Subscription.ID], s.Created)
		}
	}
	for _, times := range out {
		slices.Sort(times)
	}
	return out
}

// net is what events told of prices, as objects can tell it: changes that the reach of events covers as they were, of
// earlier ones the sum between two invoices, dated at the later, or at the end of what objects tell.
func net(events map[string]signal.Signal, billed map[string][]int64, recent int64) (out []move) {
	type span struct {
		subscription string
		until        int64
	}
	before := map[span][]signal.Signal{}
	for _, s := range events {
		if !isMove(s) {
			continue
		}
		sub := s.Subscription.ID
		if s.Created >= recent {
			out = append(out, move{sub, s.Created, priced(*s.Subscription.PreviousMRR), priced(*s.Subscription.MRR)})
			continue
		}
		at := recent - 1
		for _, t := range billed[sub] {
			if t >= s.Created && t < at {
				at = t
			}
		}
		before[span{sub, at}] = append(before[span{sub, at}], s)
	}
	for where, changes := range before {
		slices.SortFunc(changes, func(a, b signal.Signal) int { return cmp.Compare(a.Created, b.Created) })
		first, last := *changes[0].Subscription.PreviousMRR, *changes[len(changes)-1].Subscription.MRR
		if math.Abs(first-last) > 0.005 {
			out = append(out, move{where.subscription, where.until, priced(first), priced(last)})
		}
	}
	return ordered(out)
}

// compareScores folds both tellings. Customers of whom nothing is lost must score the same; of others the difference is
// what the loss amounts to.
func compareScores(r *rig, events map[string]signal.Signal, now time.Time, recent int64) {
	want, got := byCustomer(events), byCustomer(r.received)
	same, differing, worst := 0, 0, 0.0
	for customer, signals := range want {
		a := scoring.Evaluate(scoring.Fold(signals), now, scoring.Prior())
		b := scoring.Evaluate(scoring.Fold(got[customer]), now, scoring.Prior())
		if lossless(signals, recent) {
			same++
			r.Expect(b.Tier).To(Equal(a.Tier), customer)
			r.Expect(b.Score).To(Equal(a.Score), customer)
			continue
		}
		differing++
		worst = max(worst, math.Abs(float64(a.Score-b.Score)))
	}
	r.Expect(same).To(BeNumerically(">", 50))
	r.t.Logf("%d customers of whom nothing is lost score the same; of %d others the score differs by %.0f at most", same, differing, worst)
}

// lossless says whether everything that events told of a customer is in objects too.
func lossless(signals []signal.Signal, recent int64) bool {
	for _, s := range signals {
		if s.Created < recent && (isMove(s) || s.Kind == signal.PaymentFailed || !slices.Contains(append(kept, signal.SubscriptionObserved), s.Kind)) {
			return false
		}
	}
	return true
}
