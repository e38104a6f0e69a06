package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// pageSize of the churn page.
const pageSize = 50

// refreshSeconds is how often the first page of the list reloads itself.
const refreshSeconds = 5

type churnView struct {
	layout
	Counts store.Counts
	Page   report.AtRisk
	Tiers  []string
	Tier   string
	// Paused is set when somebody asked for a page that stays as it is.
	Paused      bool
	Connections []connectionView
}

// To links to a page of the same list.
func (v churnView) To(tier, after string, paused bool) string {
	query := url.Values{"workspace": {v.Workspace}}
	if tier != "" {
		query.Set("tier", tier)
	}
	if after != "" {
		query.Set("after", after)
	}
	if paused {
		query.Set("updates", "off")
	}
	return "/dashboard/churn?" + query.Encode()
}

// churn shows who is about to leave.
func (d *Dashboard) churn(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	query := r.URL.Query()
	view := churnView{
		layout: d.layout(r, "Customers at risk", workspace), Tiers: tiers, Tier: query.Get("tier"),
		Paused: query.Get("updates") == "off",
	}
	view.Section, view.Workspaces = sectionChurn, workspaces
	after := query.Get("after")
	if view.Tier != "" && !slices.Contains(tiers, view.Tier) {
		http.Redirect(w, r, view.To("", "", view.Paused), http.StatusSeeOther)
		return
	}
	var err error
	view.Page, err = d.atRisk(r, workspace, store.AtRiskQuery{Limit: pageSize, After: after, Tier: view.Tier})
	if errors.Is(err, store.ErrCursor) {
		http.Redirect(w, r, view.To(view.Tier, "", view.Paused), http.StatusSeeOther)
		return
	}
	if err == nil {
		view.Counts, err = d.Store.Counts(r.Context(), workspace)
	}
	if err == nil {
		view.Connections, err = d.connections(r, workspace)
	}
	if err != nil {
		d.failure(w, r, "read scores", err)
		return
	}
	if after == "" && !view.Paused {
		view.Refresh = refreshSeconds
	}
	d.render(w, http.StatusOK, "churn.html", view)
}

// chosenWorkspace is the one that the query names, or the first; otherwise it answers. All are those that the caller may
// view.
func (d *Dashboard) chosenWorkspace(w http.ResponseWriter, r *http.Request) (all []string, chosen string, ok bool) {
	all, err := d.workspaces(r)
	chosen = r.URL.Query().Get("workspace")
	switch {
	case err != nil:
		d.failure(w, r, "list workspaces", err)
	case len(all) == 0:
		d.noWorkspace(w, r)
	case chosen == "":
		return all, all[0], true
	case !slices.Contains(all, chosen):
		d.problem(w, r, http.StatusNotFound, "There is no such workspace here", "Choose one from the list of customers at risk.")
	default:
		return all, chosen, true
	}
	return nil, "", false
}

type customerView struct {
	layout
	Detail report.Detail
	// Start is where even odds are in the drawing.
	Start float64
	Bars  []bar
}

// customer explains one score.
func (d *Dashboard) customer(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	detail, err := d.detail(r, workspace, r.PathValue("customer"))
	if errors.Is(err, store.ErrNotFound) {
		d.problem(w, r, http.StatusNotFound, "There is no such customer in "+workspace, "Choose one from the list of customers at risk.")
		return
	}
	if err != nil {
		d.failure(w, r, "read the customer", err)
		return
	}
	title := detail.Name
	if title == "" {
		title = detail.Customer
	}
	view := customerView{layout: d.layout(r, title, workspace), Detail: detail}
	view.Section, view.Deeper, view.Workspaces = sectionChurn, true, workspaces
	view.Start, view.Bars = waterfall(detail)
	d.render(w, http.StatusOK, "customer.html", view)
}

// connections lists those of one workspace, which are in its namespace.
func (d *Dashboard) connections(r *http.Request, workspace string) ([]connectionView, error) {
	namespace, name, _ := strings.Cut(workspace, "/")
	var list v1alpha1.StripeConnectionList
	if err := d.Kube.List(r.Context(), &list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var views []connectionView
	for i := range list.Items {
		if list.Items[i].Spec.WorkspaceRef.Name == name {
			views = append(views, viewOf(&list.Items[i]))
		}
	}
	return views, nil
}

// bar is one term of the waterfall, in hundredths of the drawing's width.
type bar struct {
	report.Term
	X, Width float64
	Up       bool
}

// evenOdds is where the scale is pinned: at 80 points a customer leaves as likely as not.
const evenOdds = 80.0

// waterfall places the terms one after another, from even odds on.
func waterfall(d report.Detail) (start float64, bars []bar) {
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
		bars = append(bars, bar{Term: t, X: min(from, to), Width: max(0.4, max(from, to)-min(from, to)), Up: t.Points >= 0})
	}
	return scale(evenOdds), bars
}

func customerPath(customer, workspace string) string {
	return "/dashboard/churn/customers/" + url.PathEscape(customer) + "?" + url.Values{"workspace": {workspace}}.Encode()
}

// tierClass is the look of a tier.
func tierClass(tier string) string { return strings.ToLower(tier) }
