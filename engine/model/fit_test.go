package model

import (
	"errors"
	"math"
	"testing"

	"github.com/kustiq/kustiq/engine/scoring"
)

// hand is a panel written by hand: one customer a row, at landmarks that are known.
type handRow struct {
	offset  float64
	x       map[string]float64
	churned bool
}

func hand(rows ...handRow) *Panel {
	p := NewPanel(end)
	for i, h := range rows {
		p.customers = append(p.customers, "")
		for c, k := range scoring.Coefficients {
			if x := h.x[k.Name]; x != 0 {
				p.cells = append(p.cells, cell{uint8(c), x})
			}
		}
		r := row{customer: int32(i), landmark: p.mature(), offset: h.offset, cells: len(p.cells)}
		if h.churned {
			r.left = landmarkAt(r.landmark) + day
		}
		p.rows = append(p.rows, r)
	}
	return p
}

func repeat(n int, r handRow) (out []handRow) {
	for range n {
		out = append(out, r)
	}
	return out
}

func TestInterceptIsTheLikeliest(t *testing.T) {
	p := hand(append(repeat(900, handRow{offset: -2.2}), repeat(300, handRow{offset: -2.2, churned: true})...)...)
	a := p.fitIntercept(p.all(), scoring.PriorWeights())
	slope := a / (0.6 * 0.6)
	for i := range p.rows {
		slope += rowWeight * (sigmoid(-2.2+a) - label(p.rows[i].churned()))
	}
	if math.Abs(slope) > 1e-6 {
		t.Errorf("at %v the loss still falls by %v", a, slope)
	}
	// 300 of 1200 leave, which is log-odds of −1.10; the prior holds it back a little.
	if a < 1.0 || a > 1.10 {
		t.Errorf("intercept %v", a)
	}
	if a := NewPanel(end).fitIntercept(NewPanel(end).all(), scoring.PriorWeights()); a != 0 {
		t.Errorf("without history: %v", a)
	}
	// Thousands of times the odds of the offset: Newton's method must not leap over.
	p = hand(repeat(100000, handRow{offset: -8, churned: true})...)
	if a := p.fitIntercept(p.all(), scoring.PriorWeights()); math.IsNaN(a) || a < 5 {
		t.Errorf("far away: %v", a)
	}
}

// The derivatives are those of the objective, found by small differences.
func TestDerivatives(t *testing.T) {
	p := panelOf(odd(9, 1).populate(80))
	f := prior()
	f.intercept = 0.3
	f.weights[scoring.CoefficientIndex("residual")] *= 0.7
	moved := func(i int, by float64) *fitted {
		g := f
		if i == 0 {
			g.intercept += by
		} else {
			g.weights[i-1] += by
		}
		return &g
	}
	const h, barrier = 1e-5, 0.1
	at := p.problem(p.all(), &f, barrier)
	if v := p.objective(p.all(), &f, barrier); math.Abs(v-at.value) > 1e-9*math.Abs(v) {
		t.Errorf("values %v and %v", v, at.value)
	}
	for i := range size {
		up, down := p.problem(p.all(), moved(i, h), barrier), p.problem(p.all(), moved(i, -h), barrier)
		if want := (up.value - down.value) / (2 * h); math.Abs(at.gradient.AtVec(i)-want) > 1e-4*(1+math.Abs(want)) {
			t.Errorf("slope %d is %v, by differences %v", i, at.gradient.AtVec(i), want)
		}
		for j := range size {
			want := (up.gradient.AtVec(j) - down.gradient.AtVec(j)) / (2 * h)
			if math.Abs(at.hessian.At(i, j)-want) > 1e-4*(1+math.Abs(want)) {
				t.Errorf("bend %d,%d is %v, by differences %v", i, j, at.hessian.At(i, j), want)
			}
		}
	}
}

// No allowed step from the weights found is a better place.
func TestNoBetterPlaceNearby(t *testing.T) {
	p := panelOf(odd(4, 2).populate(400))
	f, err := p.fit(p.all())
	if err != nil {
		t.Fatal(err)
	}
	here := p.objective(p.all(), &f, 0)
	for i := range scoring.CoefficientCount {
		for _, by := range []float64{-0.01, 0.01} {
			g := f
			g.weights[i] += by
			if g.weights.Check() == nil && p.objective(p.all(), &g, 0) < here-1e-5 {
				t.Errorf("%s is better at %+v: %v, not %v", scoring.Coefficients[i].Name, by, p.objective(p.all(), &g, 0), here)
			}
		}
	}
}

func weight(f *fitted, name string) float64 { return f.weights[scoring.CoefficientIndex(name)] }

func TestWeightsFollowTheirRows(t *testing.T) {
	quiet := append(repeat(2000, handRow{offset: -3}), repeat(100, handRow{offset: -3, churned: true})...)
	paused := map[string]float64{"paused": 1}
	p := hand(append(append(quiet, repeat(300, handRow{offset: -3, x: paused})...), repeat(5, handRow{offset: -3, x: paused, churned: true})...)...)
	f, err := p.fit(p.all())
	if err != nil {
		t.Fatal(err)
	}
	if w := weight(&f, "paused"); w < 0 || w > 0.7 {
		t.Errorf("those who pause leave no more often, and it weighs %v", w)
	}
	for i, c := range scoring.Coefficients {
		told := c.Name == "paused"
		if f.moved[i] != told || (!told && f.weights[i] != c.Prior) {
			t.Errorf("%s is %v, moved: %v", c.Name, f.weights[i], f.moved[i])
		}
	}
}

// A sign that contradicts the model's meaning is not fitted, however clearly the rows ask for it.
func TestSignsAndPairsAreKept(t *testing.T) {
	var rows []handRow
	for name, leave := range map[string]int{"open_dunning_1": 0, "open_dunning_3": 0, "residual": 300, "dispute": 0, "price_down": 0,
		"price_up": 0, "resumed": 300, "paused": 0, "resubscribed": 300, "subscription_deleted": 0, "cancel_withdrawn": 0} {
		x := map[string]float64{name: 1}
		if name == "price_up" {
			x[name] = -1
		}
		rows = append(rows, repeat(600-leave, handRow{offset: -2, x: x})...)
		rows = append(rows, repeat(leave, handRow{offset: -2, x: x, churned: true})...)
	}
	rows = append(rows, repeat(100, handRow{offset: -2, churned: true})...)
	p := hand(rows...)
	f, err := p.fit(p.all())
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range scoring.Coefficients {
		if f.weights[i] < 0 {
			t.Errorf("%s is %v", c.Name, f.weights[i])
		}
	}
	if r, d := weight(&f, "residual"), weight(&f, "open_dunning_1"); r >= d {
		t.Errorf("what remains after a failure weighs %v, the failure %v", r, d)
	}
}

func TestBrokenRowsAreAnError(t *testing.T) {
	p := hand(handRow{offset: math.NaN()}, handRow{offset: -2, churned: true})
	if _, err := p.fit(p.all()); !errors.Is(err, errFit) {
		t.Errorf("error %v", err)
	}
}
