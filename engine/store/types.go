package store

import (
	"errors"
	"time"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

// ErrNotFound says that the workspace holds no such customer.
var ErrNotFound = errors.New("not found")

// ErrCursor says that AtRiskQuery.After was not made by this package, or belongs to another query.
var ErrCursor = errors.New("the page cursor is not valid")

// Scope is what every query is confined to. Live and test data of one workspace never meet.
type Scope struct {
	// Workspace is "namespace/name".
	Workspace string
	Livemode  bool
}

// Mode selects the live or the test data of a workspace.
type Mode string

const (
	// ModeAuto is live data, or test data as long as the workspace has never received live data.
	ModeAuto Mode = ""
	// ModeLive is live data.
	ModeLive Mode = "live"
	// ModeTest is test data.
	ModeTest Mode = "test"
)

// AtRiskQuery asks for one page of the at-risk segment.
type AtRiskQuery struct {
	// Limit is the page's size; 50 when zero, 500 at most.
	Limit int
	// After is the Next of the page before; empty for the first page.
	After string
	// Tier keeps one tier only ("Critical", "Leaving", "Normal"); empty for all.
	Tier string
	// Interval keeps one billing interval only; empty for all.
	Interval Interval
	// Reason keeps the customers whose risk is raised most by the term of this name; empty for all.
	Reason string
	// MinMRR keeps customers of at least that much a month, in minor units of the currency they pay in.
	MinMRR float64
	// MinMRROf is that for some currencies by their codes in lower case, where another number of minor units is meant.
	MinMRROf map[string]float64
	// Search keeps what is found by an e-mail address, by the beginning of an id (cus_…), or by words that the name's
	// begin with; empty for all.
	Search string
	// Mode chooses live or test data; ModeAuto when empty.
	Mode Mode
}

// Interval is how often a customer is billed.
type Interval string

// The intervals. A customer without a known subscription counts as monthly, as its score does.
const (
	Monthly       Interval = "month"
	Yearly        Interval = "year"
	OtherInterval Interval = "other"
)

// AtRiskPage is one page, in the order of the score's specification: tier, score descending, MRR descending, customer.
type AtRiskPage struct {
	Rows []CustomerRow `json:"rows"`
	// Total counts all customers that the query matches, on every page. With filters it ends at CountedTo, and those are
	// counted among the CountedAmong riskiest, unless a search has found them by an index; More says that there are more, or may be.
	Total int  `json:"total"`
	More  bool `json:"more,omitempty"`
	// Next is the After of the next page; empty on the last one.
	Next string `json:"next,omitempty"`
	// EvaluatedAt is the newest evaluation among the rows; zero without rows.
	EvaluatedAt time.Time `json:"evaluated_at"`
	// Livemode says which data the page shows.
	Livemode bool `json:"livemode"`
}

// CustomerRow is one scored customer. MRR is in minor units a month, P30 the probability of churn within 30 days.
type CustomerRow struct {
	Customer  string  `json:"customer"`
	Name      string  `json:"name,omitempty"`
	Email     string  `json:"email,omitempty"`
	Score     int     `json:"score"`
	P30       float64 `json:"p30"`
	Tier      string  `json:"tier"`
	MRR       float64 `json:"mrr"`
	Currency  string  `json:"currency,omitempty"`
	TopReason string  `json:"top_reason,omitempty"`
	// TopTerm is the name of the term that TopReason puts into words.
	TopTerm  string   `json:"top_term,omitempty"`
	Interval Interval `json:"interval,omitempty"`
	// LastSignalKind and LastSignalAt describe the newest signal that can move a score.
	LastSignalKind string    `json:"last_signal_kind,omitempty"`
	LastSignalAt   time.Time `json:"last_signal_at"`
	EvaluatedAt    time.Time `json:"evaluated_at"`
	// NextChangeAt is when the score or tier changes without any event; zero when it never does.
	NextChangeAt time.Time `json:"next_change_at"`
	ModelVersion string    `json:"model_version"`
	// FreshnessMs is the time from the receipt of the last live event to its score, in milliseconds; 0 when none came live.
	FreshnessMs int64 `json:"freshness_ms"`
	// Profile is the one that the customer is; zero where no match is certain enough to feed a score.
	Profile matching.Match `json:"-"`
}

// CustomerDetail is a customer with everything that explains the score.
type CustomerDetail struct {
	CustomerRow
	Livemode bool `json:"livemode"`
	// AtRisk says whether the customer is in the at-risk segment.
	AtRisk bool `json:"at_risk"`
	// ProfileID is the profile the merchant named in the customer's metadata.
	ProfileID string `json:"profile_id,omitempty"`
	// Terms sum to the log-odds of the score.
	Terms []scoring.Term `json:"terms"`
	// Signals are the newest 50, newest first. They hold no person.
	Signals []signal.Signal `json:"signals"`
	// History has one point a day, oldest first, 400 days at most.
	History []ScorePoint `json:"history"`
}

// ScorePoint is the last score of one day (UTC).
type ScorePoint struct {
	Day   time.Time `json:"day"`
	Score int       `json:"score"`
	Tier  string    `json:"tier"`
	P30   float64   `json:"p30"`
}

// FailedEvent is an event that never became a score. No payload is kept: a re-drive fetches it from Stripe by its id.
type FailedEvent struct {
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	// Connection is the uid of the StripeConnection the event came through.
	Connection string `json:"connection"`
	Account    string `json:"account,omitempty"`
	Livemode   bool   `json:"livemode"`
	// Reason is one of the Failure constants, or of the bus's.
	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts"`
	Created  time.Time `json:"created"`
	FailedAt time.Time `json:"failed_at"`
}

// Reasons of a FailedEvent.
const (
	// FailureUnattributed marks a signal that names no customer, such as a dispute of a charge without one.
	FailureUnattributed = "unattributed"
	// FailureProcessing marks an event that could not be processed in any of its tries.
	FailureProcessing = "processing"
)

// Counts of a workspace, of its live data or, as long as it has none, of its test data.
type Counts struct {
	Customers int `json:"customers"`
	AtRisk    int `json:"at_risk"`
	Critical  int `json:"critical"`
	Signals   int `json:"signals"`
}

// ErasedCounts says what an erasure removed: of a workspace live and test together, of an account in one mode.
type ErasedCounts struct {
	Customers  int `json:"customers"`
	Identities int `json:"identities"`
	Signals    int `json:"signals"`
	Scores     int `json:"scores"`
	Events     int `json:"events"`
	Failed     int `json:"failed"`
	// Keys is 1 when the workspace's data key was destroyed.
	Keys int `json:"keys"`
}
