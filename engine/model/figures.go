package model

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/integrate"
	"gonum.org/v1/gonum/stat"

	"github.com/kustiq/kustiq/internal/report"
)

const (
	// lowestP and highestP bound a probability as a score does.
	lowestP, highestP = 0.002, 0.97
	// binCount is how many groups of equal size a calibration has.
	binCount = 10
)

// predicted is a row as a model sees it.
type predicted struct {
	p        float64
	churned  bool
	customer int32
}

func (x *predicted) loss() float64 {
	if x.churned {
		return -math.Log(x.p)
	}
	return -math.Log1p(-x.p)
}

// predict gives each row of a span the probability that a score would show, in the order of the panel.
func (p *Panel) predict(s span, f *fitted) []predicted {
	var out []predicted
	p.each(s, func(r *row, cells []cell) {
		q := min(max(sigmoid(f.eta(r, cells)), lowestP), highestP)
		out = append(out, predicted{p: q, churned: r.churned(), customer: r.customer})
	})
	return out
}

// measure gives the figures of predictions and their calibration; nil unless some left and some stayed. It orders its
// argument by probability.
func measure(rows []predicted) (*report.Figures, []report.CalibrationBin) {
	slices.SortFunc(rows, func(a, b predicted) int {
		return cmp.Or(cmp.Compare(a.p, b.p), cmp.Compare(label(a.churned), label(b.churned)), cmp.Compare(a.customer, b.customer))
	})
	n, left := float64(len(rows)), 0.0
	for i := range rows {
		left += label(rows[i].churned)
	}
	if left == 0 || left == n {
		return nil, nil
	}
	rate := left / n
	f := &report.Figures{Rows: len(rows), Rate: rate, AUC: areaUnderROC(rows), PRAUC: averagePrecision(rows, left)}
	brier := 0.0
	for i := range rows {
		f.LogLoss += rows[i].loss() / n
		f.Expected += rows[i].p / n
		brier += square(rows[i].p-label(rows[i].churned)) / n
	}
	f.BrierSkill = 1 - brier/(rate*(1-rate))
	riskiest := rows[len(rows)-max(1, len(rows)/10):]
	for i := range riskiest {
		f.Lift10 += label(riskiest[i].churned) / float64(len(riskiest)) / rate
	}
	bins := calibration(rows)
	for _, b := range bins {
		f.ECE += float64(b.Rows) / n * math.Abs(b.Expected-b.Observed)
	}
	return f, bins
}

// areaUnderROC needs rows in the order of their probability, and some of each kind.
func areaUnderROC(rows []predicted) float64 {
	scores, classes := make([]float64, len(rows)), make([]bool, len(rows))
	for i := range rows {
		scores[i], classes[i] = rows[i].p, rows[i].churned
	}
	truePositive, falsePositive, _ := stat.ROC(nil, scores, classes, nil)
	return integrate.Trapezoidal(falsePositive, truePositive)
}

// averagePrecision is the area under precision over recall, in steps; rows of one probability make one step.
func averagePrecision(rows []predicted, left float64) (area float64) {
	found, seen := 0.0, 0.0
	for i := len(rows); i > 0; {
		foundBefore, p := found, rows[i-1].p
		for ; i > 0 && rows[i-1].p == p; i-- {
			found += label(rows[i-1].churned)
			seen++
		}
		area += (found - foundBefore) / left * found / seen
	}
	return area
}

// calibration groups rows, in the order of their probability, into tenths.
func calibration(rows []predicted) (bins []report.CalibrationBin) {
	for i := range binCount {
		part := rows[i*len(rows)/binCount : (i+1)*len(rows)/binCount]
		if len(part) == 0 {
			continue
		}
		b := report.CalibrationBin{Low: part[0].p, High: part[len(part)-1].p, Rows: len(part)}
		for k := range part {
			b.Expected += part[k].p / float64(len(part))
			b.Observed += label(part[k].churned) / float64(len(part))
		}
		bins = append(bins, b)
	}
	return bins
}

// figures measures a model on a span.
func (p *Panel) figures(s span, f *fitted) (*report.Figures, []report.CalibrationBin) {
	out, bins := measure(p.predict(s, f))
	if out != nil {
		_, out.Customers, out.Churns = p.counts(s)
	}
	return out, bins
}
