package matching

import "slices"

// Verdict is what a person said of a match.
type Verdict string

// The verdicts.
const (
	// Approve says that the customer is the profile that was proposed.
	Approve Verdict = "approve"
	// Reject says that the customer is not the profile that was proposed.
	Reject Verdict = "reject"
	// Reassign says that the customer is another profile.
	Reassign Verdict = "reassign"
)

// Decision is a person's, of one customer. The zero value is none.
type Decision struct {
	Verdict Verdict
	// ProfileID is the profile that was approved, rejected or chosen. Decisions on profiles that no longer exist are none.
	ProfileID string
	// Rejected are profiles that were rejected before.
	Rejected []string
}

// Decide picks the customer's match: as a person decided, where somebody did, and by the evidence otherwise. A rejection
// holds for the one profile: the next candidate takes its place. That one is no surer for it: of two profiles with one
// address the other waits for a review as well, and a domain of two stays no evidence.
func (d Decision) Decide(f Found) Match {
	if d.Verdict == Approve || d.Verdict == Reassign {
		return Match{ProfileID: d.ProfileID, Confidence: certain, Evidence: ByDecision}
	}
	if m := Decide(f); !d.rejects(m.ProfileID) {
		return m
	}
	left := Found{ByID: f.ByID, ByEmail: d.others(f.ByEmail)}
	if d.rejects(f.ByID) {
		left.ByID = ""
	}
	if len(f.ByDomain) == 1 {
		left.ByDomain = d.others(f.ByDomain)
	}
	m := Decide(left)
	switch {
	case m.ProfileID == "":
		return Match{Evidence: ByDecision}
	case m.Evidence == ByEmail && len(f.ByEmail) > 1:
		m.Confidence, m.Evidence = oneOfSeveral, BySharedEmail
	}
	return m
}

func (d Decision) rejects(profile string) bool {
	return d.Verdict == Reject && profile == d.ProfileID || slices.Contains(d.Rejected, profile)
}

// others are the profiles that were not rejected.
func (d Decision) others(profiles []string) (left []string) {
	for _, profile := range profiles {
		if !d.rejects(profile) {
			left = append(left, profile)
		}
	}
	return left
}
