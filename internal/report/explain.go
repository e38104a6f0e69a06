package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// The score's scale: even odds are 80 points, and ten points double the odds (SCORING: 80 + 14.427·η).
const (
	evenOddsPoints  = 80.0
	pointsPerLogOdd = 10 / math.Ln2
)

// Total is what the terms sum to on the score's scale, before rounding and clamping.
func (d Detail) Total() float64 { return evenOddsPoints + pointsPerLogOdd*d.Eta }

// ScoreRule says how the score follows from the terms; the rule differs by tier.
func (d Detail) ScoreRule() string {
	switch d.Tier {
	case "Critical":
		return fmt.Sprintf("Critical: two or more failed payments within 14 days put the score at 90 plus up to 9 by probability: %d.", d.Score)
	case "Leaving":
		return fmt.Sprintf("Leaving: every live subscription ends with its period, so the score is %d whatever the terms say.", d.Score)
	case "Churned":
		return "Churned: no subscription is left, so the score is 100."
	case "Unscored":
		return "Unscored: no payment has ever succeeded, so there is nothing to lose yet."
	default:
		return fmt.Sprintf("The points sum to %.2f; rounded and kept within 0 to 88, the score is %d.", d.Total(), d.Score)
	}
}

// Explain prints a customer's score with the terms that make it up; wide, with all of their evidence.
func Explain(w io.Writer, d Detail, wide bool) error {
	var b strings.Builder
	title := d.Customer
	if d.Name != "" {
		title = d.Name + " (" + d.Customer + ")"
	}
	fmt.Fprintf(&b, "%s in %s\n", Printable(title), d.Workspace)
	fmt.Fprintf(&b, "Score %d, %s, %s likely to cancel within 30 days, MRR %s\n\n", d.Score, d.Tier, Percent(d.P30), Money(d.MRRMinor, d.Currency))
	if err := writeTerms(&b, d, wide); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s\n", d.ScoreRule())
	writeBasis(&b, d.Terms)
	writeTimes(&b, d)
	if err := writeFacts(&b, d); err != nil {
		return err
	}
	if err := writeWhatIfs(&b, d.WhatIfs); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeTerms(w io.Writer, d Detail, wide bool) error {
	lines := [][]string{
		{"POINTS", "LOG-ODDS", "BECAUSE", "BASIS", "EVIDENCE"},
		{strconv.FormatFloat(evenOddsPoints, 'f', 2, 64), "", "Even odds, where the scale is pinned", "", ""},
	}
	for _, t := range d.Terms {
		lines = append(lines, []string{
			fmt.Sprintf("%+.2f", t.Points), fmt.Sprintf("%+.4f", t.LogOdds), Printable(t.Words()), t.basis(),
			evidence(t.Evidence, wide),
		})
	}
	lines = append(lines, []string{fmt.Sprintf("%.2f", d.Total()), fmt.Sprintf("%+.4f", d.Eta), "Sum (η)", "", ""})
	return writeAligned(w, lines, []bool{true, true, false, false, false})
}

// Words is the term's label, or its name when it has none.
func (t Term) Words() string {
	if t.Label != "" {
		return t.Label
	}
	return strings.ReplaceAll(t.Name, "_", " ")
}

// basis names the model that fitted the term's weight, where one has.
func (t Term) basis() string {
	if t.Model == "" {
		return t.Basis
	}
	return t.Basis + " (" + Printable(t.Model) + ")"
}

// maxEvidence keeps a line readable where it need not be whole.
const maxEvidence = 3

func evidence(ids []string, whole bool) string {
	shown := ids
	if !whole {
		shown = ids[:min(len(ids), maxEvidence)]
	}
	text := Printable(strings.Join(shown, ", "))
	if more := len(ids) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func writeTimes(b *strings.Builder, d Detail) {
	switch {
	case d.LastChange != nil:
		fmt.Fprintf(b, "Last change: %s.\n", d.LastChange.Words(d.AsOf))
	case !d.LastSignalAt.IsZero():
		fmt.Fprintf(b, "Last signal: %s, %s.\n", SignalWords(d.LastSignal), Ago(d.LastSignalAt, d.AsOf))
	}
	if !d.NextChangeAt.IsZero() {
		fmt.Fprintf(b, "Looked at again %s (%s) if nothing happens before.\n", In(d.NextChangeAt, d.AsOf), d.NextChangeAt.UTC().Format("2006-01-02 15:04 MST"))
	}
	if d.ModelVersion != "" {
		fmt.Fprintf(b, "Model %s.\n", d.ModelVersion)
	}
}
