package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// pageSize of the churn page.
const pageSize = 50

type churnView struct {
	layout
	Workspaces  []string
	Counts      store.Counts
	Page        report.AtRisk
	Tier        string
	First       bool
	Connections []v1alpha1.StripeConnection
}

// churn shows who is about to leave.
func (d *Dashboard) churn(w http.ResponseWriter, r *http.Request) {
	workspaces, err := d.workspaces(r)
	if err != nil {
		d.failure(w, r, "list workspaces", err)
		return
	}
	query := r.URL.Query()
	workspace := query.Get("workspace")
	switch {
	case len(workspaces) == 0:
		d.problem(w, r, http.StatusOK, "There is no Workspace in region "+d.Region+" yet",
			"Apply a Workspace and a StripeConnection, as in config/samples.")
		return
	case workspace == "":
		workspace = workspaces[0]
	case !slices.Contains(workspaces, workspace):
		d.problem(w, r, http.StatusNotFound, "There is no such workspace here", "Choose one from the list of customers at risk.")
		return
	}
	view := churnView{layout: d.layout("Customers at risk", workspace), Workspaces: workspaces, Tier: query.Get("tier"), First: query.Get("after") == ""}
	view.Page, err = d.atRisk(r, workspace, store.AtRiskQuery{Limit: pageSize, After: query.Get("after"), Tier: view.Tier})
	if errors.Is(err, store.ErrCursor) {
		http.Redirect(w, r, "/dashboard/churn?"+url.Values{"workspace": {workspace}}.Encode(), http.StatusSeeOther)
		return
	}
	if err == nil {
		view.Counts, err = d.Store.Counts(r.Context(), workspace)
	}
	if err == nil && view.Counts.Customers == 0 {
		view.Connections, err = d.connections(r, workspace)
	}
	if err != nil {
		d.failure(w, r, "read scores", err)
		return
	}
	if view.First {
		view.Refresh = 5
	}
	d.render(w, http.StatusOK, "churn.html", view)
}

type customerView struct {
	layout
	Detail report.Detail
	Bars   []bar
}

// customer explains one score.
func (d *Dashboard) customer(w http.ResponseWriter, r *http.Request) {
	workspace := r.URL.Query().Get("workspace")
	workspaces, err := d.workspaces(r)
	if err != nil {
		d.failure(w, r, "list workspaces", err)
		return
	}
	if workspace == "" && len(workspaces) > 0 {
		workspace = workspaces[0]
	}
	if !slices.Contains(workspaces, workspace) {
		d.problem(w, r, http.StatusNotFound, "There is no such workspace here", "Choose a customer from the list.")
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
	d.render(w, http.StatusOK, "customer.html", customerView{layout: d.layout(title, workspace), Detail: detail, Bars: waterfall(detail)})
}

// workspaces lists "namespace/name" of this region's, in order.
func (d *Dashboard) workspaces(r *http.Request) ([]string, error) {
	var list v1alpha1.WorkspaceList
	if err := d.Kube.List(r.Context(), &list); err != nil {
		return nil, err
	}
	var names []string
	for _, w := range list.Items {
		if string(w.Spec.Region) == d.Region {
			names = append(names, w.Namespace+"/"+w.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (d *Dashboard) connections(r *http.Request, workspace string) ([]v1alpha1.StripeConnection, error) {
	var list v1alpha1.StripeConnectionList
	if err := d.Kube.List(r.Context(), &list); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(c v1alpha1.StripeConnection) bool {
		return c.Namespace+"/"+c.Spec.WorkspaceRef.Name != workspace
	}), nil
}

// bar is one term of the waterfall, in hundredths of the drawing's width.
type bar struct {
	report.Term
	X, Width float64
	Up       bool
}

// waterfall places the terms one after another from the scale's even odds.
func waterfall(d report.Detail) []bar {
	low, high, at := 0.0, 100.0, 80.0
	for _, t := range d.Terms {
		at += t.Points
		low, high = min(low, at), max(high, at)
	}
	scale := func(points float64) float64 { return 100 * (points - low) / (high - low) }
	bars := make([]bar, 0, len(d.Terms))
	at = 80.0
	for _, t := range d.Terms {
		from, to := scale(at), scale(at+t.Points)
		at += t.Points
		bars = append(bars, bar{Term: t, X: min(from, to), Width: max(0.4, max(from, to)-min(from, to)), Up: t.Points >= 0})
	}
	return bars
}

func customerPath(customer, workspace string) string {
	return "/dashboard/churn/customers/" + url.PathEscape(customer) + "?" + url.Values{"workspace": {workspace}}.Encode()
}

func tierClass(tier string) string { return "tier-" + strings.ToLower(tier) }
