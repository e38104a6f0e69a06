// Package report owns how risk is told: the documents of the dashboard's JSON API, a client for them, and the words,
// tables and explanations that the command line and the pages share. It must not know where scores are stored, how they
// are computed, or anything of Kubernetes.
package report

import "time"

// AtRisk is one page of a workspace's at-risk customers, riskiest first.
type AtRisk struct {
	// Workspace is "namespace/name".
	Workspace string `json:"workspace"`
	// AsOf is the server's clock when the page was made; every "ago" is counted from it.
	AsOf time.Time `json:"as_of"`
	// Livemode is false as long as the workspace has only ever received test data, which is then shown.
	Livemode bool `json:"livemode"`
	// Total counts all customers of the selection, not only those on this page. With filters it is counted
	// among the 20,000 riskiest and ends at 1,000; More says that there are more, or may be.
	Total int  `json:"total"`
	More  bool `json:"more,omitempty"`
	// Next continues after this page when handed back as "after"; empty on the last page.
	Next string `json:"next,omitempty"`
	Rows []Row  `json:"customers"`
}

// Row is one customer's risk.
type Row struct {
	// Rank counts from 1 over the whole list; 0 when the customer was asked for alone.
	Rank     int    `json:"rank,omitempty"`
	Customer string `json:"customer"`
	Name     string `json:"name,omitempty"`
	// Score is 0 to 100.
	Score int    `json:"score"`
	Tier  string `json:"tier"`
	// P30 is the probability of a cancellation within 30 days, 0 to 1.
	P30 float64 `json:"p30"`
	// MRRMinor is monthly recurring revenue in the currency's minor unit; Currency is empty when none is known.
	MRRMinor float64 `json:"mrr_minor"`
	Currency string  `json:"currency,omitempty"`
	// Interval is how often the customer pays: month, year or other.
	Interval string `json:"interval,omitempty"`
	// Reason is the strongest cause in words, and ReasonTerm the name of its term.
	Reason       string    `json:"reason,omitempty"`
	ReasonTerm   string    `json:"reason_term,omitempty"`
	LastSignal   string    `json:"last_signal,omitempty"`
	LastSignalAt time.Time `json:"last_signal_at,omitzero"`
	EvaluatedAt  time.Time `json:"evaluated_at,omitzero"`
	// NextChangeAt is when score or tier change next if nothing else happens.
	NextChangeAt time.Time `json:"next_change_at,omitzero"`
	ModelVersion string    `json:"model_version,omitempty"`
	// FreshnessMs is the time from receiving the newest signal to storing the score it led to.
	FreshnessMs int64 `json:"freshness_ms,omitempty"`
	// Profile is the merchant's own customer that this one is; missing where no match is certain enough.
	Profile *RowProfile `json:"profile,omitempty"`
}

// RowProfile is a profile that a customer is matched to.
type RowProfile struct {
	ID         string `json:"id"`
	Confidence int    `json:"confidence"`
	// Evidence is decision, metadata or email.
	Evidence string `json:"evidence"`
}

// Detail explains one customer's score.
type Detail struct {
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	Livemode  bool      `json:"livemode"`
	// AtRisk says whether the customer is on the list.
	AtRisk bool `json:"at_risk"`
	Row
	// Eta is the log-odds of a cancellation; the terms sum to it.
	Eta     float64  `json:"eta"`
	Terms   []Term   `json:"terms"`
	Signals []Signal `json:"signals"`
	Explanation
}

// Term is one part of a score.
type Term struct {
	Name string `json:"name"`
	// Label says in words what the term stands for.
	Label   string  `json:"label"`
	LogOdds float64 `json:"log_odds"`
	// Points is the term on the score's scale; all points sum to 80 + 14.427 times eta.
	Points float64 `json:"points"`
	// Basis is "data" when measured elsewhere, "prior" when assumed until a workspace's own history has fitted it, and
	// "fitted" when it has.
	Basis string `json:"basis"`
	// Model is the version that fitted the weight.
	Model string `json:"model,omitempty"`
	// Evidence names the Stripe events or objects behind the term.
	Evidence []string `json:"evidence,omitempty"`
}

// Signal is one fact of a customer's history.
type Signal struct {
	// ID is Stripe's event, which may have brought several signals, or the name of what was read from a list.
	ID   string    `json:"id"`
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
	// Provenance is event, object or inferred.
	Provenance string `json:"provenance,omitempty"`
}

// Counts sums up a workspace.
type Counts struct {
	Workspace string `json:"workspace"`
	Customers int    `json:"customers"`
	AtRisk    int    `json:"at_risk"`
	Critical  int    `json:"critical"`
	Signals   int    `json:"signals"`
}

// Failed is one page of the events that never became a score, the newest first.
type Failed struct {
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	// Next is the after of the next page; empty on the last one.
	Next   string        `json:"next,omitempty"`
	Events []FailedEvent `json:"events"`
}

// FailedEvent is an event that never became a score.
type FailedEvent struct {
	// Event is Stripe's id; for what was read from a list, the id of the signal.
	Event    string `json:"event"`
	Type     string `json:"type,omitempty"`
	Account  string `json:"account,omitempty"`
	Livemode bool   `json:"livemode"`
	// Reason is a word for programs: see FailureWords.
	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts"`
	Created  time.Time `json:"created"`
	FailedAt time.Time `json:"failed_at"`
}

// Redrive asks for failed events to be fetched from Stripe and taken once more: those named, or all.
type Redrive struct {
	Events []string `json:"events,omitempty"`
	// All are driven again a page at a time: After is the Next of the answer before, empty for the newest.
	All   bool   `json:"all,omitempty"`
	After string `json:"after,omitempty"`
}

// Redriven says what came of a Redrive.
type Redriven struct {
	// Asked are the events that are being fetched.
	Asked []string `json:"asked"`
	// Unknown are not, or no longer, listed as failed.
	Unknown []string `json:"unknown,omitempty"`
	// Listed came from a list and not as an event: only a Backfill can read them again.
	Listed []string `json:"listed,omitempty"`
	// Next is where the next page of all begins; empty after the last one.
	Next string `json:"next,omitempty"`
}

// Problem is the body of every refused API request.
type Problem struct {
	Error ProblemDetail `json:"error"`
}

// ProblemDetail says what was wrong: a stable code for programs, a sentence for people.
type ProblemDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Lines are those of a file that are at fault, the first 20 at most.
	Lines []LineProblem `json:"lines,omitempty"`
}
