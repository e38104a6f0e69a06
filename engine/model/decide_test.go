package model

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/internal/report"
)

// mild is a world where open dunning weighs a third of what is agreed, so that fitted weights are plainly better.
func mild(seed uint64) *world {
	w := agreed(seed, 2)
	w.dunning = 0.3
	return w
}

// at gives a panel of the same people as of an earlier instant.
func panelAt(people []person, at time.Time) *Panel {
	p := NewPanel(at)
	for i := range people {
		p.Add(people[i].id, people[i].signals)
	}
	return p
}

func TestFittedWeightsAreAcceptedWhereTheyAreBetter(t *testing.T) {
	p := panelOf(mild(1).populate(1500))
	o := Decide(p, Current{Params: scoring.Prior()}, false, 1)
	test := o.Card.Test
	if !o.Changed || o.Card.Kind != report.ModelFitted || o.Params.Weights == nil || !test.Accepted || len(test.Reasons) > 0 {
		t.Fatalf("%+v", o.Card)
	}
	if test.Gain < leastGain || test.Better < leastBetter || test.TrainTo.AddDate(0, 0, gapDays).After(test.TestFrom) ||
		test.TestTo.Sub(test.TestFrom) >= testDays*day*time.Second {
		t.Errorf("%+v", test)
	}
	if got := o.Params.Weights[0]; got > 1.5 || !o.Params.Fitted[0] {
		t.Errorf("a failure weighs %v", got)
	}
	if o.Card.Figures == nil || len(o.Card.Calibration) != binCount || o.Card.Panel.Customers < 1000 || o.Card.Panel.Share != 1 {
		t.Errorf("%+v", o.Card)
	}
	if again := Decide(p, Current{Params: scoring.Prior()}, false, 1); !reflect.DeepEqual(again, o) {
		t.Error("the same panel and the same seed led to something else")
	}
}

func TestTooLittleHistory(t *testing.T) {
	for name, c := range map[string]struct {
		customers int
		years     float64
		want      []string
	}{
		"none":         {0, 1, []string{"0 customers to fit on", "0 cancellations to fit on", "0 days to fit on", "0 cancellations in the newest"}},
		"few":          {100, 2, []string{"customers to fit on, and 200 are needed"}},
		"a short time": {3000, 0.5, []string{"days to fit on, and 120 are needed"}},
	} {
		o := Decide(panelOf(agreed(2, c.years).populate(c.customers)), Current{}, true, 1)
		if o.Card.Test.Accepted || o.Params.Weights != nil {
			t.Errorf("%s: accepted", name)
		}
		for _, want := range c.want {
			if !strings.Contains(strings.Join(o.Card.Test.Reasons, "\n"), want) {
				t.Errorf("%s: %q do not say %q", name, o.Card.Test.Reasons, want)
			}
		}
		if (c.customers == 0) != (o.Card.Kind == report.ModelPrior) || (c.customers == 0) == o.Changed {
			t.Errorf("%s: %s, changed %v", name, o.Card.Kind, o.Changed)
		}
	}
}

// TestTheAgreedTruthNeedsNoWeights holds that what the prior knows already is not fitted anew.
func TestTheAgreedTruthNeedsNoWeights(t *testing.T) {
	o := Decide(panelOf(agreed(2, 2).populate(1000)), Current{}, true, 1)
	if o.Card.Kind != report.ModelIntercept || !strings.HasPrefix(o.Card.Reason, "fitted weights were not accepted: ") ||
		o.Card.Test.Fitted == nil || o.Card.Test.Prior == nil || o.Params.Intercept == 0 {
		t.Errorf("%+v", o.Card)
	}
}

// TestDaysOfAWorkspace goes from day to day: the intercept follows every day, weights are tested once in 30.
func TestDaysOfAWorkspace(t *testing.T) {
	people := mild(3).populate(1500)
	day0 := end.AddDate(0, 0, -40)
	o := Decide(panelAt(people, day0), Current{Params: scoring.Prior()}, false, 1)
	if o.Card.Kind != report.ModelFitted {
		t.Fatalf("%+v", o.Card.Test)
	}
	o.Params.Version, o.Card.Version = "fitted-1", "fitted-1"
	next := Decide(panelAt(people, day0.AddDate(0, 0, 1)), Current{o.Params, o.Card}, false, 1)
	if next.Changed || next.Params.Version != "fitted-1" || next.Card.Test.At != day0 || !next.Card.CheckedAt.After(day0) {
		t.Errorf("a day later: changed %v, %+v", next.Changed, next.Card)
	}
	later := Decide(panelAt(people, day0.AddDate(0, 0, 29)), Current{o.Params, o.Card}, false, 1)
	if later.Card.Test.At != day0 || *later.Params.Weights != *o.Params.Weights || later.Card.Reason != o.Card.Reason {
		t.Errorf("29 days later: %+v", later.Card)
	}
	monthly := Decide(panelAt(people, day0.AddDate(0, 0, 30)), Current{o.Params, o.Card}, false, 1)
	if monthly.Card.Test.At == day0 {
		t.Error("after 30 days it was not tested again")
	}
	asked := Decide(panelAt(people, day0.AddDate(0, 0, 2)), Current{o.Params, o.Card}, true, 1)
	if asked.Card.Test.At == day0 {
		t.Error("it was not tested when asked")
	}
}

