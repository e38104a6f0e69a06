package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/report"
)

const matchesPath = "/dashboard/integrations/matches"

// matchFilters are the states to choose from, and the words for them.
var matchFilters = []struct{ State, Words string }{
	{string(matching.Review), "To review"}, {string(matching.Matched), "Matched"}, {string(matching.Unmatched), "Without a profile"}, {"all", "All"},
}

// evidenceWords say by what a customer was matched.
var evidenceWords = map[string]string{
	"decision": "somebody decided it", "metadata": "kustiq_profile_id in the customer's metadata", "email": "the same e-mail address",
	"domain": "the same domain", "email_shared": "an e-mail address that several profiles share",
}

func wordsOfEvidence(evidence string) string {
	if words, ok := evidenceWords[evidence]; ok {
		return words
	}
	return evidence
}

type matchesView struct {
	layout
	Page     report.Matches
	Filters  any
	State    string
	Operates bool
	Done     string
	Profiles int64
	// Actions is where the forms lead, without the customer.
	Actions string
	// After is the cursor of this page.
	After string
}

// To links to a page of the table.
func (v matchesView) To(state, after string) string {
	query := url.Values{"workspace": {v.Workspace}, "state": {state}}
	if after != "" {
		query.Set("after", after)
	}
	return matchesPath + "?" + query.Encode()
}

// matchDone are the words for what was just decided.
var matchDone = map[string]string{
	"approve": "Approved: the customer is this profile, whatever a later match says.", "reject": "Rejected: the customer is not this profile.",
	"reassign": "Reassigned: the customer is the profile that you named.", "withdraw": "Taken back: the match stands on its evidence again.",
	"rematch": "All customers are being matched anew.",
}

// matches is the table in which matches are decided on.
func (d *Dashboard) matches(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	namespace, name, _ := strings.Cut(workspace, "/")
	view := matchesView{
		layout: d.layout(r, "Matches", workspace), Filters: matchFilters, State: r.URL.Query().Get("state"), Done: matchDone[r.URL.Query().Get("done")],
		Actions: "/dashboard/workspaces/" + workspace + "/", After: r.URL.Query().Get("after"),
	}
	view.Section, view.Deeper, view.Workspaces = sectionIntegrations, true, workspaces
	q := store.MatchQuery{Limit: pageSize, After: view.After}
	switch {
	case view.State == "":
		view.State, q.State = string(matching.Review), matching.Review
	case slices.Contains(matchStates, view.State):
		q.State = matching.State(view.State)
	default:
		view.State = "all"
	}
	page, err := d.Matching.Matches(r.Context(), workspace, q)
	if errors.Is(err, store.ErrCursor) {
		http.Redirect(w, r, view.To(view.State, ""), http.StatusSeeOther)
		return
	}
	if err == nil {
		view.Page = d.matchesOf(workspace, page)
		view.Operates, err = d.allowed(r, access.Operate, namespace, name)
	}
	if err == nil {
		var profiles store.ProfilePage
		profiles, err = d.Matching.Profiles(r.Context(), workspace, "", 1)
		view.Profiles = profiles.Total
	}
	if err != nil {
		d.failure(w, r, "read matches", err)
		return
	}
	d.render(w, r, http.StatusOK, "matches.html", view)
}

// decideForm enters what a button of the table decides.
func (d *Dashboard) decideForm(w http.ResponseWriter, r *http.Request) {
	workspace := r.PathValue("namespace") + "/" + r.PathValue("name")
	decision := r.PostForm.Get("decision")
	ruling := store.Ruling{
		Customer: r.PathValue("customer"), Verdict: matching.Verdict(decision), ProfileID: strings.TrimSpace(r.PostForm.Get("profile")), By: callerOf(r).user.Name,
	}
	switch {
	case decision == withdraw:
		ruling.Verdict = ""
	case ruling.Verdict == matching.Reassign && ruling.ProfileID == "":
		d.problem(w, r, http.StatusBadRequest, "Name the profile that the customer is", "Nothing was decided. Go back and type its id.")
		return
	case ruling.Verdict != matching.Approve && ruling.Verdict != matching.Reject && ruling.Verdict != matching.Reassign:
		d.problem(w, r, http.StatusBadRequest, "There is no such decision", "Nothing was decided. Go back and use a button of the table.")
		return
	}
	_, _, err := d.decideMatch(r, workspace, decision, ruling)
	switch {
	case errors.Is(err, store.ErrNotFound):
		d.problem(w, r, http.StatusNotFound, "Nothing is matched of this customer any more", "It may have been erased meanwhile. Open the table again.")
	case errors.Is(err, store.ErrNoProfile):
		d.problem(w, r, http.StatusConflict, "There is no such profile", "Nothing was decided. Import the profile under Settings → Data first, or go back and correct its id.")
	case errors.Is(err, store.ErrOtherCandidate):
		d.problem(w, r, http.StatusConflict, "The candidate is another one by now", "Nothing was decided. Open the table again and look at the match.")
	case err != nil:
		d.failure(w, r, "decide on a match", err)
	default:
		back := url.Values{"workspace": {workspace}, "state": {r.PostForm.Get("state")}, "after": {r.PostForm.Get("after")}, "done": {decision}}
		http.Redirect(w, r, matchesPath+"?"+back.Encode(), http.StatusSeeOther)
	}
}

// rematchForm has all customers of the workspace matched anew.
func (d *Dashboard) rematchForm(w http.ResponseWriter, r *http.Request) {
	workspace := r.PathValue("namespace") + "/" + r.PathValue("name")
	if err := d.rematch(r, workspace); err != nil {
		d.failure(w, r, "ask for a rematch", err)
		return
	}
	http.Redirect(w, r, matchesPath+"?"+url.Values{"workspace": {workspace}, "done": {"rematch"}}.Encode(), http.StatusSeeOther)
}
