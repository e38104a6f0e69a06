package dashboard

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// journal is a small stand-in for the store's audit log, which has its own tests.
type journal struct {
	mu      sync.Mutex
	entries []store.AuditEntry
	broken  error
}

func (j *journal) BeginAudit(_ context.Context, e store.AuditEntry) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return 0, j.broken
	}
	e.ID, e.At, e.Outcome = int64(len(j.entries)+1), now, store.AuditBegun
	j.entries = append(j.entries, e)
	return e.ID, nil
}

func (j *journal) EndAudit(_ context.Context, id int64, outcome store.AuditOutcome) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries[id-1].Outcome = outcome
	return nil
}

func (j *journal) Audit(_ context.Context, workspace, after string, limit int) (out []store.AuditEntry, _ string, _ error) {
	if after == "bad" {
		return nil, "", store.ErrCursor
	}
	for _, e := range slices.Backward(j.entries) {
		if e.Workspace == workspace && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, "", nil
}

func TestWhoDidWhatIsEntered(t *testing.T) {
	d := open(t)
	d.post("/api/v1/workspaces/ns/acme/failed/redrive", `{"all":true}`, "")
	var page report.Audit
	if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/ns/acme/audit", nil))), &page); err != nil {
		t.Fatal(err)
	}
	want := report.Action{At: now, User: "developer", Action: "redrive", Object: "workspace/acme", Subjects: "evt_1", Outcome: "done"}
	if len(page.Actions) != 1 || page.Actions[0] != want {
		t.Errorf("%+v", page)
	}
}

func (s shelf) Inventory(context.Context, string) ([]store.Holding, error) {
	return []store.Holding{{Kind: "customers", Count: 2}, {Kind: "events", Count: 10_000, Least: true}}, nil
}
