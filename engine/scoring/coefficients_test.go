package scoring

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// drawParams draws weights far from the prior that keep the inequalities.
func drawParams(t *rapid.T) Params {
	var w Weights
	draw := func(what string, high float64) float64 {
		return rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, high), rapid.Just(high)).Draw(t, what)
	}
	for i, c := range Coefficients {
		w[i] = draw(c.Name, 2*c.Prior)
		if c.Below >= 0 {
			w[i] = w[c.Below] + draw(c.Name, 2*(c.Prior-Coefficients[c.Below].Prior))
		}
	}
	for i := range dunningLevels {
		w[coefResidual] = min(w[coefResidual], residualBase*w[coefDunning+i]/dunningWeight[i],
			residualBase*(w[coefDunning+i]+w[coefFinal])/(dunningWeight[i]+dunningFinal))
	}
	w[coefResumed] = min(w[coefResumed], w[coefPaused])
	w[coefReturned] = min(w[coefReturned], w[coefDeleted])
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	p := Params{Intercept: rapid.Float64Range(-1, 1).Draw(t, "intercept"), Version: "fitted-1", Weights: &w}
	for i := range p.Fitted {
		p.Fitted[i] = true
	}
	return p
}

// η is what a fit takes it for: the offset, the intercept and the weighted features.
func TestFeaturesSumToEta(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, p := tell(t), drawParams(t)
		state, when := Fold(s.signals), at(s.clock+rapid.Int64Range(0, 60*d).Draw(t, "later"))
		e, f := Evaluate(state, when, p), state.Features(when)
		if f.Paying != (e.Tier != Unscored) || (e.Tier == Leaving || e.Tier == Churned) && !f.Committed ||
			e.Tier == Normal && f.Committed {
			t.Fatalf("tier %s, features %+v", e.Tier, f)
		}
		if !f.Paying || f.Committed {
			return
		}
		eta := f.Offset + p.Intercept
		for i, x := range f.Values {
			eta += p.Weights[i] * x
		}
		if math.Abs(eta-e.Eta) > 1e-9 {
			t.Fatalf("features sum to %v, η is %v: %+v", eta, e.Eta, e.Terms)
		}
	})
}

// The prior's weights, given as a fit, change nothing; a term says where its weight is from.
func TestPriorWeightsAreThePrior(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := tell(t), PriorWeights()
		state, p := Fold(s.signals), Prior()
		p.Weights = &w
		if a, b := Evaluate(state, at(s.clock), Prior()), Evaluate(state, at(s.clock), p); !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v\n%+v", a, b)
		}
		fitted := drawParams(t)
		for _, term := range Evaluate(state, at(s.clock), fitted).Terms {
			held := term.Name == "cancel_scheduled" || (term.Name == "subscription_deleted" && len(s.live) == 0) ||
				(term.Name == "baseline" && fitted.Intercept == 0)
			if held == (term.Basis == BasisFitted) || (term.Basis == BasisFitted) != (term.Model == "fitted-1") {
				t.Fatalf("%+v", term)
			}
		}
	})
}

// 3. and 9. hold for whatever weights keep the inequalities: a signal never moves η the wrong way at its own instant.
func TestSignalsMoveFittedEtaTheirWay(t *testing.T) {
	const slack = 1e-9
	rapid.Check(t, func(t *rapid.T) {
		p, state := drawParams(t), Fold(nil)
		for i, sig := range Ordered(tell(t).signals) {
			before := Evaluate(state, at(sig.Created), p)
			state.Apply(sig)
			after := Evaluate(state, at(sig.Created), p)
			if before.Tier == Unscored || after.Terms[0].LogOdds != before.Terms[0].LogOdds {
				continue
			}
			if isChurn(sig.Kind) && after.Eta < before.Eta-slack || isRecovery(sig.Kind) && after.Eta > before.Eta+slack {
				t.Fatalf("signal %d %s moved η from %v to %v\n%+v\n%+v", i, sig.Kind, before.Eta, after.Eta, before.Terms, after.Terms)
			}
		}
	})
}

// 11. The next change is found under any weights.
func TestNextChangeUnderAFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, p := tell(t), drawParams(t)
		state, when := Fold(s.signals), s.clock+rapid.Int64Range(0, 40*d).Draw(t, "later")
		e := Evaluate(state, at(when), p)
		c := state.curve(when, p)
		for probe := when; probe < e.NextChangeAt.Unix(); probe += 61 {
			if other, _, _, _ := c.evaluate(probe); other != (standing{e.Tier, e.Score, e.Segment}) {
				t.Fatalf("changed %d s ahead, next change is %d s ahead", probe-when, e.NextChangeAt.Unix()-when)
			}
		}
	})
}

func TestCoefficientsAreTheAgreedOnes(t *testing.T) {
	want := map[string][2]float64{
		"open_dunning_1": {1.9, .4}, "open_dunning_2": {3, .4}, "open_dunning_3": {3.4, .4}, "open_dunning_4": {3.7, .4},
		"open_dunning_5": {3.95, .4}, "open_dunning_6": {4.2, .4}, "open_dunning_final": {.8, .4}, "residual": {1.1, .4},
		"price_down": {.9, .6}, "price_up": {.6, .5}, "paused": {1.3, .5}, "resumed": {.4, .5}, "dispute": {2.2, .7},
		"subscription_deleted": {1.2, .6}, "cancel_withdrawn": {.9, .5}, "resubscribed": {.8, .5},
	}
	if len(want) != CoefficientCount {
		t.Fatalf("%d coefficients", CoefficientCount)
	}
	for i, c := range Coefficients {
		if want[c.Name] != [2]float64{c.Prior, c.Sigma} || CoefficientIndex(c.Name) != i {
			t.Errorf("%+v", c)
		}
	}
}

func TestWeightsAsJSON(t *testing.T) {
	w := PriorWeights()
	if err := w.Check(); err != nil {
		t.Error(err)
	}
	w[coefDispute] = 0.1 + 0.2
	raw, err := json.Marshal(w)
	var back Weights
	if err != nil || json.Unmarshal(raw, &back) != nil || back != w {
		t.Errorf("%s: %v", raw, back)
	}
	if err := json.Unmarshal([]byte(`{"dispute":1.5}`), &back); err != nil || back[coefDispute] != 1.5 || back[coefPaused] != pauseWeight {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{`{"charm":1}`, `[]`, `{"dispute":"high"}`} {
		if json.Unmarshal([]byte(bad), &back) == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	for _, bad := range []string{`{"dispute":-0.1}`, `{"residual":1.2}`, `{"resumed":1.4}`, `{"open_dunning_2":1.8}`, `{"resubscribed":1.3}`} {
		if err := json.Unmarshal([]byte(bad), &back); !errors.Is(err, ErrWeights) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	w[coefDispute] = math.NaN()
	if err := w.Check(); !errors.Is(err, ErrWeights) {
		t.Errorf("not a number: %v", err)
	}
}
