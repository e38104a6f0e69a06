package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Explanation is what is told of a score beyond its terms. It is made when somebody asks, by evaluating anew.
type Explanation struct {
	// Facts are the evidence of the terms, each once.
	Facts []Fact `json:"facts"`
	// LastChange is what the newest event that can move a score did to it; missing without one.
	LastChange *LastChange `json:"last_change,omitempty"`
	// WhatIfs are what would become of the score; only those that would change it.
	WhatIfs []WhatIf `json:"what_if"`
}

// Fact is one piece of evidence.
type Fact struct {
	// ID is what a term names it by.
	ID string `json:"id"`
	// Event is Stripe's event; missing for what was read from a list.
	Event string    `json:"event,omitempty"`
	Kind  string    `json:"kind"`
	At    time.Time `json:"at"`
	// Provenance is event, object or inferred.
	Provenance string `json:"provenance"`
}

// LastChange is a score at an event's own instant, without the event and with it.
type LastChange struct {
	Signal Fact    `json:"signal"`
	Before Outcome `json:"before"`
	After  Outcome `json:"after"`
}

// WhatIf is a score now, and under something that has not happened.
type WhatIf struct {
	// Name is stable: invoices_paid, payment_fails_again, cancellation_withdrawn, resumed, price_restored or quiet_7d.
	Name string `json:"name"`
	// Label says it in words: "the open invoice is paid now".
	Label  string  `json:"label"`
	Before Outcome `json:"before"`
	After  Outcome `json:"after"`
}

// Outcome is what an evaluation comes to.
type Outcome struct {
	Score  int     `json:"score"`
	Tier   string  `json:"tier"`
	P30    float64 `json:"p30"`
	AtRisk bool    `json:"at_risk"`
}

// Arrow is "65 → 95", with the tiers where they differ.
func Arrow(before, after Outcome) string {
	if before.Tier == after.Tier {
		return fmt.Sprintf("%d → %d", before.Score, after.Score)
	}
	return fmt.Sprintf("%d → %d (%s → %s)", before.Score, after.Score, before.Tier, after.Tier)
}

// Words is "65 → 95 (Normal → Critical) by Payment failed, 3 minutes ago".
func (c LastChange) Words(now time.Time) string {
	return Arrow(c.Before, c.After) + " by " + SignalWords(c.Signal.Kind) + ", " + Ago(c.Signal.At, now)
}

// PriorNote says what it means that a weight is prior.
const PriorNote = "prior: a weight that is assumed until this workspace's own history has fitted it."

// writeBasis says so under the terms, when one of them is.
func writeBasis(b *strings.Builder, terms []Term) {
	if slices.ContainsFunc(terms, func(t Term) bool { return t.Basis == "prior" }) {
		b.WriteString(PriorNote + "\n")
	}
}

var provenanceWords = map[string]string{"event": "Stripe event", "object": "read from a list", "inferred": "concluded from a list"}

// ProvenanceWords says how a fact is known.
func ProvenanceWords(provenance string) string {
	if words, ok := provenanceWords[provenance]; ok {
		return words
	}
	return Printable(provenance)
}

func writeFacts(b *strings.Builder, d Detail) error {
	if len(d.Facts) == 0 {
		return nil
	}
	lines := [][]string{{"EVIDENCE", "WHAT", "WHEN", "KNOWN BY"}}
	for _, f := range d.Facts {
		lines = append(lines, []string{Printable(f.ID), SignalWords(f.Kind), Ago(f.At, d.AsOf), ProvenanceWords(f.Provenance)})
	}
	return writeBlock(b, lines, make([]bool, 4))
}

func writeWhatIfs(b *strings.Builder, whatIfs []WhatIf) error {
	if len(whatIfs) == 0 {
		return nil
	}
	lines := [][]string{{"WHAT IF", "SCORE", "WITHIN 30 DAYS"}}
	for _, w := range whatIfs {
		lines = append(lines, []string{w.Label, Arrow(w.Before, w.After), Percent(w.Before.P30) + " → " + Percent(w.After.P30)})
	}
	return writeBlock(b, lines, make([]bool, 3))
}

func writeBlock(w io.Writer, lines [][]string, right []bool) error {
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return writeAligned(w, lines, right)
}
