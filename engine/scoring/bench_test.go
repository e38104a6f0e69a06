package scoring

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kustiq/kustiq/engine/signal"
)

// longHistory is about five years of a customer with failures, price changes, a pause and disputes.
func longHistory(n int) []signal.Signal {
	start := now - int64(n)*9*d
	history := paying(start, 1)
	for i := 0; len(history) < n; i++ {
		at := start + int64(len(history))*9*d
		invoice := fmt.Sprintf("in_%d", i)
		finalized := of(signal.InvoiceFinalized, at)
		finalized.Invoice = &signal.Invoice{ID: invoice, Subscription: "sub_1", BillingReason: "subscription_cycle", Created: at}
		history = append(history, finalized)
		if i%6 == 5 {
			history = append(history, failed(at+3600, invoice, 1), failed(at+3*d, invoice, 2))
		}
		history = append(history, paid(at+4*d, invoice), about(signal.SubscriptionObserved, at+4*d+1, *history[1].Subscription))
		switch i % 10 {
		case 3:
			history = append(history, repriced(at+5*d, 10000, 8000))
		case 6:
			history = append(history, repriced(at+5*d, 8000, 10000), disputed1(at+6*d, "dp_"+invoice))
		case 8:
			history = append(history, sub1(signal.SubscriptionPaused, at+5*d), sub1(signal.SubscriptionResumed, at+6*d))
		}
	}
	return history[:n]
}

// BenchmarkRebuild is a fold of 200 signals that arrive in order, and shuffled. Goal: 50 µs.
func BenchmarkRebuild(b *testing.B) {
	ordered := Ordered(longHistory(200))
	shuffled := append([]signal.Signal{}, ordered...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for name, history := range map[string][]signal.Signal{"ordered": ordered, "shuffled": shuffled} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Fold(history)
			}
		})
	}
}

// BenchmarkUpdate applies one signal to a state of a long history and evaluates it. Goal: 5 µs. The allocations must
// not grow with the history.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{20, 200, 2000} {
		b.Run(fmt.Sprintf("history=%d", n), func(b *testing.B) {
			history := longHistory(n)
			state := Fold(history)
			when := now
			failure, recovery := failed(when, "in_open", 1), paid(when, "in_open")
			b.ReportAllocs()
			for b.Loop() {
				// The same invoice fails and is paid for ever: a state that does not grow, so that only the update is measured.
				when += 60
				failure.Created, recovery.Created = when, when+1
				sig := failure
				if when%120 == 0 {
					sig = recovery
				}
				if !state.Apply(sig) {
					b.Fatal("refused")
				}
				Evaluate(state, at(when+1), Prior())
			}
		})
	}
}

// BenchmarkUpdateAtRisk is an update of a customer with open dunning, disputes and price changes: every term at work and
// a next change to find by bisection.
func BenchmarkUpdateAtRisk(b *testing.B) {
	history := append(longHistory(200), failed(now-2*d, "in_a", 1), failed(now-d, "in_a", 2), disputed1(now-3*d, "dp_a"),
		repriced(now-4*d, 10000, 5000))
	state := Fold(history)
	when := now
	sig := disputed1(when, "dp_a")
	b.ReportAllocs()
	for b.Loop() {
		when++
		sig.Created = when
		if !state.Apply(sig) {
			b.Fatal("refused")
		}
		Evaluate(state, at(when), Prior())
	}
}

// TestStateDoesNotGrowWithHistory holds for what an engine keeps of each customer.
func TestStateDoesNotGrowWithHistory(t *testing.T) {
	size := func(n int) int {
		raw, err := json.Marshal(Fold(longHistory(n)))
		if err != nil {
			t.Fatal(err)
		}
		return len(raw)
	}
	if short, long := size(200), size(4000); long > 2*short {
		t.Errorf("%d bytes after 200 signals, %d after 4000", short, long)
	}
}

// BenchmarkEvaluate is a re-evaluation without a signal.
func BenchmarkEvaluate(b *testing.B) {
	state := Fold(longHistory(200))
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(state, at(now), Prior())
	}
}
