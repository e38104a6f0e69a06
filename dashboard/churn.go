package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// pageSize of the churn page.
const pageSize = 50

// emptyRefresh is how often a page without customers looks whether there are some, in seconds.
const emptyRefresh = 5

// trendDays is how far the page's charts go back.
const trendDays = 90

// segmentView is the part of the page that changes by itself.
type segmentView struct {
	Chosen selection
	Counts store.Counts
	Page   report.AtRisk
	// Stake is the MRR of the whole segment, by currency.
	Stake []report.Amount
	// After is the cursor of this page; empty for the first.
	After string
	Now   time.Time
	// Alone says that the page is there already, and only what changes is sent.
	Alone bool
}

// Here is the address of this very page.
func (v segmentView) Here() string { return v.Chosen.Page(v.After) }

type churnView struct {
	layout
	Segment segmentView
	Tiers   []string
	// Intervals and Reasons are what the list can be filtered by, beside the tiers.
	Intervals, Reasons []choice
	Trend              trendView
	// Mark is the store's when the page was made; the page's stream goes on from it.
	Mark        string
	Connections []connectionView
}

// Changes is the address of the page's stream.
func (v churnView) Changes() string {
	return "/dashboard/churn/changes?" + url.Values{"workspace": {v.Workspace}, "since": {v.Mark}}.Encode()
}

// churn shows who is about to leave. htmx asks for the part that changes alone.
func (d *Dashboard) churn(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	view := churnView{layout: d.layout(r, "Customers at risk", workspace), Tiers: tiers, Intervals: intervalChoices, Reasons: reasonChoices}
	view.Section, view.Workspaces, view.Charts = sectionChurn, workspaces, true
	// The mark comes first: what changes while the page is made is then told by the stream.
	var err error
	if view.Mark, err = d.Store.Changes(r.Context(), workspace); err != nil {
		d.failure(w, r, "read scores", err)
		return
	}
	trend, err := d.Store.Trend(r.Context(), workspace, trendDays)
	if err == nil {
		view.Segment, err = d.segment(r, workspace, trend)
	}
	if errors.Is(err, store.ErrCursor) {
		http.Redirect(w, r, selectionOf(r, workspace).Page(""), http.StatusSeeOther)
		return
	}
	if err == nil && partOnly(r) && r.Header.Get("HX-Target") == "main" && view.Segment.Counts.Customers > 0 {
		w.Header().Set("HX-Refresh", "true") // the first customers have come, and with them a page of another kind
		return
	}
	if err == nil && partOnly(r) && r.Header.Get("HX-Target") == "segment" {
		w.Header().Set("HX-Push-Url", view.Segment.Here())
		if r.Header.Get("HX-Trigger") == "segment" {
			w.Header().Set("HX-Push-Url", "false") // it came by itself
		}
		view.Segment.Alone = true
		d.render(w, r, http.StatusOK, "segment", view.Segment)
		return
	}
	if err == nil {
		view.Trend = trendOf(trend)
		view.Connections, err = d.connections(r, workspace)
	}
	if err != nil {
		d.failure(w, r, "read scores", err)
		return
	}
	if view.Segment.Counts.Customers == 0 {
		view.Refresh = emptyRefresh
	}
	d.render(w, r, http.StatusOK, "churn.html", view)
}

// segment reads what the address asks for.
func (d *Dashboard) segment(r *http.Request, workspace string, trend store.Trend) (segmentView, error) {
	view := segmentView{Chosen: selectionOf(r, workspace), After: r.URL.Query().Get("after"), Now: d.Clock.Now()}
	var err error
	if view.Page, err = d.atRisk(r, workspace, view.Chosen.query(view.After, pageSize)); err != nil {
		return view, err
	}
	if len(trend.Days) > 0 {
		view.Stake = amounts(trend.Days[len(trend.Days)-1].MRR)
	}
	view.Counts, err = d.Store.Counts(r.Context(), workspace)
	return view, err
}

// partOnly says that htmx asks, for a part of the page that is there. To go back in history, browsers load pages anew.
func partOnly(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

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

func customerPath(customer, workspace string) string {
	return "/dashboard/churn/customers/" + url.PathEscape(customer) + "?" + url.Values{"workspace": {workspace}}.Encode()
}

// tierClass is the look of a tier.
func tierClass(tier string) string { return strings.ToLower(tier) }
