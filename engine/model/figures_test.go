package model

import (
	"math"
	"testing"
)

func rowsOf(p []float64, churned ...int) (out []predicted) {
	for i, q := range p {
		x := predicted{p: q, customer: int32(i)}
		for _, c := range churned {
			x.churned = x.churned || c == i
		}
		out = append(out, x)
	}
	return out
}

// The figures of a case small enough for pencil and paper.
func TestFigures(t *testing.T) {
	f, bins := measure(rowsOf([]float64{.9, .8, .7, .6, .5, .4, .3, .2, .1, .05}, 0, 2, 6))
	for name, c := range map[string][2]float64{
		"rate": {f.Rate, .3}, "expected": {f.Expected, .455}, "rows": {float64(f.Rows), 10},
		"AUC":    {f.AUC, 16.0 / 21},                 // of 21 pairs 5 are in the wrong order
		"PR-AUC": {f.PRAUC, (1 + 2.0/3 + 3.0/7) / 3}, // precision at each one who left
		"lift":   {f.Lift10, 1 / .3},
		"loss": {f.LogLoss, -(math.Log(.9) + math.Log(.7) + math.Log(.3) + math.Log(.2) + math.Log(.4) + math.Log(.5) + math.Log(.6) +
			math.Log(.8) + math.Log(.9) + math.Log(.95)) / 10},
		"Brier": {f.BrierSkill, 1 - (.01+.64+.09+.36+.25+.16+.49+.04+.01+.0025)/10/.21},
		"ECE":   {f.ECE, (.1 + .8 + .3 + .6 + .5 + .4 + .7 + .2 + .1 + .05) / 10},
	} {
		if math.Abs(c[0]-c[1]) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, c[0], c[1])
		}
	}
	if len(bins) != 10 || bins[0].Low != .05 || bins[9].Observed != 1 {
		t.Errorf("bins %+v", bins)
	}
	tied, _ := measure(rowsOf([]float64{.5, .5, .5, .5}, 1))
	if tied.AUC != .5 || tied.PRAUC != .25 {
		t.Errorf("all alike: AUC %v, PR-AUC %v", tied.AUC, tied.PRAUC)
	}
	if none, _ := measure(rowsOf([]float64{.5, .4})); none != nil {
		t.Error("nobody left, and there are figures")
	}
	if all, _ := measure(rowsOf([]float64{.5, .4}, 0, 1)); all != nil {
		t.Error("everybody left, and there are figures")
	}
}
