package scoring

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// The coefficients of the terms. Those of open dunning are levels: the weight of that many failures.
const (
	coefDunning = 0 // to coefDunning+5: 1, 2, … 6 and more failures
	coefFinal   = iota + dunningLevels - 1
	coefResidual
	coefPriceDown
	coefPriceUp
	coefPaused
	coefResumed
	coefDispute
	coefDeleted
	coefWithdrawn
	coefReturned

	// CoefficientCount is how many weights a workspace's history can fit, beside the intercept.
	CoefficientCount
)

const dunningLevels = len(dunningWeight)

// Weights are one log-odds for each of Coefficients, in their order.
type Weights [CoefficientCount]float64

// Coefficient is one weight of the model.
type Coefficient struct {
	// Name is stable.
	Name string
	// Prior is the weight that stands until a workspace's own history has fitted it.
	Prior float64
	// Sigma is the prior's standard deviation: of the weight, or, of a level of open dunning, of its step.
	Sigma float64
	// Below is the level that Sigma is the step from; -1 where Sigma is that of the weight itself.
	Below int
	// Group names coefficients that are fitted together: data of one moves the others.
	Group string
}

// Coefficients describe the weights (model text, section 4). They must not be changed.
var Coefficients = func() (all [CoefficientCount]Coefficient) {
	for i, w := range dunningWeight {
		all[coefDunning+i] = Coefficient{Name: fmt.Sprintf("open_dunning_%d", i+1), Prior: w, Sigma: 0.4, Below: coefDunning + i - 1,
			Group: termNames[termDunning]}
	}
	for i, c := range map[int]Coefficient{
		coefFinal:     {Name: "open_dunning_final", Prior: dunningFinal, Sigma: 0.4},
		coefResidual:  {Name: "residual", Prior: residualBase, Sigma: 0.4},
		coefPriceDown: {Name: "price_down", Prior: priceDown, Sigma: 0.6},
		coefPriceUp:   {Name: "price_up", Prior: priceUp, Sigma: 0.5},
		coefPaused:    {Name: "paused", Prior: pauseWeight, Sigma: 0.5},
		coefResumed:   {Name: "resumed", Prior: resumedWeight, Sigma: 0.5},
		coefDispute:   {Name: "dispute", Prior: disputeWeight, Sigma: 0.7},
		coefDeleted:   {Name: "subscription_deleted", Prior: deletedWeight, Sigma: 0.6},
		coefWithdrawn: {Name: "cancel_withdrawn", Prior: withdrawnWeight, Sigma: 0.5},
		coefReturned:  {Name: "resubscribed", Prior: resubscribeWeight, Sigma: 0.5},
	} {
		c.Below, c.Group = -1, c.Name
		all[i] = c
	}
	return all
}()

// InterceptSigma is the standard deviation of the prior of Params.Intercept, whose mean is 0.
const InterceptSigma = 0.6

var priorWeights = func() (w Weights) {
	for i, c := range Coefficients {
		w[i] = c.Prior
	}
	return w
}()

// PriorWeights are the weights before any fit.
func PriorWeights() Weights { return priorWeights }

// Inequality demands that Σ Factors·weights is not negative.
type Inequality struct {
	// Why says in words what it keeps.
	Why     string
	Factors Weights
}

// Inequalities are what weights must keep for a churn signal never to lower a score at its own instant, and for a
// recovery never to raise it. The prior keeps them, some of them with nothing to spare.
var Inequalities = inequalities()

func inequalities() (all []Inequality) {
	add := func(why string, factors map[int]float64) {
		demand := Inequality{Why: why}
		for i, f := range factors {
			demand.Factors[i] = f
		}
		all = append(all, demand)
	}
	for i, c := range Coefficients {
		if c.Below < 0 {
			add(c.Name+" keeps its sign", map[int]float64{i: 1})
		} else {
			add(c.Name+" is no less than one failure fewer", map[int]float64{i: 1, c.Below: -1})
		}
	}
	// What a payment leaves is at most what was unpaid, whatever the share of it that had faded, and less than what the
	// next failure brings: both follow when no level loses more against its prior than the residual does.
	for i := range dunningLevels {
		level := dunningWeight[i]
		add("residual is less than open dunning", map[int]float64{coefDunning + i: 1, coefResidual: -level / residualBase})
		add("residual is less than final open dunning", map[int]float64{
			coefDunning + i: 1, coefFinal: 1, coefResidual: -(level + dunningFinal) / residualBase})
	}
	add("resumed is no more than paused", map[int]float64{coefPaused: 1, coefResumed: -1})
	add("the end of a subscription is no less than having come back to it", map[int]float64{coefDeleted: 1, coefReturned: -1})
	return all
}

// ErrWeights is wrapped by errors about weights that the model cannot be run with.
var ErrWeights = errors.New("weights out of their order")

// Check returns an error that wraps ErrWeights and says which inequality does not hold.
func (w *Weights) Check() error {
	const slack = 1e-9
	for _, demand := range Inequalities {
		sum := 0.0
		for i, f := range demand.Factors {
			sum += f * w[i]
		}
		if !(sum >= -slack) { // NaN is out of order, too
			return fmt.Errorf("%w: %s", ErrWeights, demand.Why)
		}
	}
	return nil
}

// MarshalJSON gives an object of weights by name.
func (w Weights) MarshalJSON() ([]byte, error) {
	byName := make(map[string]float64, len(w))
	for i, c := range Coefficients {
		byName[c.Name] = w[i]
	}
	return json.Marshal(byName)
}

// UnmarshalJSON reads an object of weights by name; what it does not name keeps its prior. It refuses unknown names and
// weights that Check refuses.
func (w *Weights) UnmarshalJSON(raw []byte) error {
	var byName map[string]float64
	if err := json.Unmarshal(raw, &byName); err != nil {
		return fmt.Errorf("unmarshal weights: %w", err)
	}
	out := priorWeights
	for name, value := range byName {
		i := CoefficientIndex(name)
		if i < 0 {
			return fmt.Errorf("unmarshal weights: %q is none of this version's", name)
		}
		out[i] = value
	}
	if err := out.Check(); err != nil {
		return err
	}
	*w = out
	return nil
}

// CoefficientIndex finds a coefficient by its name; -1 when there is none.
func CoefficientIndex(name string) int {
	return slices.IndexFunc(Coefficients[:], func(c Coefficient) bool { return c.Name == name })
}
