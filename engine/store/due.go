package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Due returns at most limit customers whose score changes at or before now, the longest due first. It is the one read
// that spans workspaces, and it returns keys only. Customers that another engine is working on are left to it.
func (t *Tx) Due(ctx context.Context, now time.Time, limit int) ([]CustomerKey, error) {
	var keys []CustomerKey
	err := t.querier().rows(ctx, `SELECT workspace, livemode, customer FROM customers
		WHERE next_change_at IS NOT NULL AND next_change_at <= ? ORDER BY next_change_at LIMIT ?`+
		t.lock(` FOR UPDATE SKIP LOCKED`), []any{now.UnixMilli(), limit}, func(rows *sql.Rows) error {
		var key CustomerKey
		err := rows.Scan(&key.Workspace, &key.Livemode, &key.Customer)
		keys = append(keys, key)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read due customers: %w", err)
	}
	return keys, nil
}

// NextDue returns when the next score changes by time alone, over all workspaces; ok is false when none does.
func (s *Store) NextDue(ctx context.Context) (at time.Time, ok bool, err error) {
	var ms sql.NullInt64
	err = s.view(ctx, func(q querier) error {
		return q.row(ctx, `SELECT MIN(next_change_at) FROM customers WHERE next_change_at IS NOT NULL`).Scan(&ms)
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the next due time: %w", err)
	}
	return fromMilli(ms.Int64), ms.Valid, nil
}

// PutOff makes customers due later, without touching their scores.
func (t *Tx) PutOff(ctx context.Context, keys []CustomerKey, until time.Time) error {
	for _, key := range keys { // a rare repair of single customers, never the hot path
		_, err := t.exec(ctx, `UPDATE customers SET next_change_at = ? WHERE workspace = ? AND livemode = ? AND customer = ?`,
			until.UnixMilli(), key.Workspace, bit(key.Livemode), key.Customer)
		if err != nil {
			return fmt.Errorf("put off a customer: %w", err)
		}
	}
	return nil
}

// MakeDue lets at most limit of a scope's customers, those after one in the order of their ids, be evaluated again at an
// instant, or when they are due anyway if that is before. It returns the last of them; empty when there are no more.
func (s *Store) MakeDue(ctx context.Context, scope Scope, after string, limit int, at time.Time) (last string, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		last = ""
		var ids []string
		err := tx.querier().rows(ctx, `SELECT customer FROM customers WHERE workspace = ? AND livemode = ? AND customer > ?
			ORDER BY customer LIMIT ?`, []any{scope.Workspace, bit(scope.Livemode), after, limit}, scanIDs(&ids))
		if err != nil || len(ids) == 0 {
			return err
		}
		last = ids[len(ids)-1]
		_, err = tx.exec(ctx, `UPDATE customers SET next_change_at = ? WHERE workspace = ? AND livemode = ? AND customer > ?
			AND customer <= ? AND model_version <> '' AND (next_change_at IS NULL OR next_change_at > ?)`,
			at.UnixMilli(), scope.Workspace, bit(scope.Livemode), after, last, at.UnixMilli())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("make customers due: %w", err)
	}
	return last, nil
}

func scanIDs(into *[]string) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		*into = append(*into, id)
		return err
	}
}
