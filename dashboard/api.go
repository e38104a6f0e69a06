package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/report"
)

// workspaceOf is the workspace of an API path, or answers.
func (d *Dashboard) workspaceOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	return r.PathValue("namespace") + "/" + r.PathValue("name"), d.entitled(w, r, access.View)
}

func (d *Dashboard) apiAtRisk(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	q, err := atRiskQuery(r.URL.Query())
	if d.refused(w, err) {
		return
	}
	page, err := d.atRisk(r, workspace, q)
	if refusedCursor(w, err, ofSameQuery) {
		return
	}
	if err != nil {
		d.apiFailure(w, "read scores", err)
		return
	}
	answer(w, page)
}

func (d *Dashboard) apiCustomer(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	detail, err := d.detail(r, workspace, r.PathValue("customer"))
	if errors.Is(err, store.ErrNotFound) {
		refuse(w, http.StatusNotFound, "customer_not_found", "there is no such customer in "+workspace)
		return
	}
	if err != nil {
		d.apiFailure(w, "read the customer", err)
		return
	}
	answer(w, detail)
}

func (d *Dashboard) apiCounts(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	counts, err := d.Store.Counts(r.Context(), workspace)
	if err != nil {
		d.apiFailure(w, "count", err)
		return
	}
	answer(w, report.Counts{
		Workspace: workspace, Customers: counts.Customers, AtRisk: counts.AtRisk, Critical: counts.Critical, Signals: counts.Signals,
	})
}

// atRisk reads one page as the API's document. Its cursor is the store's with the number of rows before it, so that
// ranks go on over pages.
func (d *Dashboard) atRisk(r *http.Request, workspace string, q store.AtRiskQuery) (report.AtRisk, error) {
	shown, err := 0, error(nil)
	if shown, q.After, err = splitCursor(q.After); err != nil {
		return report.AtRisk{}, err
	}
	page, err := d.Store.AtRisk(r.Context(), workspace, q)
	if err != nil {
		return report.AtRisk{}, err
	}
	out := report.AtRisk{Workspace: workspace, AsOf: d.Clock.Now(), Livemode: page.Livemode, Total: page.Total, More: page.More, Rows: []report.Row{}}
	for _, row := range page.Rows {
		shown++
		converted := rowOf(row)
		converted.Rank = shown
		out.Rows = append(out.Rows, converted)
	}
	if page.Next != "" {
		out.Next = strconv.Itoa(shown) + "." + page.Next
	}
	return out, nil
}

func splitCursor(after string) (shown int, cursor string, err error) {
	if after == "" {
		return 0, "", nil
	}
	count, cursor, _ := strings.Cut(after, ".")
	if shown, err = strconv.Atoi(count); err != nil || shown < 1 || cursor == "" {
		return 0, "", store.ErrCursor
	}
	return shown, cursor, nil
}

func rowOf(row store.CustomerRow) report.Row {
	out := report.Row{
		Customer: row.Customer, Name: row.Name, Score: row.Score, Tier: row.Tier, P30: row.P30, MRRMinor: row.MRR,
		Currency: row.Currency, Interval: string(row.Interval), Reason: row.TopReason, ReasonTerm: row.TopTerm, LastSignal: row.LastSignalKind, LastSignalAt: row.LastSignalAt,
		EvaluatedAt: row.EvaluatedAt, NextChangeAt: row.NextChangeAt, ModelVersion: row.ModelVersion, FreshnessMs: row.FreshnessMs,
	}
	if m := row.Profile; m.ProfileID != "" {
		out.Profile = &report.RowProfile{ID: m.ProfileID, Confidence: m.Confidence, Evidence: string(m.Evidence)}
	}
	return out
}

func (d *Dashboard) detail(r *http.Request, workspace, customer string) (report.Detail, error) {
	found, err := d.Store.Customer(r.Context(), workspace, customer)
	if err != nil {
		return report.Detail{}, err
	}
	out := report.Detail{
		Workspace: workspace, AsOf: d.Clock.Now(), Livemode: found.Livemode, AtRisk: found.AtRisk, Row: rowOf(found.CustomerRow),
		Terms: []report.Term{}, Signals: []report.Signal{},
	}
	for _, t := range found.Terms {
		out.Eta += t.LogOdds
		out.Terms = append(out.Terms, report.Term{
			Name: t.Name, Label: t.Label, LogOdds: t.LogOdds, Points: t.Points, Basis: t.Basis, Model: t.Model, Evidence: t.Evidence,
		})
	}
	for _, s := range found.Signals {
		out.Signals = append(out.Signals, report.Signal{
			ID: signal.Name(s.ID), Kind: string(s.Kind), At: time.Unix(s.Created, 0).UTC(), Provenance: string(s.Provenance),
		})
	}
	out.Explanation, err = d.Explain.Explain(r.Context(), workspace, customer)
	return out, err
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the client has gone
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(report.Problem{Error: report.ProblemDetail{Code: code, Message: message}})
}

func (d *Dashboard) apiFailure(w http.ResponseWriter, what string, err error) {
	d.Logger.Error("dashboard: "+what, "error", err)
	refuse(w, http.StatusInternalServerError, "internal", "could not "+what+"; the dashboard's log says why")
}
