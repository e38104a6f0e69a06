package report

import "time"

// History is one customer's score day by day.
type History struct {
	Workspace string    `json:"workspace"`
	Customer  string    `json:"customer"`
	AsOf      time.Time `json:"as_of"`
	Livemode  bool      `json:"livemode"`
	// Points has one a day (UTC) without a gap, oldest first, from the first day known to today.
	Points []HistoryPoint `json:"points"`
}

// HistoryPoint is the last score of a day.
type HistoryPoint struct {
	// Day is like 2025-06-01.
	Day   string  `json:"day"`
	Score int     `json:"score"`
	Tier  string  `json:"tier"`
	P30   float64 `json:"p30"`
}

// Trend is the at-risk segment day by day.
type Trend struct {
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	Livemode  bool      `json:"livemode"`
	// Points has one a day (UTC) without a gap, oldest first, from the first day known to today.
	Points []TrendPoint `json:"points"`
}

// TrendPoint is the segment at the end of a day; of today, as it stands now.
type TrendPoint struct {
	// Day is like 2025-06-01.
	Day string `json:"day"`
	// AtRisk counts all customers at risk, the others those of a tier.
	AtRisk   int `json:"at_risk"`
	Critical int `json:"critical"`
	Leaving  int `json:"leaving"`
	Normal   int `json:"normal"`
	// MRR at risk, a sum for each currency, in order of its code.
	MRR []Amount `json:"mrr"`
}

// Amount is money a month in minor units of a currency.
type Amount struct {
	Currency string `json:"currency"`
	MRRMinor int64  `json:"mrr_minor"`
}
