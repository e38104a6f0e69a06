package report

import "time"

// Matches is one page of a workspace's matches, in the order of the customers' ids.
type Matches struct {
	// Workspace is "namespace/name".
	Workspace string    `json:"workspace"`
	AsOf      time.Time `json:"as_of"`
	Livemode  bool      `json:"livemode"`
	// Review counts all matches that wait for a decision.
	Review int `json:"review"`
	// Next continues after this page when handed back as "after"; empty on the last page.
	Next    string  `json:"next,omitempty"`
	Matches []Match `json:"matches"`
}

// Match says which profile a customer is, how sure that is and by what.
type Match struct {
	Customer string `json:"customer"`
	Account  string `json:"account"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	// State is matched, review or unmatched.
	State string `json:"state"`
	// Profile is the candidate; empty without one.
	Profile string `json:"profile,omitempty"`
	// ProfileEmail and ProfileDomain are those of the profile as it was imported.
	ProfileEmail  string `json:"profile_email,omitempty"`
	ProfileDomain string `json:"profile_domain,omitempty"`
	// Confidence is 0 to 100; below 90 it never feeds a score.
	Confidence int `json:"confidence"`
	// Evidence is decision, metadata, email, domain or email_shared; empty without any.
	Evidence string `json:"evidence,omitempty"`
	// Decision is what a person decided last; nil when nobody did.
	Decision *MatchDecision `json:"decision,omitempty"`
}

// MatchDecision is a person's.
type MatchDecision struct {
	// Decision is approve, reject or reassign.
	Decision string    `json:"decision"`
	Profile  string    `json:"profile"`
	By       string    `json:"by,omitempty"`
	At       time.Time `json:"at"`
}

// Decide asks for a decision on a customer's match.
type Decide struct {
	// Decision is approve, reject, reassign, or withdraw to take an earlier one back.
	Decision string `json:"decision"`
	// Profile is the profile to be assigned. Of an approval or a rejection it is the candidate that was seen: another one by
	// now is not decided on.
	Profile string `json:"profile,omitempty"`
}

// Decided says what came of it.
type Decided struct {
	Customer string     `json:"customer"`
	From     MatchState `json:"from"`
	To       MatchState `json:"to"`
}

// MatchState is a match in short.
type MatchState struct {
	State      string `json:"state"`
	Profile    string `json:"profile,omitempty"`
	Confidence int    `json:"confidence"`
	Evidence   string `json:"evidence,omitempty"`
}
