// Package scoring owns the churn model: it folds a customer's signals into a state and evaluates it at an instant.
// It is pure: it knows neither the store, nor the bus, nor Kubernetes, nor Stripe, and it never reads a clock.
package scoring

import (
	"time"

	"github.com/kustiq/kustiq/engine/signal"
)

// State is what the model remembers of one customer.
type State struct{}

// Fold builds the state of a set of signals: their order and repetitions do not matter.
func Fold(signals []signal.Signal) *State { panic("unfinished") }

// Apply adds one signal newer than all before it; false means that the caller must rebuild with Fold.
func (s *State) Apply(sig signal.Signal) bool { panic("unfinished") }

// Params are a workspace's fitted parameters.
type Params struct {
	Intercept float64
	Version   string
}

// Prior returns the parameters of a workspace without a fit.
func Prior() Params { return Params{Version: "prior-1"} }

// Tier is the coarse order of customers.
type Tier string

// The tiers, highest first.
const (
	Critical Tier = "Critical"
	Leaving  Tier = "Leaving"
	Normal   Tier = "Normal"
	Churned  Tier = "Churned"
	Unscored Tier = "Unscored"
)

// Basis says where a term's weight comes from.
const (
	// BasisData was measured on public subscription data or taken from a published figure.
	BasisData = "data"
	// BasisPrior is assumed until a workspace's own history has fitted it.
	BasisPrior = "prior"
)

// Term is one part of a score's explanation.
type Term struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	LogOdds  float64  `json:"log_odds"`
	Points   float64  `json:"points"`
	Basis    string   `json:"basis"`
	Evidence []string `json:"evidence,omitempty"`
}

// Evaluation is a state's score at one instant.
type Evaluation struct {
	Eta            float64   `json:"eta"`
	P30            float64   `json:"p30"`
	Score          int       `json:"score"`
	Tier           Tier      `json:"tier"`
	Segment        bool      `json:"at_risk"`
	MRR            float64   `json:"mrr"`
	Currency       string    `json:"currency,omitempty"`
	IntervalMonths float64   `json:"interval_months"`
	TenureDays     float64   `json:"tenure_days"`
	Terms          []Term    `json:"terms"`
	NextChangeAt   time.Time `json:"next_change_at"`
	ModelVersion   string    `json:"model_version"`
	LastSignalAt   int64     `json:"last_signal_at"`
}

// Evaluate scores a state at an instant.
func Evaluate(s *State, now time.Time, p Params) Evaluation { panic("unfinished") }

// Ranked is what the order of customers depends on.
type Ranked struct {
	Customer string
	Tier     Tier
	Score    int
	MRR      float64
}

// Less reports whether a comes before b in the list of customers.
func Less(a, b Ranked) bool { panic("unfinished") }
