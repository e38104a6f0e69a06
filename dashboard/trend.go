package dashboard

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

const (
	defaultDays = 90
	maxDays     = 400
)

// daysOf reads how many days are asked for, or answers.
func daysOf(w http.ResponseWriter, r *http.Request) (int, bool) {
	text := r.URL.Query().Get("days")
	if text == "" {
		return defaultDays, true
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 || days > maxDays {
		refuse(w, http.StatusBadRequest, "bad_days", "days must be between 1 and "+strconv.Itoa(maxDays))
		return 0, false
	}
	return days, true
}

// apiHistory gives a customer's score day by day.
func (d *Dashboard) apiHistory(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	days, ok := daysOf(w, r)
	if !ok {
		return
	}
	customer := r.PathValue("customer")
	found, err := d.Store.ScoreHistory(r.Context(), workspace, customer, days)
	if errors.Is(err, store.ErrNotFound) {
		refuse(w, http.StatusNotFound, "customer_not_found", "there is no such customer in "+workspace)
		return
	}
	if err != nil {
		d.apiFailure(w, "read the history", err)
		return
	}
	out := report.History{
		Workspace: workspace, Customer: customer, AsOf: d.Clock.Now(), Livemode: found.Livemode, Points: []report.HistoryPoint{},
	}
	for _, p := range found.Points {
		out.Points = append(out.Points, report.HistoryPoint{Day: p.Day.Format(time.DateOnly), Score: p.Score, Tier: p.Tier, P30: p.P30})
	}
	answer(w, out)
}

// apiTrend gives the at-risk segment day by day.
func (d *Dashboard) apiTrend(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	days, ok := daysOf(w, r)
	if !ok {
		return
	}
	found, err := d.Store.Trend(r.Context(), workspace, days)
	if err != nil {
		d.apiFailure(w, "read the trend", err)
		return
	}
	out := report.Trend{Workspace: workspace, AsOf: d.Clock.Now(), Livemode: found.Livemode, Points: []report.TrendPoint{}}
	for _, p := range found.Days {
		point := report.TrendPoint{
			Day: p.Day.Format(time.DateOnly), AtRisk: p.AtRisk(), Critical: p.Critical, Leaving: p.Leaving, Normal: p.Normal,
			MRR: amounts(p.MRR),
		}
		out.Points = append(out.Points, point)
	}
	answer(w, out)
}

// amounts are in the order of their currencies.
func amounts(byCurrency map[string]int64) []report.Amount {
	all := []report.Amount{}
	for _, currency := range slices.Sorted(maps.Keys(byCurrency)) {
		all = append(all, report.Amount{Currency: currency, MRRMinor: byCurrency[currency]})
	}
	return all
}
