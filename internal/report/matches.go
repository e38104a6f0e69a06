package report

import (
	"fmt"
	"io"
	"time"
)

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

// evidenceWords say by what a match was found.
var evidenceWords = map[string]string{
	"decision": "a person's decision", "metadata": "kustiq_profile_id at Stripe", "email": "the e-mail address",
	"email_shared": "an address that several profiles have", "domain": "the domain alone",
}

// EvidenceWords are the words for an evidence; one of a newer version stands for itself.
func EvidenceWords(evidence string) string {
	if words, ok := evidenceWords[evidence]; ok {
		return words
	}
	return Printable(evidence)
}

// MatchTable writes matches as a table; a wide one has addresses and decisions, too.
func MatchTable(w io.Writer, page Matches, wide bool) error {
	if len(page.Matches) == 0 {
		_, err := fmt.Fprintf(w, "No such matches in %s.\n", Printable(page.Workspace))
		return err
	}
	title := []string{"CUSTOMER", "NAME", "STATE", "PROFILE", "CONFIDENCE", "BECAUSE OF"}
	if wide {
		title = append(title, "EMAIL", "PROFILE'S EMAIL", "DECIDED")
	}
	lines := [][]string{title}
	for _, m := range page.Matches {
		line := []string{
			m.Customer, orUnknown(m.Name), m.State, orUnknown(m.Profile), fmt.Sprintf("%d %%", m.Confidence), orUnknown(EvidenceWords(m.Evidence)),
		}
		if wide {
			decided := ""
			if m.Decision != nil {
				decided = m.Decision.Decision + " " + m.Decision.Profile + ", " + Ago(m.Decision.At, page.AsOf) + " by " + orUnknown(m.Decision.By)
			}
			line = append(line, orUnknown(m.Email), orUnknown(m.ProfileEmail+m.profileDomain()), orUnknown(decided))
		}
		for i := range line {
			line[i] = Printable(line[i])
		}
		lines = append(lines, line)
	}
	if err := writeAligned(w, lines, make([]bool, len(title))); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s in review in %s.\n", count(page.Review, "match", "matches"), Printable(page.Workspace))
	return err
}

func (m Match) profileDomain() string {
	if m.ProfileDomain == "" {
		return ""
	}
	return " @" + m.ProfileDomain
}

// Words say a match in short.
func (s MatchState) Words() string {
	if s.Profile == "" {
		return s.State
	}
	return fmt.Sprintf("%s %s (%d %%, %s)", s.State, Printable(s.Profile), s.Confidence, EvidenceWords(s.Evidence))
}
