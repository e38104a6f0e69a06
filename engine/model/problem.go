package model

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/kustiq/kustiq/engine/scoring"
)

// problem is the objective at one place, with its first and second derivatives by the intercept and the weights.
type problem struct {
	value    float64
	gradient *mat.VecDense
	hessian  *mat.SymDense
}

func (p *Panel) problem(s span, f *fitted, barrier float64) problem {
	var sum float64
	var g [size]float64
	var h [size][size]float64 // the upper triangle
	p.each(s, func(r *row, cells []cell) {
		eta, churned := f.eta(r, cells), r.churned()
		q := sigmoid(eta)
		sum += rowWeight * loss(eta, churned)
		slope, bend := rowWeight*(q-label(churned)), rowWeight*q*(1-q)
		g[0] += slope
		h[0][0] += bend
		for a, x := range cells {
			i := 1 + int(x.coefficient)
			g[i] += slope * x.value
			h[0][i] += bend * x.value
			for _, y := range cells[a:] { // cells are in the order of their coefficients
				h[i][1+int(y.coefficient)] += bend * x.value * y.value
			}
		}
	})
	addPrior(f, &g, &h)
	sum += priorLoss(f)
	for n := range scoring.Inequalities {
		demand := &scoring.Inequalities[n]
		slack := slackOf(demand, &f.weights)
		sum -= barrier * math.Log(slack)
		for i, a := range demand.Factors {
			if a == 0 {
				continue
			}
			g[1+i] -= barrier * a / slack
			for j := i; j < len(demand.Factors); j++ {
				h[1+i][1+j] += barrier * a * demand.Factors[j] / (slack * slack)
			}
		}
	}
	out := problem{value: sum, gradient: mat.NewVecDense(size, g[:]), hessian: mat.NewSymDense(size, nil)}
	for i := range size {
		for j := i; j < size; j++ {
			out.hessian.SetSym(i, j, h[i][j])
		}
	}
	return out
}

func slackOf(demand *scoring.Inequality, w *scoring.Weights) float64 {
	sum := 0.0
	for i, a := range demand.Factors {
		sum += a * w[i]
	}
	return sum
}

// departure is how far a weight, or the step up to it, is from its prior.
func departure(i int, w *scoring.Weights) float64 {
	c := &scoring.Coefficients[i]
	d := w[i] - c.Prior
	if c.Below >= 0 {
		d -= w[c.Below] - scoring.Coefficients[c.Below].Prior
	}
	return d
}

// priorLoss is −log of the priors, but for a constant.
func priorLoss(f *fitted) float64 {
	sum := square(f.intercept / scoring.InterceptSigma)
	for i, c := range scoring.Coefficients {
		sum += square(departure(i, &f.weights) / c.Sigma)
	}
	return sum / 2
}

func square(x float64) float64 { return x * x }

func addPrior(f *fitted, g *[size]float64, h *[size][size]float64) {
	g[0] += f.intercept / square(scoring.InterceptSigma)
	h[0][0] += 1 / square(scoring.InterceptSigma)
	for i, c := range scoring.Coefficients {
		precision := 1 / square(c.Sigma)
		pull := departure(i, &f.weights) * precision
		g[1+i] += pull
		h[1+i][1+i] += precision
		if c.Below >= 0 {
			g[1+c.Below] -= pull
			h[1+c.Below][1+c.Below] += precision
			h[1+c.Below][1+i] -= precision
		}
	}
}
