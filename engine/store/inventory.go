package store

import (
	"context"
	"fmt"
)

// inventoryMost is how far Inventory counts. Beyond it a number is at least this one: counting millions of rows would
// cost more than it tells.
const inventoryMost = 10_000

// Holding is one kind of data that is kept of a workspace.
type Holding struct {
	// Kind is a table's name.
	Kind string
	// Count of its rows, live and test; with Least set there are more.
	Count int64
	Least bool
}

// Inventory counts what is kept of a workspace, live and test.
func (s *Store) Inventory(ctx context.Context, workspace string) ([]Holding, error) {
	var all []Holding
	err := s.view(ctx, func(q querier) error {
		for _, kind := range []string{"customers", "signals", "score_history", "profiles", "matches", "match_decisions", "match_rejections", "events",
			"failed_events", "deliveries", "models", "audit"} {
			h := Holding{Kind: kind}
			err := q.row(ctx, `SELECT COUNT(*) FROM (SELECT 1 AS one FROM `+kind+` WHERE workspace = ? LIMIT ?) kept`, workspace, inventoryMost+1).Scan(&h.Count)
			if err != nil {
				return fmt.Errorf("count %s: %w", kind, err)
			}
			if h.Count > inventoryMost {
				h.Count, h.Least = inventoryMost, true
			}
			all = append(all, h)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take an inventory: %w", err)
	}
	return all, nil
}
