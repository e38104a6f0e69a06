package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// auditKept is how long an entry of the audit log stays: a year, and some weeks to look at it.
const auditKept = 400 * 24 * time.Hour

// AuditOutcome is how an action ended.
type AuditOutcome string

// The outcomes. An entry stays at begun when the process ended in the middle of its action.
const (
	AuditBegun  AuditOutcome = "begun"
	AuditDone   AuditOutcome = "done"
	AuditFailed AuditOutcome = "failed"
)

// AuditEntry is one action of somebody in one workspace.
type AuditEntry struct {
	ID int64
	// Workspace is "namespace/name".
	Workspace string
	At        time.Time
	// Actor is the user's name as Kubernetes knows it. It is sealed on disk.
	Actor string
	// Action is a verb of the dashboard, such as "rotate-secret".
	Action string
	// Object is a resource of Kubernetes as kind/name, such as "stripeconnection/stripe-live".
	Object string
	// Subjects are ids at Stripe and of profiles. An erasure of the workspace empties them.
	Subjects string
	// Detail is what else was chosen, such as a window; never what identifies a person.
	Detail  string
	Outcome AuditOutcome
}

// BeginAudit enters an action before it is done and returns the entry's id. It drops entries that are older than 400 days.
func (s *Store) BeginAudit(ctx context.Context, e AuditEntry) (id int64, err error) {
	sealed, err := s.keys.root.Seal([]byte(e.Actor), auditContext(e.Workspace))
	if err != nil {
		return 0, fmt.Errorf("seal the name of an actor: %w", err)
	}
	err = s.Update(ctx, func(tx *Tx) error {
		now := s.clock.Now()
		if _, err := tx.exec(ctx, `DELETE FROM audit WHERE at < ?`, now.Add(-auditKept).UnixMilli()); err != nil {
			return err
		}
		return tx.querier().row(ctx, `INSERT INTO audit (workspace, at, actor, action, object, subject, detail, outcome)
			VALUES (?,?,?,?,?,?,?,?) RETURNING id`,
			e.Workspace, now.UnixMilli(), sealed, e.Action, e.Object, e.Subjects, e.Detail, AuditBegun).Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("enter an action in the audit log: %w", s.dialect.clean(err))
	}
	return id, nil
}

// EndAudit says how an action ended.
func (s *Store) EndAudit(ctx context.Context, id int64, outcome AuditOutcome) error {
	err := s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE audit SET outcome = ? WHERE id = ?`, string(outcome), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("end an action in the audit log: %w", err)
	}
	return nil
}

// Audit lists a workspace's actions, the newest first, 500 at most. After is the next of the list before, or empty; it
// fails with ErrCursor when it is neither.
func (s *Store) Audit(ctx context.Context, workspace, after string, limit int) (entries []AuditEntry, next string, err error) {
	where, args := ` WHERE workspace = ?`, []any{workspace}
	if after != "" {
		id, err := strconv.ParseInt(after, 10, 64)
		if err != nil || id < 1 {
			return nil, "", ErrCursor
		}
		where, args = where+` AND id < ?`, append(args, id)
	}
	limit = max(1, min(limit, maxPage))
	err = s.view(ctx, func(db querier) error {
		return db.rows(ctx, `SELECT id, at, actor, action, object, subject, detail, outcome FROM audit`+where+` ORDER BY id DESC LIMIT ?`,
			append(slices.Clone(args), limit+1), func(rows *sql.Rows) error {
				e := AuditEntry{Workspace: workspace}
				var at int64
				var actor []byte
				if err := rows.Scan(&e.ID, &at, &actor, &e.Action, &e.Object, &e.Subjects, &e.Detail, &e.Outcome); err != nil {
					return err
				}
				e.At, e.Actor = time.UnixMilli(at).UTC(), s.actor(workspace, actor)
				entries = append(entries, e)
				return nil
			})
	})
	if err != nil {
		return nil, "", fmt.Errorf("read the audit log: %w", err)
	}
	if len(entries) > limit {
		entries = entries[:limit]
		next = strconv.FormatInt(entries[limit-1].ID, 10)
	}
	return entries, next, nil
}

// actor is empty when the key that sealed it is lost: what was done is then still told.
func (s *Store) actor(workspace string, sealed []byte) string {
	name, err := s.keys.root.Unseal(sealed, auditContext(workspace))
	if err != nil {
		return ""
	}
	return string(name)
}

// forgetSubjects takes out of the audit log what an erasure removes everywhere else.
func (t *Tx) forgetSubjects(ctx context.Context, workspace string) error {
	if _, err := t.exec(ctx, `UPDATE audit SET subject = '' WHERE workspace = ? AND subject <> ''`, workspace); err != nil {
		return fmt.Errorf("take ids out of the audit log: %w", err)
	}
	return nil
}

func auditContext(workspace string) string { return "audit/" + workspace }
