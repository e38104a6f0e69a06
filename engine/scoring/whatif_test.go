package scoring

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/kustiq/kustiq/engine/signal"
)

// moved is a what-if as the specification's examples tell it: "95 → 57".
type moved struct {
	name          string
	before, after int
	tier          Tier
}

func whatIfs(t *testing.T, history []signal.Signal) (all []moved) {
	t.Helper()
	found, err := Fold(history).WhatIfs(at(now), Prior())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range found {
		all = append(all, moved{w.Name, w.Before.Score, w.After.Score, w.After.Tier})
	}
	return all
}

// The figures are those of the worked examples, on both sides of the arrow. A tenure of 218 days is 225 a week later.
func TestWhatIfs(t *testing.T) {
	with := func(days int64, more ...signal.Signal) []signal.Signal { return append(paying(now-days*d, 1), more...) }
	cases := map[string]struct {
		history []signal.Signal
		want    []moved
	}{
		"no signal": {with(225), nil},
		"1 failure": {with(225, failed(now, "in_1", 1)), []moved{
			{"invoices_paid", 65, 54, Normal}, {"payment_fails_again", 65, 95, Critical}}},
		"2 failures": {with(225, failed(now-3*d, "in_1", 1), failed(now, "in_1", 2)), []moved{
			{"invoices_paid", 95, 57, Normal}, {"payment_fails_again", 95, 96, Critical}}},
		"4 failures, final": {with(225, failed(now-12*d, "in_1", 1), failed(now-9*d, "in_1", 2), failed(now-5*d, "in_1", 3),
			failedLast(now, "in_1", 4)), []moved{{"invoices_paid", 97, 63, Normal}}},
		"2 failures on two invoices": {with(225, failed(now-3*d, "in_1", 1), failed(now, "in_2", 1)), []moved{
			{"invoices_paid", 95, 57, Normal}, {"payment_fails_again", 95, 96, Critical}}},
		"a dispute":    {with(218, disputed1(now, "dp_1")), []moved{{"quiet_7d", 70, 54, Normal}}},
		"a pause":      {with(225, sub1(signal.SubscriptionPaused, now-5*d)), []moved{{"resumed", 57, 44, Normal}}},
		"leaving":      {with(225, sub1(signal.CancelScheduled, now)), []moved{{"cancellation_withdrawn", 89, 51, Normal}}},
		"half price":   {with(225, repriced(now-10*d, 10000, 5000)), []moved{{"price_restored", 50, 37, Normal}, {"quiet_7d", 50, 49, Normal}}},
		"already paid": {with(225, failed(now-3*d, "in_1", 1), failed(now, "in_1", 2), paid(now, "in_1")), []moved{{"quiet_7d", 57, 55, Normal}}},
		"churned":      {with(225, sub1(signal.SubscriptionDeleted, now)), nil},
		"never paid":   {nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := whatIfs(t, c.history); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// What might happen must leave what did happen alone, and a recovery never moves a customer up the list.
func TestWhatIfsOfAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := tell(t).signals
		s := Fold(history)
		before, _ := json.Marshal(s)
		end := at(now)
		if n := len(Ordered(history)); n > 0 {
			end = at(Ordered(history)[n-1].Created)
		}
		all, err := s.WhatIfs(end, Prior())
		if err != nil {
			t.Fatal(err)
		}
		if after, _ := json.Marshal(s); string(after) != string(before) {
			t.Fatalf("the state has changed:\n%s\n%s", before, after)
		}
		for _, w := range all {
			switch w.Name {
			case "invoices_paid", "cancellation_withdrawn", "resumed", "price_restored":
				if Less(Ranked{Tier: w.After.Tier, Score: w.After.Score}, Ranked{Tier: w.Before.Tier, Score: w.Before.Score}) {
					t.Fatalf("%+v moves the customer up the list", w)
				}
			}
		}
	})
}

func TestLastChange(t *testing.T) {
	monthly := paying(now-225*d, 1)
	first, second := failed(now-3*d, "in_1", 1), failed(now, "in_1", 2)
	later := of(signal.CustomerUpdated, now+d)
	observed := about(signal.SubscriptionObserved, now+d, signal.Subscription{ID: "sub_1", Status: "past_due"})
	history := append(append([]signal.Signal{}, monthly...), second, later, first, observed)
	c, ok := LastChange(history, Prior())
	if !ok || c.Signal.ID != second.ID || c.Before.Score != 65 || c.After.Score != 95 || c.After.Tier != Critical {
		t.Errorf("%+v, want 65 → 95 by %s", c, second.ID)
	}
	down, pause := repriced(now, 10000, 5000), sub1(signal.SubscriptionPaused, now)
	pause.EventID = down.EventID
	c, ok = LastChange(append(monthly, down, pause), Prior())
	if !ok || c.Before.Score != 38 || c.After.Score != evaluated(now, monthly, down, pause).Score {
		t.Errorf("two signals of one event: %+v", c)
	}
	if _, ok := LastChange([]signal.Signal{later, observed}, Prior()); ok {
		t.Error("a change without a signal that can move a score")
	}
}

func TestThreshold(t *testing.T) {
	residual := append(paying(now-225*d, 1), failed(now-3*d, "in_1", 1), failed(now, "in_1", 2), paid(now, "in_1"))
	s := Fold(residual)
	for threshold, want := range map[int]bool{0: false, DefaultAtRisk: false, 58: false, 57: true, 1: true} {
		p := Prior()
		p.AtRisk = threshold
		if e := Evaluate(s, at(now), p); e.Score != 57 || e.Segment != want {
			t.Errorf("threshold %d: %d %v", threshold, e.Score, e.Segment)
		}
	}
	// What is in force puts a customer at risk whatever the score.
	p := Prior()
	p.AtRisk = 100
	if e := Evaluate(Fold(append(paying(now-225*d, 1), failed(now, "in_1", 1))), at(now), p); !e.Segment {
		t.Errorf("%+v", e)
	}
}
