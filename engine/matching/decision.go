package matching

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
}

// Decide picks the customer's match: as a person decided, where somebody did, and by the evidence otherwise. A rejection
// holds for the one profile: as soon as the evidence leads to another, that one is the match.
func (d Decision) Decide(f Found) Match {
	if d.Verdict == Approve || d.Verdict == Reassign {
		return Match{ProfileID: d.ProfileID, Confidence: certain, Evidence: ByDecision}
	}
	m := Decide(f)
	if d.Verdict == Reject && m.ProfileID == d.ProfileID {
		return Match{Evidence: ByDecision}
	}
	return m
}
