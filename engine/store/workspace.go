package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Workspaces makes sure that each scope's workspace exists and has a data key, holds off an erasure until the
// transaction ends, and returns by workspace when it was last erased (unix milliseconds, 0 for never). Messages
// received up to then are not to be stored.
func (t *Tx) Workspaces(ctx context.Context, scopes []Scope) (erasedAtMs map[string]int64, err error) {
	live := map[string]bool{}
	for _, s := range scopes {
		live[s.Workspace] = live[s.Workspace] || s.Livemode
	}
	names := make([]string, 0, len(live))
	for name := range live {
		names = append(names, name)
	}
	names = unique(names, strings.Compare)

	erasedAtMs = make(map[string]int64, len(names))
	wanting, err := t.readWorkspaces(ctx, names, live, erasedAtMs, "")
	if err != nil {
		return nil, err
	}
	if len(wanting) > 0 {
		if err := t.ensureWorkspaces(ctx, wanting, live); err != nil {
			return nil, err
		}
	} else if !t.store.dialect.locks() {
		return erasedAtMs, nil
	}
	// The lock comes last: who shares a row first and wants to change it then waits for all who share it likewise.
	wanting, err = t.readWorkspaces(ctx, names, live, erasedAtMs, t.lock(` FOR SHARE`))
	if err == nil && len(wanting) > 0 {
		err = errErasedMeanwhile
	}
	return erasedAtMs, err
}

// errErasedMeanwhile makes Update run the transaction again, which then finds the workspace empty from the start.
var errErasedMeanwhile = errors.New("a workspace was erased at the same time")

// readWorkspaces reads rows into erasedAtMs and t.keys and returns the names whose row is not as it should be.
func (t *Tx) readWorkspaces(ctx context.Context, names []string, live map[string]bool, erasedAtMs map[string]int64, lock string) (wanting []string, err error) {
	good := map[string]bool{}
	err = t.queryMany(ctx, statement{
		head:  `SELECT workspace, data_key, erased_at, has_live, profiles, live_model, test_model FROM workspaces WHERE workspace IN (`,
		tuple: `?`,
		tail:  `) ORDER BY workspace` + lock,
	}, len(names), func(i int) []any { return []any{names[i]} }, func(rows *sql.Rows) error {
		var name string
		var key []byte
		var erased, profiles, liveModel, testModel int64
		var hasLive int
		if err := rows.Scan(&name, &key, &erased, &hasLive, &profiles, &liveModel, &testModel); err != nil {
			return err
		}
		t.keys[name], t.profiles[name], erasedAtMs[name] = key, profiles, erased
		t.models[Scope{name, true}], t.models[Scope{name, false}] = liveModel, testModel
		good[name] = len(key) > 0 && (hasLive == 1 || !live[name])
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read workspaces: %w", err)
	}
	for _, name := range names {
		if !good[name] {
			wanting = append(wanting, name)
		}
	}
	return wanting, nil
}

// ensureWorkspaces inserts or completes rows. An existing data key always stays.
func (t *Tx) ensureWorkspaces(ctx context.Context, names []string, live map[string]bool) error {
	keys := make([][]byte, len(names))
	for i, name := range names {
		key, err := t.store.keys.mint(name)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	_, err := t.execMany(ctx, statement{
		head:  `INSERT INTO workspaces (workspace, data_key, has_live) VALUES `,
		tuple: `(?,?,?)`,
		tail: ` ON CONFLICT (workspace) DO UPDATE SET
			data_key = COALESCE(workspaces.data_key, excluded.data_key),
			has_live = CASE WHEN excluded.has_live = 1 THEN 1 ELSE workspaces.has_live END`,
	}, len(names), func(i int) []any { return []any{names[i], keys[i], bit(live[names[i]])} })
	if err != nil {
		return fmt.Errorf("create workspaces: %w", err)
	}
	return nil
}

// workspaceRow is what a read needs of a workspace.
type workspaceRow struct {
	scope Scope
	key   []byte
	// profiles is how many it has. Without any, what its customers were matched to is gone.
	profiles int64
}

// readScope resolves a mode; ok is false for a workspace that never received anything.
func readScope(ctx context.Context, q querier, workspace string, mode Mode) (w workspaceRow, ok bool, err error) {
	var hasLive int
	err = q.row(ctx, `SELECT data_key, has_live, profiles FROM workspaces WHERE workspace = ?`, workspace).
		Scan(&w.key, &hasLive, &w.profiles)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return w, false, nil
	case err != nil:
		return w, false, fmt.Errorf("read the workspace: %w", err)
	}
	w.scope = Scope{Workspace: workspace, Livemode: hasLive == 1}
	switch mode {
	case ModeAuto:
	case ModeLive, ModeTest:
		w.scope.Livemode = mode == ModeLive
	default:
		return w, false, errors.New("the mode is neither live nor test")
	}
	return w, true, nil
}
