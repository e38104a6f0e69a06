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

// Misjudged returns, in order of their keys and after the given one, at most limit customers of a workspace that may be
// on the wrong side of a threshold. Those whose signals put them at risk whatever their score are among them.
func (t *Tx) Misjudged(ctx context.Context, workspace string, threshold int, after CustomerKey, limit int) ([]CustomerKey, error) {
	var keys []CustomerKey
	err := t.querier().rows(ctx, `SELECT workspace, livemode, customer FROM customers
		WHERE workspace = ? AND (livemode, customer) > (?,?) AND tier_rank = ? AND segment <> CASE WHEN neg_score <= ? THEN 1 ELSE 0 END
		ORDER BY livemode, customer LIMIT ?`,
		[]any{workspace, bit(after.Livemode), after.Customer, tierRank(scoring.Normal), -threshold, limit}, func(rows *sql.Rows) error {
			var key CustomerKey
			err := rows.Scan(&key.Workspace, &key.Livemode, &key.Customer)
			keys = append(keys, key)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read customers beside the threshold: %w", err)
	}
	return keys, nil
}
