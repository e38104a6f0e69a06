package dashboard

import (
	"context"
	"net/http"
	"strconv"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// AuditLog is where actions are entered; *store.Store is one. Audit fails with store.ErrCursor.
type AuditLog interface {
	BeginAudit(ctx context.Context, e store.AuditEntry) (id int64, err error)
	EndAudit(ctx context.Context, id int64, outcome store.AuditOutcome) error
	Audit(ctx context.Context, workspace, after string, limit int) (entries []store.AuditEntry, next string, err error)
}

// action is what somebody does, for the audit log: see store.AuditEntry for its fields.
type action struct {
	workspace, verb, object, subjects, detail string
}

// audited does something after it was entered in the audit log, and enters how it ended. What cannot be entered is not
// done.
func (d *Dashboard) audited(r *http.Request, a action, do func() error) error {
	id, err := d.Audit.BeginAudit(r.Context(), store.AuditEntry{
		Workspace: a.workspace, Actor: callerOf(r).user.Name, Action: a.verb, Object: a.object, Subjects: a.subjects, Detail: a.detail,
	})
	if err != nil {
		return err
	}
	err = do()
	outcome := store.AuditDone
	if err != nil {
		outcome = store.AuditFailed
	}
	// Somebody who leaves in the middle has done it all the same.
	if ended := d.Audit.EndAudit(context.WithoutCancel(r.Context()), id, outcome); ended != nil {
		d.Logger.Error("dashboard: an action ended, and the audit log does not say how", "entry", id, "error", ended)
	}
	return err
}

func (d *Dashboard) apiAudit(w http.ResponseWriter, r *http.Request) {
	workspace, ok := d.workspaceOf(w, r)
	if !ok {
		return
	}
	limit := pageSize
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			refuse(w, http.StatusBadRequest, "bad_limit", "limit must be between 1 and "+strconv.Itoa(maxLimit))
			return
		}
		limit = n
	}
	out, err := d.audit(r.Context(), workspace, r.URL.Query().Get("after"), limit)
	if refusedCursor(w, err, ofThisList) {
		return
	}
	if err != nil {
		d.apiFailure(w, "read the audit log", err)
		return
	}
	answer(w, out)
}

func (d *Dashboard) audit(ctx context.Context, workspace, after string, limit int) (report.Audit, error) {
	out := report.Audit{Workspace: workspace, AsOf: d.Clock.Now(), Actions: []report.Action{}}
	entries, next, err := d.Audit.Audit(ctx, workspace, after, limit)
	out.Next = next
	for _, e := range entries {
		out.Actions = append(out.Actions, report.Action{
			At: e.At, User: e.Actor, Action: e.Action, Object: e.Object, Subjects: e.Subjects, Detail: e.Detail, Outcome: string(e.Outcome),
		})
	}
	return out, err
}
