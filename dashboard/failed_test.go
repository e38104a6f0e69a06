package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/report"
)

// post sends JSON as a program does, or as a browser does for a page of the given site.
func (d *desk) post(target, body, site string) *http.Response {
	d.t.Helper()
	req := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080"+target, strings.NewReader(body))
	req.RemoteAddr = "127.0.0.1:5000"
	if site != "" {
		req.Header.Set("Sec-Fetch-Site", site)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req)
	return w.Result()
}

func TestFailedEventsAreListed(t *testing.T) {
	d := open(t)
	var failed report.Failed
	if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/ns/acme/failed", nil))), &failed); err != nil {
		t.Fatal(err)
	}
	if failed.Workspace != "ns/acme" || len(failed.Events) != 1 || failed.Events[0].Event != "evt_1" || failed.Events[0].Attempts != 6 {
		t.Errorf("%+v", failed)
	}
	if next := text(t, d.do("GET", "/api/v1/workspaces/ns/acme/failed?after="+failed.Next, nil)); failed.Next == "" || !strings.Contains(next, `"in_1:paid"`) {
		t.Errorf("the page after %q: %s", failed.Next, next)
	}
	if resp := d.do("GET", "/api/v1/workspaces/ns/acme/failed?after=bad", nil); resp.StatusCode != http.StatusBadRequest || !strings.Contains(text(t, resp), "bad_cursor") {
		t.Errorf("a place that is none: %d", resp.StatusCode)
	}
	if other := text(t, d.do("GET", "/api/v1/workspaces/ns/other/failed", nil)); !strings.Contains(other, `"events":[]`) {
		t.Errorf("another workspace's: %s", other)
	}
}

func TestARedriveIsAWorkersTask(t *testing.T) {
	d := open(t)
	resp := d.post("/api/v1/workspaces/ns/acme/failed/redrive", `{"all":true}`, "")
	var done report.Redriven
	if err := json.Unmarshal([]byte(text(t, resp)), &done); err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp.StatusCode, err)
	}
	if !slices.Equal(done.Asked, []string{"evt_1"}) || len(done.Listed) != 0 || len(done.Unknown) != 0 || done.Next == "" {
		t.Errorf("%+v", done)
	}
	rest := text(t, d.post("/api/v1/workspaces/ns/acme/failed/redrive", `{"all":true,"after":"`+done.Next+`"}`, ""))
	if !strings.Contains(rest, `{"asked":[],"listed":["in_1:paid"]}`) {
		t.Errorf("the rest: %s", rest)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var task bus.Task
	_ = d.bus.ConsumeTasks(ctx, bus.TaskSlots{LookUps: 1, Backfills: 1}, func(_ context.Context, delivery bus.TaskDelivery) {
		task = delivery.Task
		_ = delivery.Ack()
		cancel()
	})
	want := bus.RedriveTask{
		Workspace: "ns/acme", Connection: "uid-1", Account: "acct_1", Livemode: true, EventID: "evt_1", EventType: "invoice.payment_failed",
		RequestedAtMs: now.UnixMilli(),
	}
	if task.Kind != bus.TaskRedrive || task.Redrive == nil || *task.Redrive != want {
		t.Errorf("task %+v", task.Redrive)
	}
}

func TestWhatIsNotRedriven(t *testing.T) {
	d := open(t)
	for name, tc := range map[string]struct {
		target, body, site string
		status             int
		want               string
	}{
		"another workspace's event":   {"ns/other", `{"events":["evt_1"]}`, "", 202, `{"asked":[],"unknown":["evt_1"]}`},
		"an event that is not listed": {"ns/acme", `{"events":["evt_2"]}`, "", 202, `{"asked":[],"unknown":["evt_2"]}`},
		"nothing named":               {"ns/acme", `{}`, "", 400, `"bad_events"`},
		"both":                        {"ns/acme", `{"all":true,"events":["evt_1"]}`, "", 400, `"bad_events"`},
		"a page of those named":       {"ns/acme", `{"events":["evt_1"],"after":"evt_1"}`, "", 400, `"bad_events"`},
		"a place that is none":        {"ns/acme", `{"all":true,"after":"bad"}`, "", 400, `"bad_cursor"`},
		"too many":                    {"ns/acme", `{"events":["evt_1"` + strings.Repeat(`,"evt_1"`, maxRedrive) + `]}`, "", 400, `"bad_events"`},
		"no JSON":                     {"ns/acme", `all`, "", 400, `"bad_body"`},
		"another region's workspace":  {"ns/american", `{"all":true}`, "", 404, `"workspace_not_found"`},
		"a page of another site":      {"ns/acme", `{"all":true}`, "cross-site", 403, ``},
	} {
		resp := d.post("/api/v1/workspaces/"+tc.target+"/failed/redrive", tc.body, tc.site)
		if body := text(t, resp); resp.StatusCode != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := d.bus.PublishTask(ctx, "last", bus.Task{Kind: bus.TaskBackfill}); err != nil {
		t.Fatal(err)
	}
	_ = d.bus.ConsumeTasks(ctx, bus.TaskSlots{LookUps: 1, Backfills: 1}, func(_ context.Context, delivery bus.TaskDelivery) {
		if delivery.Task.Kind != bus.TaskBackfill {
			t.Errorf("a task was published: %+v", delivery.Task)
		}
		_ = delivery.Ack()
		cancel()
	})
}
