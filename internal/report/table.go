package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Widest cells of the two columns whose length a customer decides.
const (
	maxNameCells   = 28
	maxReasonCells = 60
)

// column is one column of a text table.
type column struct {
	title string
	right bool
	cell  func(Row) string
}

var narrowColumns = []column{
	{"RANK", true, func(r Row) string { return strconv.Itoa(r.Rank) }},
	{"CUSTOMER", false, func(r Row) string { return Printable(r.Customer) }},
	{"NAME", false, func(r Row) string { return orUnknown(shorten(Printable(r.Name), maxNameCells)) }},
	{"SCORE", true, func(r Row) string { return strconv.Itoa(r.Score) }},
	{"TIER", false, func(r Row) string { return r.Tier }},
	{"P30", true, func(r Row) string { return Percent(r.P30) }},
	{"MRR", true, func(r Row) string { return Money(r.MRRMinor, r.Currency) }},
}

func columns(page AtRisk, wide bool) []column {
	reason := column{"REASON", false, func(r Row) string { return orUnknown(shorten(Printable(r.Reason), maxReasonCells)) }}
	if !wide {
		return append(narrowColumns[:len(narrowColumns):len(narrowColumns)], reason)
	}
	reason.cell = func(r Row) string { return orUnknown(Printable(r.Reason)) }
	return append(narrowColumns[:len(narrowColumns):len(narrowColumns)], reason,
		column{"LAST SIGNAL", false, func(r Row) string { return SignalWords(r.LastSignal) }},
		column{"SEEN", false, func(r Row) string { return Ago(r.LastSignalAt, page.AsOf) }},
		column{"FRESHNESS", true, func(r Row) string { return freshness(r.FreshnessMs) }},
		column{"MODEL", false, func(r Row) string { return orUnknown(r.ModelVersion) }},
	)
}

func freshness(ms int64) string {
	if ms <= 0 {
		return unknown
	}
	return Milliseconds(ms)
}

// AtRiskTable prints a page as a table, a customer a line. It prints the header even when nobody is at risk.
func AtRiskTable(w io.Writer, page AtRisk) error {
	return writeTable(w, page, columns(page, false))
}

// AtRiskWide prints a page with the last signal, freshness and model version as well, and reasons in full.
func AtRiskWide(w io.Writer, page AtRisk) error {
	return writeTable(w, page, columns(page, true))
}

func writeTable(w io.Writer, page AtRisk, cols []column) error {
	lines := [][]string{titles(cols)}
	for _, row := range page.Rows {
		line := make([]string, len(cols))
		for i, col := range cols {
			line[i] = col.cell(row)
		}
		lines = append(lines, line)
	}
	right := make([]bool, len(cols))
	for i, col := range cols {
		right[i] = col.right
	}
	return writeAligned(w, lines, right)
}

func titles(cols []column) []string {
	line := make([]string, len(cols))
	for i, col := range cols {
		line[i] = col.title
	}
	return line
}

// writeAligned prints lines with each column as wide as its widest cell and two spaces between columns.
func writeAligned(w io.Writer, lines [][]string, right []bool) error {
	widths := make([]int, len(right))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], cells(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		var text strings.Builder
		for i, cell := range line {
			pad := strings.Repeat(" ", widths[i]-cells(cell))
			if i > 0 {
				text.WriteString("  ")
			}
			if right[i] {
				text.WriteString(pad + cell)
			} else {
				text.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Summary says in one sentence what a page shows.
func Summary(page AtRisk) string {
	switch {
	case page.Total == 0:
		return fmt.Sprintf("Nobody is at risk in %s.", page.Workspace)
	case page.More:
		return fmt.Sprintf("%d of more than %s at risk in %s.", len(page.Rows), count(page.Total, "customer"), page.Workspace)
	case len(page.Rows) == page.Total:
		return fmt.Sprintf("%s at risk in %s.", count(page.Total, "customer"), page.Workspace)
	default:
		return fmt.Sprintf("%d of %s at risk in %s.", len(page.Rows), count(page.Total, "customer"), page.Workspace)
	}
}
