package model

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/kustiq/kustiq/engine/scoring"
)

// fitted are an intercept and weights, and which of the weights the history has moved.
type fitted struct {
	intercept float64
	weights   scoring.Weights
	moved     [scoring.CoefficientCount]bool
}

func prior() fitted { return fitted{weights: scoring.PriorWeights()} }

// eta is the log-odds of a row.
func (f *fitted) eta(r *row, cells []cell) float64 {
	eta := r.offset + f.intercept
	for _, c := range cells {
		eta += f.weights[c.coefficient] * c.value
	}
	return eta
}

func sigmoid(eta float64) float64 { return 1 / (1 + math.Exp(-eta)) }

// loss is −log of the chance of what happened at log-odds η, without overflow at either end.
func loss(eta float64, churned bool) float64 {
	if churned {
		eta = -eta
	}
	return max(eta, 0) + math.Log1p(math.Exp(-math.Abs(eta)))
}

func label(churned bool) float64 {
	if churned {
		return 1
	}
	return 0
}

const (
	maxSteps = 50
	// settled is a Newton step in log-odds that ends a search.
	settled = 1e-8
)

// fitIntercept finds the likeliest intercept of a span's rows at given weights, with a prior of N(0, 0.6²), by Newton's
// method. Without rows it is 0.
func (p *Panel) fitIntercept(s span, weights scoring.Weights) float64 {
	f := fitted{weights: weights}
	for range maxSteps {
		const precision = 1 / (scoring.InterceptSigma * scoring.InterceptSigma)
		gradient, curvature := f.intercept*precision, precision
		p.each(s, func(r *row, cells []cell) {
			q := sigmoid(f.eta(r, cells))
			gradient += rowWeight * (q - label(r.churned()))
			curvature += rowWeight * q * (1 - q)
		})
		step := gradient / curvature
		// The loss is convex with a curvature that falls off: a full step may leap over, so it is held to one log-odds.
		f.intercept -= min(max(step, -1), 1)
		if math.Abs(step) < settled {
			break
		}
	}
	return f.intercept
}

// size of the joint problem: the intercept, then the weights.
const size = 1 + scoring.CoefficientCount

// errFit says that the search failed, which convexity rules out for finite rows.
var errFit = errors.New("the weights cannot be fitted: a row is not a finite number")

// fit finds the likeliest intercept and weights of a span's rows: the weighted log loss plus the priors', kept inside
// scoring.Inequalities by a logarithmic barrier that is lowered step by step. What no row tells about keeps its prior.
func (p *Panel) fit(s span) (fitted, error) {
	f := prior()
	// The search starts inside: the prior lies on the boundary that holds the residual down.
	f.weights[scoring.CoefficientIndex("residual")] *= 0.9
	f.intercept = p.fitIntercept(s, f.weights)
	for barrier := 1.0; barrier > 1e-6; barrier /= 10 {
		if err := p.descend(s, &f, barrier); err != nil {
			return f, err
		}
	}
	p.keepPrior(s, &f)
	return f, f.weights.Check()
}

// descend takes Newton steps at one height of the barrier.
func (p *Panel) descend(s span, f *fitted, barrier float64) error {
	for range maxSteps {
		here := p.problem(s, f, barrier)
		var factor mat.Cholesky
		if !factor.Factorize(here.hessian) {
			return errFit
		}
		var step mat.VecDense
		if err := factor.SolveVecTo(&step, here.gradient); err != nil {
			return errFit
		}
		decrement := mat.Dot(&step, here.gradient)
		if math.IsNaN(decrement) {
			return errFit
		}
		if decrement < barrier*1e-4 {
			return nil
		}
		if !p.search(s, f, &step, here.value, decrement, barrier) {
			return nil // no better place within the precision of numbers
		}
	}
	return nil
}

// search halves a step until it lowers the objective enough, and takes it.
func (p *Panel) search(s span, f *fitted, step *mat.VecDense, value, decrement, barrier float64) bool {
	for length := 1.0; length > 1e-10; length /= 2 {
		next := *f
		next.intercept -= length * step.AtVec(0)
		for i := range next.weights {
			next.weights[i] -= length * step.AtVec(1+i)
		}
		if p.objective(s, &next, barrier) <= value-0.25*length*decrement {
			*f = next
			return true
		}
	}
	return false
}

// objective is what descend lowers; infinite outside the inequalities.
func (p *Panel) objective(s span, f *fitted, barrier float64) float64 {
	sum := priorLoss(f)
	for i := range scoring.Inequalities {
		slack := slackOf(&scoring.Inequalities[i], &f.weights)
		if slack <= 0 {
			return math.Inf(1)
		}
		sum -= barrier * math.Log(slack)
	}
	p.each(s, func(r *row, cells []cell) { sum += rowWeight * loss(f.eta(r, cells), r.churned()) })
	return sum
}

// keepPrior gives back their prior to the weights that no row of the span tells about, as far as the others allow it.
func (p *Panel) keepPrior(s span, f *fitted) {
	told := map[string]bool{}
	p.each(s, func(_ *row, cells []cell) {
		for _, c := range cells {
			told[scoring.Coefficients[c.coefficient].Group] = true
		}
	})
	for i, c := range scoring.Coefficients {
		if told[c.Group] {
			continue
		}
		kept := f.weights
		kept[i] = c.Prior
		if kept.Check() == nil {
			f.weights = kept
		}
	}
	for i, c := range scoring.Coefficients {
		f.moved[i] = f.weights[i] != c.Prior
	}
}
