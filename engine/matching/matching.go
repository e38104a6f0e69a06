// Package matching decides which of a merchant's profiles a Stripe customer is, how sure that is, and by what evidence,
// and it reads the files that profiles are imported from. It is pure: it holds no state and must not know the store, the
// bus, Kubernetes or Stripe.
package matching

// Profile is one of the merchant's own customers, as imported.
type Profile struct {
	// ID is the merchant's name for it.
	ID string
	// Email of the profile; may be empty.
	Email string
	// Domain of the profile's organisation; when empty it is that of Email.
	Domain string
}

// Customer is what Stripe says of the customer to be matched.
type Customer struct {
	Email string
	// ProfileID is metadata.kustiq_profile_id, by which the merchant names the profile itself.
	ProfileID string
}

// Evidence says by what a match was decided.
type Evidence string

// The kinds of evidence, from the one that decides to the weakest.
const (
	// ByDecision is what a person decided.
	ByDecision Evidence = "decision"
	// ByMetadata is a metadata.kustiq_profile_id that names a profile.
	ByMetadata Evidence = "metadata"
	// ByEmail is the e-mail address of exactly one profile.
	ByEmail Evidence = "email"
	// ByDomain is the domain of exactly one profile.
	ByDomain Evidence = "domain"
	// BySharedEmail is an e-mail address that several profiles have.
	BySharedEmail Evidence = "email_shared"
	// None is no evidence at all.
	None Evidence = ""
)

// The confidence of each evidence, in per cent. At least 90 is needed to feed a score (DESIGN §8), so that what is not
// the merchant's own word or the very address waits for a review.
const (
	certain         = 100
	domainAlone     = 80
	oneOfSeveral    = 50
	defaultMinimum  = 90
	greatestMinimum = 100
)

// Match is the best candidate for a customer.
type Match struct {
	// ProfileID is empty without a candidate. Of several with the same evidence it is the first in order.
	ProfileID string
	// Confidence is 0 to 100.
	Confidence int
	Evidence   Evidence
}

// State is what becomes of a match.
type State string

// The states of a match.
const (
	// Matched customers feed their profile's score.
	Matched State = "matched"
	// Review marks a candidate that is not certain enough.
	Review State = "review"
	// Unmatched customers have no candidate.
	Unmatched State = "unmatched"
)

// State of the match where a score needs the given confidence.
func (m Match) State(minimum int) State {
	switch {
	case m.ProfileID == "":
		return Unmatched
	case m.Confidence < Minimum(minimum):
		return Review
	}
	return Matched
}

// Minimum returns the confidence that a score needs, where minimum was asked for: 90 to 100, and 90 when nothing was.
func Minimum(minimum int) int { return min(max(minimum, defaultMinimum), greatestMinimum) }

// Found are the profiles that a customer's keys lead to. Two of each are enough: what matters is whether there is
// exactly one.
type Found struct {
	// ByID is the profile that the customer's metadata names, if it exists.
	ByID string
	// ByEmail and ByDomain are in order.
	ByEmail, ByDomain []string
}

// Decide picks the best candidate. An address leads further than a domain even where it leads to several profiles:
// they share the domain then as well.
func Decide(f Found) Match {
	switch {
	case f.ByID != "":
		return Match{ProfileID: f.ByID, Confidence: certain, Evidence: ByMetadata}
	case len(f.ByEmail) == 1:
		return Match{ProfileID: f.ByEmail[0], Confidence: certain, Evidence: ByEmail}
	case len(f.ByEmail) > 1:
		return Match{ProfileID: f.ByEmail[0], Confidence: oneOfSeveral, Evidence: BySharedEmail}
	case len(f.ByDomain) == 1:
		return Match{ProfileID: f.ByDomain[0], Confidence: domainAlone, Evidence: ByDomain}
	}
	return Match{}
}
