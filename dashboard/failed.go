package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/report"
)

const (
	// maxRedrive is how many events one request may name.
	maxRedrive = 500
	// maxRedriveBody bounds such a request in bytes.
	maxRedriveBody = 64 << 10
)

func (d *Dashboard) apiFailed(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	out, err := d.failed(r, workspace, r.URL.Query().Get("after"))
	if refusedCursor(w, err, ofThisList) {
		return
	}
	if err != nil {
		d.apiFailure(w, "list failed events", err)
		return
	}
	answer(w, out)
}

func (d *Dashboard) failed(r *http.Request, workspace, after string) (report.Failed, error) {
	page, err := d.Store.Failed(r.Context(), workspace, store.FailedQuery{After: after})
	out := report.Failed{Workspace: workspace, AsOf: d.Clock.Now(), Events: []report.FailedEvent{}, Next: page.Next}
	for _, e := range page.Events {
		out.Events = append(out.Events, report.FailedEvent{
			Event: e.EventID, Type: e.EventType, Account: e.Account, Livemode: e.Livemode, Reason: e.Reason, Attempts: e.Attempts,
			Created: e.Created, FailedAt: e.FailedAt,
		})
	}
	return out, err
}

// apiRedrive has a worker fetch failed events from Stripe. They leave the list when they are scored.
func (d *Dashboard) apiRedrive(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	var asked report.Redrive
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRedriveBody)).Decode(&asked); err != nil {
		refuse(w, http.StatusBadRequest, "bad_body", `the body must be like {"events":["evt_1"]} or {"all":true}`)
		return
	}
	if (len(asked.Events) == 0) == !asked.All || len(asked.Events) > maxRedrive || asked.After != "" && !asked.All {
		refuse(w, http.StatusBadRequest, "bad_events", "name 1 to "+strconv.Itoa(maxRedrive)+" events, or ask for all")
		return
	}
	done, err := d.askRedrive(r, workspace, asked)
	if refusedCursor(w, err, ofThisList) {
		return
	}
	if errors.Is(err, errBusAway) {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "unavailable", "the bus does not take it now: ask again in a moment")
		return
	}
	if err != nil {
		d.apiFailure(w, "drive events again", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(done) // the client has gone
}

// errBusAway says that the bus took no task.
var errBusAway = errors.New("the bus does not take it now")

// askRedrive asks for those of the events that are listed, and says which are not; of all it asks for one page, and says
// where the next begins. It fails with errBusAway and store.ErrCursor.
func (d *Dashboard) askRedrive(r *http.Request, workspace string, asked report.Redrive) (done report.Redriven, err error) {
	page, err := d.Store.Failed(r.Context(), workspace, store.FailedQuery{Events: asked.Events, After: asked.After})
	if err != nil {
		return done, err
	}
	listed := page.Events
	_, name, _ := strings.Cut(workspace, "/")
	entry := action{workspace: workspace, verb: "redrive", object: "workspace/" + name, subjects: idsOf(listed)}
	err = d.audited(r, entry, func() (err error) {
		if done, err = d.redrive(r, workspace, listed); err != nil {
			d.Logger.Warn("dashboard: a re-drive cannot be asked for", "workspace", workspace, "error", err)
			return errBusAway
		}
		return nil
	})
	if asked.All {
		done.Next = page.Next
	}
	for _, event := range asked.Events {
		if !known(listed, event) {
			done.Unknown = append(done.Unknown, event)
		}
	}
	return done, err
}

// maxSubjects bounds what the audit log keeps of the ids of one action, in bytes.
const maxSubjects = 2000

// idsOf names events for the audit log; of many it names the first.
func idsOf(events []store.FailedEvent) string {
	var ids strings.Builder
	for i, e := range events {
		if ids.Len()+len(e.EventID) > maxSubjects {
			ids.WriteString(" and " + strconv.Itoa(len(events)-i) + " more")
			break
		}
		if i > 0 {
			ids.WriteByte(' ')
		}
		ids.WriteString(e.EventID)
	}
	return ids.String()
}

func known(listed []store.FailedEvent, event string) bool {
	for _, e := range listed {
		if e.EventID == event {
			return true
		}
	}
	return false
}

// fetchable says that the id is an event's. What was read from a list has an id of its own, which Stripe does not know.
func fetchable(id string) bool { return strings.HasPrefix(id, "evt_") }

// redrive publishes a task for each event. Asking twice is harmless: the engine knows an event again.
func (d *Dashboard) redrive(r *http.Request, workspace string, events []store.FailedEvent) (report.Redriven, error) {
	done, now := report.Redriven{Asked: []string{}}, d.Clock.Now().UnixMilli()
	for _, e := range events {
		if !fetchable(e.EventID) {
			done.Listed = append(done.Listed, e.EventID)
			continue
		}
		task := bus.RedriveTask{
			Workspace: workspace, Connection: e.Connection, Account: e.Account, Livemode: e.Livemode, EventID: e.EventID,
			EventType: e.EventType, RequestedAtMs: now,
		}
		id := workspace + "/" + e.EventID + "/" + strconv.FormatInt(now, 10)
		if err := d.Bus.PublishTask(r.Context(), id, bus.Task{Kind: bus.TaskRedrive, Redrive: &task}); err != nil {
			return done, err
		}
		done.Asked = append(done.Asked, e.EventID)
	}
	return done, nil
}
