package scoring

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/kustiq/kustiq/engine/signal"
)

func stateJSON(t *rapid.T, s *State) string {
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func evaluate(s *State, t int64) Evaluation { return Evaluate(s, at(t), Prior()) }

// 1. Neither order nor repetition of the signals matters, to the bit.
func TestFoldIsAFunctionOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t)
		want := Fold(s.signals)
		other := slices.Clone(s.signals)
		other = append(other, rapid.SliceOf(rapid.SampledFrom(s.signals)).Draw(t, "sent again")...)
		other = rapid.Permutation(other).Draw(t, "order")
		got := Fold(other)
		if stateJSON(t, got) != stateJSON(t, want) {
			t.Fatalf("states differ:\n%s\n%s", stateJSON(t, got), stateJSON(t, want))
		}
		if a, b := evaluate(got, s.clock+d), evaluate(want, s.clock+d); !reflect.DeepEqual(a, b) {
			t.Fatalf("evaluations differ:\n%+v\n%+v", a, b)
		}
	})
}

// 2. Applying one by one gives what a rebuild gives, also through a marshalled state; what is not newer is refused.
func TestIncrementalIsRebuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t)
		order := Ordered(s.signals)
		cut := rapid.IntRange(0, len(order)).Draw(t, "restored after")
		state := Fold(nil)
		for i, sig := range order {
			if i == cut {
				restored := &State{}
				if err := json.Unmarshal([]byte(stateJSON(t, state)), restored); err != nil {
					t.Fatal(err)
				}
				state = restored
			}
			if !state.Apply(sig) {
				t.Fatalf("signal %d refused", i)
			}
			if state.Apply(sig) || (i > 0 && state.Apply(order[0])) {
				t.Fatal("an older signal was applied")
			}
		}
		rebuilt := Fold(s.signals)
		if got, want := stateJSON(t, state), stateJSON(t, rebuilt); got != want {
			t.Fatalf("states differ:\n%s\n%s", got, want)
		}
		if got, want := evaluate(state, s.clock), evaluate(rebuilt, s.clock); !reflect.DeepEqual(got, want) {
			t.Fatalf("evaluations differ:\n%+v\n%+v", got, want)
		}
	})
}

func isChurn(kind signal.Kind) bool {
	switch kind {
	case signal.PaymentFailed, signal.SubscriptionDowngraded, signal.SubscriptionPaused, signal.DisputeCreated,
		signal.SubscriptionDeleted, signal.CancelScheduled:
		return true
	default:
		return false
	}
}

func isRecovery(kind signal.Kind) bool {
	return kind == signal.PaymentSucceeded || kind == signal.SubscriptionUpgraded || kind == signal.SubscriptionResumed
}

// 3. At its own instant a churn signal never lowers η and a recovery never raises it. It is told for signals that leave
// the baseline as it is: one may also make another subscription the most valuable, or end a yearly plan's unpaid
// renewal, and the baseline then is that of another plan or phase.
func TestSignalsMoveEtaTheirWay(t *testing.T) {
	const slack = 1e-9
	rapid.Check(t, func(t *rapid.T) {
		state := Fold(nil)
		for i, sig := range Ordered(tell(t).signals) {
			before := evaluate(state, sig.Created)
			state.Apply(sig)
			after := evaluate(state, sig.Created)
			if before.Tier == Unscored || after.Terms[0].LogOdds != before.Terms[0].LogOdds {
				continue
			}
			if isChurn(sig.Kind) && after.Eta < before.Eta-slack {
				t.Fatalf("signal %d %s lowered η from %v to %v\n%+v\n%+v", i, sig.Kind, before.Eta, after.Eta, before.Terms, after.Terms)
			}
			if rank := tierOrder[after.Tier]; isChurn(sig.Kind) && rank > tierOrder[before.Tier] && after.Tier != Churned {
				t.Fatalf("signal %d %s lowered the tier from %s to %s", i, sig.Kind, before.Tier, after.Tier)
			}
			if isRecovery(sig.Kind) && after.Eta > before.Eta+slack {
				t.Fatalf("signal %d %s raised η from %v to %v\n%+v\n%+v", i, sig.Kind, before.Eta, after.Eta, before.Terms, after.Terms)
			}
		}
	})
}

// 4. Context newer than the last signal changes nothing.
func TestContextAloneChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t)
		when := s.clock + d
		want := evaluate(Fold(s.signals), when)
		s.clock++
		s.add(signal.CustomerCreated).Person = &signal.Person{CustomerCreated: storyStart - 900*d}
		s.add(signal.InvoiceFinalized).Invoice = &signal.Invoice{
			ID: "in_new", Subscription: "sub_new", Created: storyStart - 900*d, MRR: value(1e9), IntervalMonths: 12,
		}
		s.add(signal.PaymentSucceeded).Invoice = &signal.Invoice{ID: "in_zero", Subscription: "sub_zero", Created: s.clock, PaidAt: s.clock}
		if got := evaluate(Fold(s.signals), when); !reflect.DeepEqual(got, want) {
			t.Fatalf("context changed the evaluation:\n%+v\n%+v", got, want)
		}
	})
}

// 5. With no further signal every term fades, but for an open pause, a scheduled end, and the end of the last one.
func TestTermsFade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t)
		state := Fold(s.signals)
		e := evaluate(state, s.clock+20*365*d)
		c := state.curve(s.clock, Prior())
		for _, term := range e.Terms {
			held := term.Name == "baseline" || term.Name == "cancel_scheduled" || (term.Name == "pause" && c.pause.held) ||
				(term.Name == "subscription_deleted" && e.Tier == Churned)
			if !held && math.Abs(term.LogOdds) > 1e-6 {
				t.Fatalf("%s still weighs %v", term.Name, term.LogOdds)
			}
		}
	})
}

