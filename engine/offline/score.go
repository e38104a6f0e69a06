package offline

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

// Score is one customer's evaluation.
type Score struct {
	Customer    string    `json:"customer"`
	EvaluatedAt time.Time `json:"evaluated_at"`
	scoring.Evaluation
}

// LeftOut counts the signals that a scoring does not use.
type LeftOut struct {
	// Later are newer than the instant; Test are of test mode, next to live ones; Unowned are disputes whose charge no
	// other event names.
	Later, Test, Unowned int
}

// Scores evaluates every customer as of an instant, from the signals up to it, in the order of risk. Test events are
// only scored when there are no live ones: they never touch live scores.
func (in *Input) Scores(at time.Time) ([]Score, LeftOut) {
	histories, left := in.Histories(at)
	scores := make([]Score, 0, len(histories))
	for customer, history := range histories {
		scores = append(scores, Score{
			Customer: customer, EvaluatedAt: at.UTC(), Evaluation: scoring.Evaluate(scoring.Fold(history), at, scoring.Prior()),
		})
	}
	slices.SortFunc(scores, func(a, b Score) int {
		switch {
		case scoring.Less(a.ranked(), b.ranked()):
			return -1
		case scoring.Less(b.ranked(), a.ranked()):
			return 1
		default:
			return 0
		}
	})
	return scores, left
}

// Histories are every customer's signals up to an instant: the live ones, or the test ones where there are no others.
func (in *Input) Histories(at time.Time) (map[string][]signal.Signal, LeftOut) {
	signals, left := in.Live, LeftOut{Test: len(in.Test)}
	if len(in.Live) == 0 {
		signals, left.Test = in.Test, 0
	}
	histories := map[string][]signal.Signal{}
	for i := range signals {
		switch s := signals[i]; {
		case s.Created > at.Unix():
			left.Later++
		case s.Customer == "":
			left.Unowned++
		default:
			histories[s.Customer] = append(histories[s.Customer], s)
		}
	}
	return histories, left
}

func (s *Score) ranked() scoring.Ranked {
	return scoring.Ranked{Customer: s.Customer, Tier: s.Tier, Score: s.Score, MRR: s.MRR}
}

// Report writes a line for each kind of signal left out.
func (l LeftOut) Report(w io.Writer) {
	for _, note := range []struct {
		count int
		text  string
	}{
		{l.Later, "newer than the instant"},
		{l.Test, "of test mode, beside live ones"},
		{l.Unowned, "of a dispute whose charge no other event names"},
	} {
		if note.count > 0 {
			fmt.Fprintf(w, "left out: signals %s: %d\n", note.text, note.count)
		}
	}
}

// PrintScores writes a line a customer.
func PrintScores(w io.Writer, scores []Score) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CUSTOMER\tSCORE\tTIER\tAT RISK\tP30\tLOG-ODDS\tMRR\tNEXT CHANGE\tREASONS")
	for i := range scores {
		s := &scores[i]
		score, p30, eta := fmt.Sprint(s.Score), fmt.Sprintf("%.4f", s.P30), fmt.Sprintf("%+.4f", s.Eta)
		if s.Tier == scoring.Unscored {
			score, p30, eta = "", "", ""
		}
		atRisk := "no"
		if s.Segment {
			atRisk = "yes"
		}
		row(table, s.Customer, score, string(s.Tier), atRisk, p30, eta, money(s.MRR, s.Currency),
			s.NextChangeAt.Format(time.RFC3339), reasons(s.Terms))
	}
	return table.Flush()
}

// reasonsShown is how many reasons a line has room for; worthTelling is half a point on the score's scale.
const (
	reasonsShown = 3
	worthTelling = 0.5
)

// reasons are the heaviest terms with their points, without the baseline that everybody has.
func reasons(terms []scoring.Term) string {
	var told []string
	for _, term := range terms {
		if term.Name != "baseline" && math.Abs(term.Points) >= worthTelling && len(told) < reasonsShown {
			told = append(told, fmt.Sprintf("%s (%+.0f)", term.Label, term.Points))
		}
	}
	return strings.Join(told, "; ")
}
