package dashboard

import (
	"encoding/csv"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// exportPage is how many customers are read and sent at a time.
const exportPage = 500

var exportHead = []string{
	"rank", "customer", "name", "score", "tier", "leaves_in_30_days", "mrr", "currency", "reason", "last_signal", "last_signal_at",
	"evaluated_at",
}

// export sends the whole selection as a CSV file, however long it is, without ever holding more than a page of it. The
// pages are read one after another: a customer whose score changes meanwhile can be missing, or come twice.
func (d *Dashboard) export(w http.ResponseWriter, r *http.Request) {
	_, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	chosen := selectionOf(r, workspace)
	query := chosen.query("", exportPage)
	page, err := d.Store.AtRisk(r.Context(), workspace, query)
	if err != nil {
		d.failure(w, r, "read scores", err)
		return
	}
	begun := false
	err = d.audited(r, action{workspace: workspace, verb: "customers.export", detail: chosen.told()}, func() error {
		begun = true
		return d.sendExport(w, r, workspace, query, page)
	})
	switch {
	case err != nil && !begun:
		d.failure(w, r, "enter the export in the audit log", err)
	case err != nil:
		d.Logger.Warn("dashboard: an export broke off", "workspace", workspace, "error", err)
		panic(http.ErrAbortHandler) // so that half a file is not taken for a whole one
	}
}

func (d *Dashboard) sendExport(w http.ResponseWriter, r *http.Request, workspace string, query store.AtRiskQuery, page store.AtRiskPage) error {
	name := strings.ReplaceAll(workspace, "/", "-") + "-at-risk-" + d.Clock.Now().UTC().Format("20060102-1504") + ".csv"
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // a server's limit is for answers of a page's size
	file := csv.NewWriter(w)
	err := file.Write(exportHead)
	for rank := 0; err == nil; {
		for _, row := range page.Rows {
			rank++
			_ = file.Write(exportRow(rank, row)) // an error stays, and Flush tells
		}
		file.Flush()
		if err = errors.Join(file.Error(), out.Flush()); err != nil || page.Next == "" {
			break
		}
		query.After = page.Next
		page, err = d.Store.AtRisk(r.Context(), workspace, query)
	}
	return err
}

func exportRow(rank int, row store.CustomerRow) []string {
	mrr := ""
	if row.Currency != "" {
		digits := report.MinorDigits(row.Currency)
		mrr = strconv.FormatFloat(row.MRR/math.Pow10(digits), 'f', digits, 64)
	}
	return []string{
		strconv.Itoa(rank), harmless(row.Customer), harmless(row.Name), strconv.Itoa(row.Score), row.Tier,
		strconv.FormatFloat(row.P30, 'f', 4, 64), mrr, strings.ToUpper(row.Currency), harmless(row.TopReason),
		row.LastSignalKind, instant(row.LastSignalAt), instant(row.EvaluatedAt),
	}
}

func instant(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// harmless keeps a spreadsheet from taking what a customer called itself for a formula (OWASP, "CSV Injection").
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(text[0])) {
		return "'" + text
	}
	return text
}
