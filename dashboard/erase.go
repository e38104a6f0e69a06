package dashboard

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/report"
)

const (
	// erasurePrefix tells what the dashboard asked for from the operator's requests, which are named by connections.
	erasurePrefix = "erase-"
	// erasuresKept is how long the report of an erasure can be asked for.
	erasuresKept = 90 * 24 * time.Hour
)

// apiErase has the engine erase an account or the workspace.
func (d *Dashboard) apiErase(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	var asked report.Erase
	if !readBody(w, r, &asked, `the body must be like {"confirm":"NAME"} or {"confirm":"NAME","account":"acct_1","livemode":true}`) {
		return
	}
	switch {
	case asked.Confirm != r.PathValue("name"):
		refuse(w, http.StatusBadRequest, "bad_confirm", "nothing is erased before confirm repeats the Workspace's name")
		return
	case asked.Account != "" && !strings.HasPrefix(asked.Account, "acct_"):
		refuse(w, http.StatusBadRequest, "bad_account", "account must be an id of Stripe, acct_…; leave it out for the whole Workspace")
		return
	}
	id, wanted, err := d.askErasure(r, workspace, asked)
	if errors.Is(err, errBusAway) {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "unavailable", "the bus does not take it now: ask again in a moment")
		return
	}
	if err != nil {
		d.apiFailure(w, "ask for the erasure", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(erasureOf(id, wanted)) // the client has gone
}

// askErasure has the engine erase, and returns the erasure's id. It fails with errBusAway.
func (d *Dashboard) askErasure(r *http.Request, workspace string, asked report.Erase) (id string, wanted bus.Erasure, err error) {
	wanted = bus.Erasure{
		Workspace: workspace, Account: asked.Account, Livemode: asked.Account != "" && asked.Livemode, RequestedAt: d.Clock.Now().Unix(),
	}
	id = erasurePrefix + strings.ToLower(rand.Text())
	entry := action{workspace: workspace, verb: "erase", object: "workspace/" + r.PathValue("name"), subjects: asked.Account, detail: id}
	err = d.audited(r, entry, func() error {
		d.forgetErasures(r.Context())
		if _, err := d.Bus.Erasures().Create(r.Context(), id, wanted); err != nil {
			d.Logger.Warn("dashboard: an erasure cannot be asked for", "workspace", workspace, "error", err)
			return errBusAway
		}
		return nil
	})
	return id, wanted, err
}

// erasures are those that were asked for here, the newest first.
func (d *Dashboard) erasures(ctx context.Context, workspace string) (found []report.Erasure, err error) {
	all, err := d.Bus.Erasures().All(ctx)
	for id, e := range all {
		if strings.HasPrefix(id, erasurePrefix) && e.Workspace == workspace {
			found = append(found, erasureOf(id, e))
		}
	}
	slices.SortFunc(found, func(a, b report.Erasure) int {
		return cmp.Or(b.RequestedAt.Compare(a.RequestedAt), strings.Compare(a.ID, b.ID))
	})
	return found, err
}

// forgetErasures removes the reports of what was erased long ago.
func (d *Dashboard) forgetErasures(ctx context.Context) {
	all, err := d.Bus.Erasures().All(ctx)
	if err != nil {
		return // the next request does it
	}
	before := d.Clock.Now().Add(-erasuresKept).Unix()
	for id, e := range all {
		if strings.HasPrefix(id, erasurePrefix) && e.DoneAt > 0 && e.DoneAt < before {
			_ = d.Bus.Erasures().Delete(ctx, id)
		}
	}
}

func (d *Dashboard) apiErasure(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	id := r.PathValue("erasure")
	found, err := bus.Erasure{}, bus.ErrNotFound
	if id == erasurePrefix+strings.Trim(strings.TrimPrefix(id, erasurePrefix), "./*> ") {
		found, _, err = d.Bus.Erasures().Get(r.Context(), id)
	}
	switch {
	case errors.Is(err, bus.ErrNotFound) || (err == nil && found.Workspace != workspace):
		refuse(w, http.StatusNotFound, "erasure_not_found", "there is no such erasure in "+workspace)
	case err != nil:
		d.apiFailure(w, "read the erasure", err)
	default:
		answer(w, erasureOf(id, found))
	}
}

func erasureOf(id string, e bus.Erasure) report.Erasure {
	out := report.Erasure{
		Workspace: e.Workspace, ID: id, Account: e.Account, Livemode: e.Livemode, RequestedAt: time.Unix(e.RequestedAt, 0).UTC(),
		Customers: e.Customers, Signals: e.Signals, Scores: e.Scores, Identities: e.Identities, Keys: e.Keys,
	}
	if e.DoneAt > 0 {
		out.DoneAt = time.Unix(e.DoneAt, 0).UTC()
	}
	return out
}