// TestRollBack gives a workspace weights that its newest days contradict.
func TestRollBack(t *testing.T) {
	p := panelOf(agreed(5, 2).populate(800))
	var wrong scoring.Weights
	var test report.ModelTest
	test.At, test.Accepted = end.AddDate(0, 0, -3), true
	current := Current{Params: scoring.Params{Version: "fitted-7", Weights: &wrong},
		Card: report.ModelCard{Version: "fitted-7", Kind: report.ModelFitted, Reason: "fitted weights stood the test", Test: &test}}
	o := Decide(p, current, false, 1)
	if !o.Changed || o.Params.Weights != nil || o.Card.Kind != report.ModelIntercept || !strings.HasPrefix(o.Card.Reason, "rolled back: ") {
		t.Fatalf("%+v", o.Card)
	}
	if o.Card.Test.At != test.At {
		t.Error("it was tested before its time")
	}
	// The day after, the reason stands.
	o.Params.Version, o.Card.Version = "intercept-8", "intercept-8"
	again := Decide(p, Current{o.Params, o.Card}, false, 1)
	if again.Changed || again.Card.Reason != o.Card.Reason || again.Card.Version != "intercept-8" {
		t.Errorf("%+v", again.Card)
	}
	// Even when it is tested at once, what was wrong does not come back.
	if o := Decide(p, current, true, 1); o.Params.Weights != nil && *o.Params.Weights == wrong {
		t.Error("weights that were rolled back are still there")
	}
}

// weightsWhere draws weights around the prior's until they are as wanted.
func weightsWhere(t *testing.T, wanted func(f *fitted) bool) *scoring.Weights {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 9))
	for range 400 {
		f := prior()
		for i := range f.weights {
			f.weights[i] *= 0.2 + 2*random.Float64()
		}
		if wanted(&f) {
			return &f.weights
		}
	}
	t.Fatal("no such weights")
	return nil
}

// TestWeightsInUseAfterARefusal has new weights refused beside such that still predict no worse than the prior's: these stay,
// and the reason says so, unless they order or calibrate worse than new ones might.
func TestWeightsInUseAfterARefusal(t *testing.T) {
	p := panelOf(agreed(1, 2).populate(800))
	_, test := p.test(seeded(1))
	if test.Accepted || test.Prior == nil {
		t.Fatalf("%+v", test)
	}
	for within, reason := range map[bool]string{
		true:  "the fitted weights in use stay: new ones were not accepted: log loss ",
		false: "rolled back: of the fitted weights, over the newest 60 days, the ",
	} {
		weights := weightsWhere(t, func(f *fitted) bool {
			worse, _ := p.running(f)
			return !worse && within == (len(p.exceeds(f, test.Prior)) == 0)
		})
		current := Current{Params: scoring.Params{Version: "fitted-7", Weights: weights},
			Card: report.ModelCard{Version: "fitted-7", Kind: report.ModelFitted, Reason: "fitted weights stood the test",
				Test: &report.ModelTest{At: end.AddDate(0, 0, -30), Accepted: true}}}
		o := Decide(p, current, false, 1)
		if o.Card.Test.Accepted || !strings.HasPrefix(o.Card.Reason, reason) || (o.Params.Weights != nil) != within {
			t.Errorf("within the limits %v: %s, weights %v", within, o.Card.Reason, o.Params.Weights)
		}
	}
}

// TestWeightsGoWithTheirHistory takes most customers away, as an erasure of an account does.
func TestWeightsGoWithTheirHistory(t *testing.T) {
	people := mild(2).populate(1200)
	o := Decide(panelOf(people), Current{Params: scoring.Prior()}, true, 1)
	if o.Card.Kind != report.ModelFitted {
		t.Fatalf("%+v", o.Card.Test)
	}
	for _, left := range []int{50, 0} {
		rest := Decide(panelOf(people[:left]), Current{o.Params, o.Card}, true, 1)
		if rest.Params.Weights != nil || !strings.HasPrefix(rest.Card.Reason, "rolled back: ") && left > 0 {
			t.Errorf("with %d customers left: %+v", left, rest.Card)
		}
	}
}

func TestBetterIsAShareOfResamplings(t *testing.T) {
	good, bad := rowsOf([]float64{.9, .1, .1, .8}, 0, 3), rowsOf([]float64{.6, .4, .4, .6}, 0, 3)
	if b := better(good, bad, 4, seeded(1)); b != 1 {
		t.Errorf("better for every customer: %v", b)
	}
	if b := better(bad, good, 4, seeded(1)); b != 0 {
		t.Errorf("worse for every customer: %v", b)
	}
	// One customer decides, who is in about two of three resamplings.
	mixed := rowsOf([]float64{.99, .39, .39, .59}, 0, 3)
	mixed[1].churned, mixed[2].churned = false, false
	bad = rowsOf([]float64{.1, .38, .38, .595}, 0, 3)
	if b := better(mixed, bad, 4, seeded(1)); b < .55 || b > .8 {
		t.Errorf("one of four customers decides: %v", b)
	}
}
