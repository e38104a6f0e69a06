package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ledgerKept is how long an event id is remembered. Stripe lists events for 30 days and sends one again for three.
const ledgerKept = 35 * 24 * time.Hour

// pruneRows bounds one pruning transaction.
const pruneRows = 5000

// EventRef names one Stripe event of a scope.
type EventRef struct {
	Scope
	EventID string
	// Account whose event it is; it tells no two events apart.
	Account string
}

func compareEvents(a, b EventRef) int {
	return cmp.Or(compareScopes(a.Scope, b.Scope), strings.Compare(a.EventID, b.EventID))
}

// uniqueEvents sorts and keeps one of each event.
func uniqueEvents(in []EventRef) []EventRef {
	out := slices.Clone(in)
	slices.SortFunc(out, compareEvents)
	return slices.CompactFunc(out, func(a, b EventRef) bool { return compareEvents(a, b) == 0 })
}

// RecordEvents enters events in the ledger and returns those that were not in it.
func (t *Tx) RecordEvents(ctx context.Context, refs []EventRef, at time.Time) (fresh map[EventRef]bool, err error) {
	refs = uniqueEvents(refs)
	fresh = make(map[EventRef]bool, len(refs))
	err = t.queryMany(ctx, statement{
		head:  `INSERT INTO events (workspace, livemode, event_id, at, account) VALUES `,
		tuple: `(?,?,?,?,?)`,
		tail:  ` ON CONFLICT (workspace, livemode, event_id) DO NOTHING RETURNING workspace, livemode, event_id, account`,
	}, len(refs), func(i int) []any {
		return []any{refs[i].Workspace, bit(refs[i].Livemode), refs[i].EventID, at.UnixMilli(), refs[i].Account}
	}, func(rows *sql.Rows) error {
		var r EventRef
		err := rows.Scan(&r.Workspace, &r.Livemode, &r.EventID, &r.Account)
		fresh[r] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("record events: %w", err)
	}
	return fresh, nil
}

// PruneEvents forgets event ids older than 35 days, a bounded part of them in each transaction, and returns how many.
// It is maintenance over all workspaces and reads nothing of them.
func (s *Store) PruneEvents(ctx context.Context) (pruned int, err error) {
	cutoff := s.clock.Now().Add(-ledgerKept).UnixMilli()
	for {
		var n int
		err := s.Update(ctx, func(tx *Tx) (err error) {
			n, err = tx.exec(ctx, `DELETE FROM events WHERE (workspace, livemode, event_id) IN (
				SELECT workspace, livemode, event_id FROM events WHERE at < ? ORDER BY at LIMIT ?)`, cutoff, pruneRows)
			return err
		})
		if err != nil {
			return pruned, fmt.Errorf("prune the ledger: %w", err)
		}
		pruned += n
		if n < pruneRows {
			return pruned, nil
		}
	}
}

// RecordFailed lists events as failed, replacing what was listed of them before.
func (t *Tx) RecordFailed(ctx context.Context, workspace string, events []FailedEvent) error {
	_, err := t.execMany(ctx, statement{
		head: `INSERT INTO failed_events
			(workspace, livemode, event_id, event_type, connection, account, reason, attempts, created, failed_at) VALUES `,
		tuple: `(?,?,?,?,?,?,?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, livemode, event_id) DO UPDATE SET
			event_type = excluded.event_type, connection = excluded.connection, account = excluded.account,
			reason = excluded.reason, attempts = excluded.attempts, created = excluded.created, failed_at = excluded.failed_at`,
	}, len(events), func(i int) []any {
		e := events[i]
		return []any{workspace, bit(e.Livemode), e.EventID, e.EventType, e.Connection, e.Account, e.Reason, e.Attempts,
			e.Created.Unix(), e.FailedAt.UnixMilli()}
	})
	if err != nil {
		return fmt.Errorf("record failed events: %w", err)
	}
	return nil
}

// ClearFailed takes events off the failed list, because they have been processed after all.
func (t *Tx) ClearFailed(ctx context.Context, refs []EventRef) error {
	listed, err := t.withFailed(ctx, refs)
	if err != nil || len(listed) == 0 {
		return err
	}
	refs = uniqueEvents(refs)
	refs = slices.DeleteFunc(refs, func(r EventRef) bool { return !listed[r.Workspace] })
	_, err = t.execMany(ctx, statement{
		head:  keysCTE,
		tuple: keyTuple,
		tail:  `) DELETE FROM failed_events WHERE (workspace, livemode, event_id) IN (SELECT workspace, livemode, id FROM k)`,
	}, len(refs), func(i int) []any { return []any{refs[i].Workspace, bit(refs[i].Livemode), refs[i].EventID} })
	if err != nil {
		return fmt.Errorf("clear failed events: %w", err)
	}
	return nil
}

// withFailed returns the workspaces among the refs' that list any failed event: hardly ever one does.
func (t *Tx) withFailed(ctx context.Context, refs []EventRef) (map[string]bool, error) {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.Workspace
	}
	names = unique(names, strings.Compare)
	listed := map[string]bool{}
	err := t.queryMany(ctx, statement{
		head:  `SELECT DISTINCT workspace FROM failed_events WHERE workspace IN (`,
		tuple: `?`,
		tail:  `)`,
	}, len(names), func(i int) []any { return []any{names[i]} }, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		listed[name] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read failed events: %w", err)
	}
	return listed, nil
}

// fromMilli is the time of unix milliseconds, in UTC; 0 is the zero time.
func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
