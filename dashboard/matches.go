package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// Matching is where matches are decided on and profiles are kept; *store.Store is one.
type Matching interface {
	MatchReview
	ProfileStore
}

// MatchReview fails with store.ErrNotFound, store.ErrNoProfile, store.ErrOtherCandidate and store.ErrCursor.
type MatchReview interface {
	Matches(ctx context.Context, workspace string, q store.MatchQuery) (store.MatchPage, error)
	CurrentMatch(ctx context.Context, workspace string, mode store.Mode, customer string) (store.CustomerMatch, error)
	DecideMatch(ctx context.Context, workspace string, r store.Ruling) (from, to store.CustomerMatch, err error)
	AskRematch(ctx context.Context, workspace string) error
}

// maxBody bounds a request of a few fields, in bytes.
const maxBody = 4 << 10

// withdraw takes a decision back.
const withdraw = "withdraw"

var matchStates = []string{string(matching.Review), string(matching.Matched), string(matching.Unmatched)}

func (d *Dashboard) apiMatches(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	values := r.URL.Query()
	q := store.MatchQuery{After: values.Get("after"), State: matching.State(values.Get("state"))}
	var err error
	if q.Mode, err = modeOf(values); err == nil {
		q.Limit, err = limitOf(values)
	}
	if err == nil && q.State != "" && !slices.Contains(matchStates, string(q.State)) {
		err = badParameter{"state", "one of " + strings.Join(matchStates, ", ")}
	}
	if d.refused(w, err) {
		return
	}
	page, err := d.Matching.Matches(r.Context(), workspace, q)
	if refusedCursor(w, err, ofSameQuery) {
		return
	}
	if err != nil {
		d.apiFailure(w, "read matches", err)
		return
	}
	answer(w, d.matchesOf(workspace, page))
}

func (d *Dashboard) matchesOf(workspace string, page store.MatchPage) report.Matches {
	out := report.Matches{Workspace: workspace, AsOf: d.Clock.Now(), Livemode: page.Livemode, Review: page.Review, Next: page.Next, Matches: []report.Match{}}
	for _, row := range page.Rows {
		out.Matches = append(out.Matches, matchOf(row))
	}
	return out
}

func matchOf(row store.MatchRow) report.Match {
	m := report.Match{
		Customer: row.Customer, Account: row.Account, Name: row.Name, Email: row.Email, State: string(row.State), Profile: row.ProfileID,
		ProfileEmail: row.ProfileEmail, ProfileDomain: row.ProfileDomain, Confidence: row.Confidence, Evidence: string(row.Evidence),
	}
	if row.Decided != nil {
		m.Decision = &report.MatchDecision{
			Decision: string(row.Decided.Verdict), Profile: row.Decided.ProfileID, By: row.Decided.By, At: row.Decided.At,
		}
	}
	return m
}

// refused answers a query parameter that cannot be what it is.
func (d *Dashboard) refused(w http.ResponseWriter, err error) bool {
	var bad badParameter
	if errors.As(err, &bad) {
		refuse(w, http.StatusBadRequest, "bad_"+bad.name, bad.Error())
	}
	return err != nil
}

// apiDecide enters a person's decision on one customer's match.
func (d *Dashboard) apiDecide(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	var asked report.Decide
	if !readBody(w, r, &asked, `the body must be like {"decision":"approve"} or {"decision":"reassign","profile":"p-1"}`) {
		return
	}
	ruling := store.Ruling{
		Customer: r.PathValue("customer"), Verdict: matching.Verdict(asked.Decision), ProfileID: asked.Profile, By: callerOf(r).user.Name,
	}
	var err error
	if ruling.Mode, err = modeOf(r.URL.Query()); d.refused(w, err) {
		return
	}
	switch ruling.Verdict {
	case matching.Approve, matching.Reject, matching.Reassign:
	case withdraw:
		ruling.Verdict = ""
	default:
		refuse(w, http.StatusBadRequest, "bad_decision", "decision must be approve, reject, reassign or withdraw")
		return
	}
	if ruling.Verdict == matching.Reassign && ruling.ProfileID == "" {
		refuse(w, http.StatusBadRequest, "bad_profile", "profile must name the profile that the customer is")
		return
	}
	from, to, err := d.decideMatch(r, workspace, asked.Decision, ruling)
	switch {
	case errors.Is(err, store.ErrNotFound):
		refuse(w, http.StatusNotFound, "match_not_found", "nothing has been matched of such a customer in "+workspace)
	case errors.Is(err, store.ErrNoProfile):
		refuse(w, http.StatusConflict, "profile_not_found", workspace+" has no such profile: import it first")
	case errors.Is(err, store.ErrOtherCandidate):
		refuse(w, http.StatusConflict, "other_candidate", "the customer's candidate is another one by now, or there is none: look at the match again, or reassign it")
	case err != nil:
		d.apiFailure(w, "decide on the match", err)
	default:
		answer(w, report.Decided{Customer: ruling.Customer, From: stateOf(from), To: stateOf(to)})
	}
}

// decideMatch enters the decision in the audit log, with the match that it is on and the profile that it leads to.
func (d *Dashboard) decideMatch(r *http.Request, workspace, decision string, ruling store.Ruling) (from, to store.CustomerMatch, err error) {
	now, err := d.Matching.CurrentMatch(r.Context(), workspace, ruling.Mode, ruling.Customer)
	if err != nil {
		return now, now, err
	}
	chosen := ""
	switch ruling.Verdict {
	case matching.Approve:
		ruling.ProfileID = cmp.Or(ruling.ProfileID, now.ProfileID) // what is entered is what is decided on
		chosen = ruling.ProfileID
	case matching.Reject:
		ruling.ProfileID = cmp.Or(ruling.ProfileID, now.ProfileID)
	case matching.Reassign:
		chosen = ruling.ProfileID
	}
	entry := action{
		workspace: workspace, verb: "match." + decision, object: "workspace/" + r.PathValue("name"),
		subjects: ruling.Customer + " " + cmp.Or(now.ProfileID, "-") + " > " + cmp.Or(chosen, "-"), detail: "from " + string(now.State),
	}
	err = d.audited(r, entry, func() (err error) {
		from, to, err = d.Matching.DecideMatch(r.Context(), workspace, ruling)
		return err
	})
	return from, to, err
}

func stateOf(m store.CustomerMatch) report.MatchState {
	return report.MatchState{State: string(m.State), Profile: m.ProfileID, Confidence: m.Confidence, Evidence: string(m.Evidence)}
}

// apiRematch has all customers of the workspace matched anew.
func (d *Dashboard) apiRematch(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	if err := d.rematch(r, workspace); err != nil {
		d.apiFailure(w, "ask for a rematch", err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (d *Dashboard) rematch(r *http.Request, workspace string) error {
	return d.audited(r, action{workspace: workspace, verb: "rematch", object: "workspace/" + r.PathValue("name")}, func() error {
		return d.Matching.AskRematch(r.Context(), workspace)
	})
}

// readBody reads a small JSON document of known fields, or answers with what it must be like.
func readBody(w http.ResponseWriter, r *http.Request, into any, like string) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, "bad_body", like)
		return false
	}
	return true
}