// 6. Every Critical customer comes before every other one; 10. the terms sum to η.
func TestOrderAndSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := tell(t), tell(t)
		when := max(a.clock, b.clock)
		x, y := evaluate(Fold(a.signals), when), evaluate(Fold(b.signals), when)
		rx, ry := Ranked{"cus_a", x.Tier, x.Score, x.MRR}, Ranked{"cus_b", y.Tier, y.Score, y.MRR}
		if x.Tier == Critical && y.Tier != Critical && !Less(rx, ry) {
			t.Fatalf("%+v is not before %+v", rx, ry)
		}
		if Less(rx, ry) == Less(ry, rx) {
			t.Fatalf("no strict order between %+v and %+v", rx, ry)
		}
		for _, e := range []Evaluation{x, y} {
			sum, points := 0.0, 0.0
			for _, term := range e.Terms {
				sum += term.LogOdds
				points += term.Points
			}
			if math.Abs(sum-e.Eta) > 1e-9 || math.Abs(points-pointsPerLogOdds*e.Eta) > 1e-7 {
				t.Fatalf("terms sum to %v, η is %v", sum, e.Eta)
			}
			if e.P30 < 0 || e.P30 > 1 || e.Score < 0 || e.Score > 100 {
				t.Fatalf("out of range: %+v", e)
			}
		}
	})
}

// 8. The same attempt under a new event id counts once, as does the same event.
func TestSameAttemptCountsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t)
		var failures []signal.Signal
		for _, sig := range s.signals {
			if sig.Kind == signal.PaymentFailed {
				failures = append(failures, sig)
			}
		}
		if len(failures) == 0 {
			t.Skip("no failure")
		}
		again := rapid.SampledFrom(failures).Draw(t, "again")
		again.ID, again.EventID = "evt_zzz", "evt_zzz"
		want, got := evaluate(Fold(s.signals), s.clock), evaluate(Fold(append(s.signals, again)), s.clock)
		if want.Eta != got.Eta || want.Tier != got.Tier || want.Score != got.Score {
			t.Fatalf("counted twice: %+v\n%+v", want, got)
		}
	})
}

// 9. Paying everything leaves Critical at once; paying one of several never raises p30.
func TestPayingHelps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t)
		if len(s.live) == 0 {
			t.Skip("churned")
		}
		sort.Strings(s.order)
		before := evaluate(Fold(s.signals), s.clock)
		for _, invoice := range s.order {
			s.settle(invoice)
			after := evaluate(Fold(s.signals), s.clock)
			if after.P30 > before.P30+1e-12 {
				t.Fatalf("paying %s raised p30 from %v to %v", invoice, before.P30, after.P30)
			}
			before = after
		}
		if before.Tier == Critical {
			t.Fatal("Critical with nothing unpaid")
		}
	})
}

// 11. Until next_change_at nothing that orders customers changes, and at it something does unless it is the cap.
func TestNextChangeIsTheNextChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tell(t)
		state := Fold(s.signals)
		when := s.clock + rapid.OneOf(rapid.Int64Range(0, 40*d), rapid.Int64Range(0, 400*d)).Draw(t, "later")
		e := evaluate(state, when)
		next := e.NextChangeAt.Unix()
		if next <= when || next > when+horizon {
			t.Fatalf("next change %d s ahead", next-when)
		}
		c := state.curve(when, Prior())
		is := standing{e.Tier, e.Score, e.Segment}
		for probe := when; probe < next; probe += 7 {
			if other, _, _, _ := c.evaluate(probe); other != is {
				t.Fatalf("changed %d s ahead, next change is %d s ahead: %+v\n%+v", probe-when, next-when, is, other)
			}
		}
		other := evaluate(state, next)
		if next < when+horizon && other.Tier == e.Tier && other.Score == e.Score && other.Segment == e.Segment {
			t.Fatalf("nothing changes %d s ahead", next-when)
		}
	})
}

// 11. Re-evaluating only the customers that are due keeps the order that re-evaluating all would give.
func TestOrderByDueCustomersIsTheBruteForceOrder(t *testing.T) {
	type customer struct {
		state *State
		rank  Ranked
		due   int64
	}
	rapid.Check(t, func(t *rapid.T) {
		customers := make([]customer, rapid.IntRange(2, 6).Draw(t, "customers"))
		when := storyStart
		for i := range customers {
			s := tell(t)
			customers[i].state, when = Fold(s.signals), max(when, s.clock)
		}
		for range 10 {
			when += rapid.Int64Range(1, 3*d).Draw(t, "pass")
			brute := make([]Ranked, len(customers))
			for i := range customers {
				c := &customers[i]
				e := evaluate(c.state, when)
				brute[i] = Ranked{string(rune('a' + i)), e.Tier, e.Score, e.MRR}
				if c.due <= when {
					c.rank, c.due = brute[i], e.NextChangeAt.Unix()
				}
			}
			kept := make([]Ranked, len(customers))
			for i := range customers {
				kept[i] = customers[i].rank
			}
			sort.Slice(kept, func(i, j int) bool { return Less(kept[i], kept[j]) })
			sort.Slice(brute, func(i, j int) bool { return Less(brute[i], brute[j]) })
			if !reflect.DeepEqual(kept, brute) {
				t.Fatalf("order %v, brute force %v", kept, brute)
			}
		}
	})
}
