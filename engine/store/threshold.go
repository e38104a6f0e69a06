package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/engine/scoring"
)

// AtRiskThreshold returns the score by which all of a workspace's customers were last judged; ok is false for a
// workspace that never received anything.
func (s *Store) AtRiskThreshold(ctx context.Context, workspace string) (threshold int, ok bool, err error) {
	err = s.view(ctx, func(q querier) error {
		return q.row(ctx, `SELECT at_risk_threshold FROM workspaces WHERE workspace = ?`, workspace).Scan(&threshold)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the at-risk threshold: %w", err)
	}
	return threshold, true, nil
}

// SetAtRiskThreshold notes that all customers of the workspace were judged by a threshold.
func (s *Store) SetAtRiskThreshold(ctx context.Context, workspace string, threshold int) error {
	err := s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE workspaces SET at_risk_threshold = ? WHERE workspace = ?`, threshold, workspace)
		return err
	})
	if err != nil {
		return fmt.Errorf("note the at-risk threshold: %w", err)
	}
	return nil
}

// Misjudged looks at so many customers of a workspace as limit says, in order of their keys and after the given one. It
// returns those that may be on the wrong side of a threshold, and the last that it looked at; ok is false when there was
// none. Those whose signals put them at risk whatever their score are among them.
func (t *Tx) Misjudged(ctx context.Context, workspace string, threshold int, after CustomerKey, limit int) (
	keys []CustomerKey, last CustomerKey, ok bool, err error,
) {
	err = t.querier().rows(ctx, `SELECT workspace, livemode, customer,
			CASE WHEN tier_rank = ? AND segment <> CASE WHEN neg_score <= ? THEN 1 ELSE 0 END THEN 1 ELSE 0 END
		FROM customers WHERE workspace = ? AND (livemode, customer) > (?,?) ORDER BY livemode, customer LIMIT ?`,
		[]any{tierRank(scoring.Normal), -threshold, workspace, bit(after.Livemode), after.Customer, limit}, func(rows *sql.Rows) error {
			var wrong bool
			ok = true
			err := rows.Scan(&last.Workspace, &last.Livemode, &last.Customer, &wrong)
			if wrong {
				keys = append(keys, last)
			}
			return err
		})
	if err != nil {
		return nil, last, false, fmt.Errorf("read customers beside the threshold: %w", err)
	}
	return keys, last, ok, nil
}
