package dashboard

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// historyDays is how far the page's chart goes back.
const historyDays = 90

type customerView struct {
	layout
	Detail report.Detail
	Email  string
	// Bars are the terms' places in the drawing, and Even the place of even odds.
	Bars []bar
	Even float64
	Days []store.ScorePoint
	// Match is nil when nothing was decided: the workspace has no profiles.
	Match *matchView
}

// matchView is what was decided of the customer's profile.
type matchView struct {
	Profile, Evidence, State string
	Confidence               int
}

// Drawn says that there are enough days for a line.
func (v customerView) Drawn() bool { return len(v.Days) > 1 }

// customer explains one score.
func (d *Dashboard) customer(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	view := customerView{}
	err := d.fillCustomer(r, workspace, &view)
	if errors.Is(err, store.ErrNotFound) {
		d.problem(w, r, http.StatusNotFound, "There is no such customer in "+workspace, "Choose one from the list of customers at risk.")
		return
	}
	if err != nil {
		d.failure(w, r, "read the customer", err)
		return
	}
	view.layout = d.layout(r, cmp.Or(view.Detail.Name, view.Detail.Customer), workspace)
	view.Section, view.Deeper, view.Workspaces, view.Charts = sectionChurn, true, workspaces, true
	d.render(w, r, http.StatusOK, "customer.html", view)
}

func (d *Dashboard) fillCustomer(r *http.Request, workspace string, view *customerView) error {
	customer := r.PathValue("customer")
	detail, err := d.detail(r, workspace, customer)
	if err != nil {
		return err
	}
	view.Detail = detail
	view.Even, view.Bars = waterfall(detail)
	history, err := d.Store.ScoreHistory(r.Context(), workspace, customer, historyDays)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	view.Days = history.Points
	match, err := d.Store.Match(r.Context(), store.CustomerKey{
		Scope: store.Scope{Workspace: workspace, Livemode: detail.Livemode}, Customer: customer,
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	view.Match = &matchView{Profile: match.ProfileID, Evidence: string(match.Evidence), State: string(match.State), Confidence: match.Confidence}
	return nil
}

// provenances say where a signal was read from.
var provenances = map[string]string{"event": "Stripe event", "object": "Stripe list", "inferred": "Concluded from a list"}

func provenanceWords(provenance string) string { return cmp.Or(provenances[provenance], provenance) }

// basisWords say where a term's weight comes from.
var basisWords = map[string]string{"data": "measured", "prior": "assumed", "fitted": "fitted to this workspace"}

func wordsOfBasis(basis string) string { return cmp.Or(basisWords[basis], basis) }

// bar is one term of the waterfall, in hundredths of the drawing's width.
type bar struct {
	report.Term
	X, Width float64
	// End is where the next bar begins.
	End float64
	Up  bool
	// Sum is the score so far.
	Sum float64
}

// evenOdds is where the scale is pinned: at 80 points a customer leaves as likely as not.
const evenOdds = 80.0

// waterfall places the terms one after another, from even odds on.
func waterfall(d report.Detail) (even float64, bars []bar) {
	low, high, at := 0.0, 100.0, evenOdds
	for _, t := range d.Terms {
		at += t.Points
		low, high = min(low, at), max(high, at)
	}
	scale := func(points float64) float64 { return 100 * (points - low) / (high - low) }
	at = evenOdds
	for _, t := range d.Terms {
		from, to := scale(at), scale(at+t.Points)
		at += t.Points
		bars = append(bars, bar{
			Term: t, X: min(from, to), Width: max(0.4, max(from, to)-min(from, to)), End: to, Up: t.Points >= 0, Sum: at,
		})
	}
	return scale(evenOdds), bars
}

// signed words points with a sign that is as wide as a digit.
func signed(points float64) string {
	if points < 0 {
		return fmt.Sprintf("−%.1f", -points)
	}
	return fmt.Sprintf("+%.1f", points)
}

func utc(at time.Time) string { return at.UTC().Format("2 Jan 2006, 15:04:05 MST") }
