package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ModelCardText prints a model card: what the model is, what it rests on, its test, its calibration and its weights.
func ModelCardText(w io.Writer, c ModelCard) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Model: %s, because: %s.\n", c.Kind, Printable(c.Reason))
	p := c.Panel
	if p.Rows == 0 {
		b.WriteString("History: none whose outcome is known.\n")
	} else {
		fmt.Fprintf(&b, "History: %s of %s, %s, from %s to %s", count(p.Rows, "row"), count(p.Customers, "customer"),
			count(p.Churns, "cancellation"), date(p.From), date(p.To))
		if p.Share < 1 {
			fmt.Fprintf(&b, ", a sample of %s of the customers", Percent(p.Share))
		}
		b.WriteString(".\n")
	}
	if err := writeTest(&b, c); err != nil {
		return err
	}
	if err := writeCalibration(&b, c); err != nil {
		return err
	}
	if err := writeWeights(&b, c); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func writeTest(b *strings.Builder, c ModelCard) error {
	t := c.Test
	if t == nil {
		return nil
	}
	b.WriteString("\n")
	if t.Customers > 0 {
		fmt.Fprintf(b, "Fitted on %s to %s: %s, %s.", date(t.TrainFrom), date(t.TrainTo), count(t.Customers, "customer"),
			count(t.Churns, "cancellation"))
	} else {
		b.WriteString("Nothing to fit on.")
	}
	if !t.TestFrom.IsZero() {
		fmt.Fprintf(b, " Tested on %s to %s.", date(t.TestFrom), date(t.TestTo))
	}
	b.WriteString("\n")
	if t.Fitted != nil && t.Prior != nil {
		err := writeAligned(b, [][]string{figureTitles, figureLine("fitted", t.Fitted), figureLine("prior", t.Prior)}, figureRight)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "Log loss %.2f %% better than the prior's; better in %s of the resamplings (seed %d).\n", 100*t.Gain,
			Percent(t.Better), t.Seed)
	}
	if t.Accepted {
		b.WriteString("Accepted.\n")
		return nil
	}
	b.WriteString("Not accepted:\n")
	for _, reason := range t.Reasons {
		b.WriteString("  " + Printable(reason) + "\n")
	}
	return nil
}

var (
	figureTitles = []string{"", "N", "CHURNS", "RATE", "EXPECTED", "LOG LOSS", "AUC", "PR-AUC", "LIFT@10%", "BRIER SKILL", "ECE"}
	figureRight  = []bool{false, true, true, true, true, true, true, true, true, true, true}
)

func figureLine(name string, f *Figures) []string {
	line := []string{name, strconv.Itoa(f.Rows), strconv.Itoa(f.Churns), decimals(f.Rate, 4), decimals(f.Expected, 4), decimals(f.LogLoss, 5)}
	for _, v := range []float64{f.AUC, f.PRAUC, f.Lift10, f.BrierSkill, f.ECE} {
		line = append(line, decimals(v, 4))
	}
	return line
}

func decimals(v float64, n int) string { return strconv.FormatFloat(v, 'f', n, 64) }

func writeCalibration(b *strings.Builder, c ModelCard) error {
	if c.Figures == nil {
		return nil
	}
	b.WriteString("\nThe model in use, on the newest 60 days:\n")
	if err := writeAligned(b, [][]string{figureTitles, figureLine(c.Kind, c.Figures)}, figureRight); err != nil {
		return err
	}
	lines := [][]string{{"P30 FROM", "TO", "N", "EXPECTED", "OBSERVED"}}
	for _, bin := range c.Calibration {
		lines = append(lines, []string{decimals(bin.Low, 4), decimals(bin.High, 4), strconv.Itoa(bin.Rows), decimals(bin.Expected, 4), decimals(bin.Observed, 4)})
	}
	b.WriteString("\n")
	return writeAligned(b, lines, []bool{true, true, true, true, true})
}

// writeWeights shows the weights in use and, where others were tested, those beside them.
func writeWeights(b *strings.Builder, c ModelCard) error {
	lines := [][]string{{"WEIGHT", "PRIOR", "IN USE", "BASIS"}, {"intercept", "0.000", fmt.Sprintf("%+.3f", c.Intercept), ""}}
	tested := c.Test != nil && len(c.Test.Weights) == len(c.Weights)
	if tested {
		lines[0], lines[1] = append(lines[0], "TESTED"), append(lines[1], fmt.Sprintf("%+.3f", c.Test.Intercept))
	}
	for i, w := range c.Weights {
		line := []string{w.Name, decimals(w.Prior, 3), decimals(w.Weight, 3), w.Basis}
		if tested {
			line = append(line, decimals(c.Test.Weights[i].Weight, 3))
		}
		lines = append(lines, line)
	}
	b.WriteString("\n")
	return writeAligned(b, lines, []bool{false, true, true, false, true}[:len(lines[0])])
}
