// Package scoring owns the churn model: it folds a customer's signals into a state and evaluates it at an instant.
// It is pure: it knows neither the store, nor the bus, nor Kubernetes, nor Stripe, and it never reads a clock.
//
// # Which signals move a score
//
// Three kinds of signals reach the fold:
//
//   - Churn and recovery signals (failures, payments, up- and downgrades, pauses, disputes, ends, and a scheduled or
//     withdrawn end) take effect at their own time.
//   - Context (customer.created, customer.updated, invoice.finalized, and a payment of nothing) waits until the next
//     churn or recovery signal: alone it leaves the score as it was.
//   - State facts (subscription.observed) take effect at their own time but are no signal: they do not let waiting
//     context in, and they are not the customer's last signal. They carry a subscription's status, value, period, pause
//     and scheduled end as they are, so the latest of them also repairs a change whose own event was missed.
package scoring

import "time"

// Params are a workspace's fitted parameters.
type Params struct {
	// Intercept is added to every customer's baseline, in log-odds.
	Intercept float64
	// Version names the model in every evaluation made with it.
	Version string
	// Weights take the place of the prior's; nil keeps these. They are shared and must not be changed.
	Weights *Weights
	// Fitted says which of Weights a workspace's history has moved.
	Fitted [CoefficientCount]bool
	// AtRisk is the score from which a customer belongs to the at-risk segment; 0 stands for DefaultAtRisk. It is a
	// workspace's choice and no part of the model.
	AtRisk int
}

// DefaultAtRisk is the score from which a customer belongs to the at-risk segment where a workspace names no other.
const DefaultAtRisk = 60

func (p *Params) atRisk() int {
	if p.AtRisk == 0 {
		return DefaultAtRisk
	}
	return p.AtRisk
}

func (p *Params) weights() *Weights {
	if p.Weights == nil {
		return &priorWeights
	}
	return p.Weights
}

// Prior returns the parameters of a workspace without a fit.
func Prior() Params { return Params{Version: "prior-1"} }

// Tier is the coarse order of customers.
type Tier string

// The tiers, highest first. The last two are outside the at-risk segment.
const (
	// Critical has repeated, recent payment failures and an unpaid invoice.
	Critical Tier = "Critical"
	// Leaving has a scheduled end on every live subscription.
	Leaving Tier = "Leaving"
	// Normal is every other customer with a live subscription.
	Normal Tier = "Normal"
	// Churned has no live subscription left.
	Churned Tier = "Churned"
	// Unscored has never paid: a trial, or a signup that failed.
	Unscored Tier = "Unscored"
)

// Where a term's weight comes from.
const (
	// BasisData was measured on public subscription data or taken from a published figure.
	BasisData = "data"
	// BasisPrior is assumed until a workspace's own history has fitted it.
	BasisPrior = "prior"
	// BasisFitted was fitted from the workspace's own history.
	BasisFitted = "fitted"
)

// Term is one part of a score's explanation.
type Term struct {
	// Name is stable: one of baseline, open_dunning, residual, price_change, pause, dispute, subscription_deleted,
	// cancel_scheduled, cancel_withdrawn, resubscribed.
	Name string `json:"name"`
	// Label says it in words for people who look after customers.
	Label   string  `json:"label"`
	LogOdds float64 `json:"log_odds"`
	// Points are the same on the score's scale: ten double the odds.
	Points float64 `json:"points"`
	Basis  string  `json:"basis"`
	// Model is the version that fitted the weight; empty for one that no history of the workspace has moved.
	Model string `json:"model,omitempty"`
	// Evidence lists the events, or signals read from objects, that the term rests on.
	Evidence []string `json:"evidence,omitempty"`
}

// Evaluation is a state's score at one instant.
type Evaluation struct {
	// Eta is the log-odds of churn: exactly the sum of the terms. Both are empty for an Unscored customer.
	Eta float64 `json:"eta"`
	// P30 is the probability of churn within 30 days; its upper bound for a Churned customer and 0 for an Unscored one.
	P30   float64 `json:"p30"`
	Score int     `json:"score"`
	Tier  Tier    `json:"tier"`
	// Segment is whether the customer belongs to the at-risk segment.
	Segment bool `json:"at_risk"`
	// MRR is in minor units of Currency a month, over the live subscriptions of that currency.
	MRR            float64 `json:"mrr"`
	Currency       string  `json:"currency,omitempty"`
	IntervalMonths float64 `json:"interval_months"`
	TenureDays     float64 `json:"tenure_days"`
	Terms          []Term  `json:"terms"`
	// NextChangeAt is the first whole second at which tier, score or segment differ with no further signal, at most a day ahead.
	NextChangeAt time.Time `json:"next_change_at"`
	ModelVersion string    `json:"model_version"`
	// LastSignalAt is the time of the latest churn or recovery signal in unix seconds; 0 without one.
	LastSignalAt int64 `json:"last_signal_at"`
}

// Ranked is what the order of customers depends on.
type Ranked struct {
	Customer string
	Tier     Tier
	Score    int
	MRR      float64
}

var tierOrder = map[Tier]int{Critical: 0, Leaving: 1, Normal: 2, Churned: 3, Unscored: 4}

// Less reports whether a comes before b in the list of customers: by tier, score and MRR downwards, then customer id.
func Less(a, b Ranked) bool {
	switch {
	case a.Tier != b.Tier:
		return tierOrder[a.Tier] < tierOrder[b.Tier]
	case a.Score != b.Score:
		return a.Score > b.Score
	case a.MRR != b.MRR:
		return a.MRR > b.MRR
	default:
		return a.Customer < b.Customer
	}
}
