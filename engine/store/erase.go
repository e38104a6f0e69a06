package store

import (
	"context"
	"fmt"
)

// Erase removes everything the workspace's events left behind, live and test, and destroys its data key, so that a
// copy of its identities without that key stays closed; imported profiles, which the key seals too, go with it. What
// remains is the workspace's name, the instant of the erasure, by which messages that are still on their way are
// dropped, and who did what in the audit log, without the ids. Erasing twice is no error.
func (s *Store) Erase(ctx context.Context, workspace string) (ErasedCounts, error) {
	var n ErasedCounts
	err := s.Update(ctx, func(tx *Tx) (err error) {
		n, err = tx.erase(ctx, workspace)
		return err
	})
	s.keys.forget(workspace)
	if err != nil {
		return ErasedCounts{}, fmt.Errorf("erase a workspace: %w", err)
	}
	if err := s.dialect.scrub(ctx, s.writer, "workspaces"); err != nil {
		return n, fmt.Errorf("erased, but the database still holds the removed pages: %w", err)
	}
	return n, nil
}

func (t *Tx) erase(ctx context.Context, workspace string) (n ErasedCounts, err error) {
	// The workspace's row comes first: it waits for running batches and holds off new ones.
	if _, err = t.exec(ctx, `INSERT INTO workspaces (workspace) VALUES (?) ON CONFLICT (workspace) DO NOTHING`, workspace); err != nil {
		return n, err
	}
	if n.Keys, err = t.exec(ctx, `UPDATE workspaces SET data_key = NULL WHERE workspace = ? AND data_key IS NOT NULL`, workspace); err != nil {
		return n, err
	}
	// The models go, too. A number that no model has stands for the prior, and makes engines notice.
	if _, err = t.exec(ctx, `UPDATE workspaces SET erased_at = ?, has_live = 0, profiles = 0, live_model = models + 1,
		test_model = models + 1, models = models + 1 WHERE workspace = ?`,
		t.store.clock.Now().UnixMilli(), workspace); err != nil {
		return n, err
	}
	err = t.querier().row(ctx, `SELECT COUNT(*) FROM customers WHERE workspace = ? AND identity IS NOT NULL`, workspace).
		Scan(&n.Identities)
	if err != nil {
		return n, fmt.Errorf("count identities: %w", err)
	}
	var ignored int
	for _, table := range []struct {
		name  string
		count *int
	}{
		{"events", &n.Events}, {"signals", &n.Signals}, {"customers", &n.Customers}, {"score_history", &n.Scores},
		{"failed_events", &n.Failed}, {"matches", &ignored}, {"match_decisions", &ignored}, {"match_rejections", &ignored},
		{"profiles", &ignored},
		{"profile_imports", &ignored}, {"staged_profiles", &ignored}, {"rematches", &ignored},
		{"account_erasures", &ignored}, {"totals", &ignored}, {"segment_totals", &ignored}, {"segment_days", &ignored},
		{"search_tokens", &ignored}, {"deliveries", &ignored}, {"models", &ignored}, {"model_runs", &ignored},
	} {
		if *table.count, err = t.exec(ctx, `DELETE FROM `+table.name+` WHERE workspace = ?`, workspace); err != nil {
			return n, fmt.Errorf("empty %s: %w", table.name, err)
		}
	}
	return n, t.forgetSubjects(ctx, workspace)
}
