package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
)

// ErrClaimLost says that a run is no longer the caller's: its claim lapsed and another engine took it, or the workspace
// was erased.
var ErrClaimLost = errors.New("the claim on the model's run is lost")

// ModelClaim is one engine's hold on the fitting of a scope.
type ModelClaim struct {
	Scope
	// Owner is the engine.
	Owner string
	// Asked is whether somebody asked for this run.
	Asked   bool
	askedAt int64
}

// ModelRun says where the fitting of a scope stands. Times are zero where there are none.
type ModelRun struct {
	// Asked is whether somebody waits for a run that has not ended.
	Asked bool
	// Running is whether an engine is at it, in a phase, with so many customers done of a total.
	Running     bool
	Phase       string
	Done, Total int
	// StartedAt and FinishedAt are those of the last run, whose result in words follows.
	StartedAt, FinishedAt time.Time
	Failed                bool
	Result                string
	NextAt                time.Time
	claimedUntil          time.Time
}

// PlanModelRuns gives scopes that hold customers and were never planned their first run, and returns how many.
func (s *Store) PlanModelRuns(ctx context.Context, first func(Scope) time.Time) (planned int, err error) {
	var scopes []Scope
	err = s.view(ctx, func(q querier) error {
		return q.rows(ctx, `SELECT t.workspace, t.livemode FROM totals t WHERE t.customers > 0 AND NOT EXISTS
			(SELECT 1 FROM model_runs r WHERE r.workspace = t.workspace AND r.livemode = t.livemode)
			ORDER BY t.workspace, t.livemode LIMIT 500`, nil, func(rows *sql.Rows) error {
			var scope Scope
			err := rows.Scan(&scope.Workspace, &scope.Livemode)
			scopes = append(scopes, scope)
			return err
		})
	})
	if err != nil || len(scopes) == 0 {
		return 0, wrap("look for models that were never planned", err)
	}
	err = s.Update(ctx, func(tx *Tx) (err error) {
		planned, err = tx.execMany(ctx, statement{
			head: `INSERT INTO model_runs (workspace, livemode, next_at) VALUES `, tuple: `(?,?,?)`,
			tail: ` ON CONFLICT (workspace, livemode) DO NOTHING`,
		}, len(scopes), func(i int) []any {
			return []any{scopes[i].Workspace, bit(scopes[i].Livemode), first(scopes[i]).UnixMilli()}
		})
		return err
	})
	return planned, wrap("plan models", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// AskModelRun asks for a run as soon as an engine is free, of a workspace's live data or, as long as it has none, of its
// test data. It fails with ErrNotFound when the workspace has never received anything.
func (s *Store) AskModelRun(ctx context.Context, workspace string) error {
	err := s.Update(ctx, func(tx *Tx) error {
		w, ok, err := readScope(ctx, tx.querier(), workspace, ModeAuto)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		now := s.clock.Now().UnixMilli()
		_, err = tx.exec(ctx, `INSERT INTO model_runs (workspace, livemode, next_at, asked_at) VALUES (?,?,?,?)
			ON CONFLICT (workspace, livemode) DO UPDATE SET next_at = excluded.next_at, asked_at = excluded.asked_at`,
			workspace, bit(w.scope.Livemode), now, now)
		return err
	})
	return wrap("ask for a fit", err)
}

// ClaimModelRun takes up the run that is due the longest and that nobody is at, and holds it until an instant. ok is false
// when none is due.
func (s *Store) ClaimModelRun(ctx context.Context, owner string, until time.Time) (c ModelClaim, ok bool, err error) {
	now := s.clock.Now().UnixMilli()
	// Nearly always none is due, and finding that out must not hold up a writer.
	var due bool
	err = s.view(ctx, func(q querier) error {
		return q.row(ctx, `SELECT EXISTS (SELECT 1 FROM model_runs WHERE next_at <= ? AND claimed_until <= ?)`, now, now).Scan(&due)
	})
	if err != nil || !due {
		return c, false, wrap("look for a run of a model that is due", err)
	}
	err = s.Update(ctx, func(tx *Tx) error {
		c, ok = ModelClaim{Owner: owner}, false
		err := tx.querier().row(ctx, `SELECT workspace, livemode, asked_at FROM model_runs WHERE next_at <= ? AND claimed_until <= ?
			ORDER BY next_at, workspace, livemode LIMIT 1`+tx.lock(` FOR UPDATE SKIP LOCKED`), now, now).
			Scan(&c.Workspace, &c.Livemode, &c.askedAt)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		c.Asked, ok = c.askedAt > 0, true
		_, err = tx.exec(ctx, `UPDATE model_runs SET owner = ?, claimed_until = ?, phase = 'reading', done = 0, total = 0, started_at = ?
			WHERE workspace = ? AND livemode = ?`, owner, until.UnixMilli(), now, c.Workspace, bit(c.Livemode))
		return err
	})
	return c, ok && err == nil, wrap("claim a run of a model", err)
}

// holdClaim fails with ErrClaimLost unless the run is still the claim's.
func (t *Tx) holdClaim(ctx context.Context, c ModelClaim) error {
	n, err := t.exec(ctx, `UPDATE model_runs SET phase = 'saving' WHERE workspace = ? AND livemode = ? AND owner = ?`,
		c.Workspace, bit(c.Livemode), c.Owner)
	if err == nil && n == 0 {
		return ErrClaimLost
	}
	return err
}

// ProgressModelRun tells how far a run is and prolongs its claim. It fails with ErrClaimLost.
func (s *Store) ProgressModelRun(ctx context.Context, c ModelClaim, phase string, done, total int, until time.Time) error {
	err := s.Update(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE model_runs SET phase = ?, done = ?, total = ?, claimed_until = ?
			WHERE workspace = ? AND livemode = ? AND owner = ?`,
			phase, done, total, until.UnixMilli(), c.Workspace, bit(c.Livemode), c.Owner)
		if err == nil && n == 0 {
			return ErrClaimLost
		}
		return err
	})
	return wrap("tell the progress of a run", err)
}

// FinishModelRun ends a run and plans the next one, which is at once when it was asked for meanwhile. It fails with
// ErrClaimLost.
func (s *Store) FinishModelRun(ctx context.Context, c ModelClaim, result string, failed bool, next time.Time) error {
	err := s.Update(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE model_runs SET owner = '', claimed_until = 0, phase = '', done = 0, total = 0, finished_at = ?,
			failed = ?, result = ?, next_at = CASE WHEN asked_at = ? THEN ? ELSE next_at END,
			asked_at = CASE WHEN asked_at = ? THEN 0 ELSE asked_at END WHERE workspace = ? AND livemode = ? AND owner = ?`,
			s.clock.Now().UnixMilli(), bit(failed), result, c.askedAt, next.UnixMilli(), c.askedAt, c.Workspace, bit(c.Livemode), c.Owner)
		if err == nil && n == 0 {
			return ErrClaimLost
		}
		return err
	})
	return wrap("end a run of a model", err)
}

func readRun(ctx context.Context, q querier, s Scope) (r ModelRun, err error) {
	var next, asked, until, started, finished int64
	var owner string
	err = q.row(ctx, `SELECT next_at, asked_at, owner, claimed_until, phase, done, total, started_at, finished_at, failed, result
		FROM model_runs WHERE workspace = ? AND livemode = ?`, s.Workspace, bit(s.Livemode)).
		Scan(&next, &asked, &owner, &until, &r.Phase, &r.Done, &r.Total, &started, &finished, &r.Failed, &r.Result)
	if errors.Is(err, sql.ErrNoRows) {
		return ModelRun{}, nil
	}
	r.Asked, r.Running = asked > 0, owner != ""
	r.NextAt, r.StartedAt, r.FinishedAt, r.claimedUntil = fromMilli(next), fromMilli(started), fromMilli(finished), fromMilli(until)
	return r, err
}

// RunningAt is whether an engine is at it and its claim has not lapsed.
func (r *ModelRun) RunningAt(now time.Time) bool { return r.Running && r.claimedUntil.After(now) }

// CustomerCount counts a scope's customers.
func (s *Store) CustomerCount(ctx context.Context, scope Scope) (n int, err error) {
	err = s.view(ctx, func(q querier) error {
		err := q.row(ctx, `SELECT customers FROM totals WHERE workspace = ? AND livemode = ?`, scope.Workspace, bit(scope.Livemode)).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return n, wrap("count customers", err)
}

// CustomerIDs lists at most limit customers of a scope, those after one in the order of their ids.
func (s *Store) CustomerIDs(ctx context.Context, scope Scope, after string, limit int) (ids []string, err error) {
	err = s.view(ctx, func(q querier) error {
		return q.rows(ctx, `SELECT customer FROM customers WHERE workspace = ? AND livemode = ? AND customer > ? AND model_version <> ''
			ORDER BY customer LIMIT ?`, []any{scope.Workspace, bit(scope.Livemode), after, limit}, scanIDs(&ids))
	})
	return ids, wrap("list customers", err)
}

// Histories returns all signals of customers of a scope by customer, in no particular order.
func (s *Store) Histories(ctx context.Context, scope Scope, customers []string) (map[string][]signal.Signal, error) {
	out := make(map[string][]signal.Signal, len(customers))
	err := s.view(ctx, func(q querier) error {
		return statement{
			head:  keysCTE,
			tuple: keyTuple,
			tail: `) SELECT s.customer, s.body FROM k CROSS JOIN signals s
				WHERE s.workspace = k.workspace AND s.livemode = k.livemode AND s.customer = k.id`,
		}.each(len(customers), func(i int) []any { return []any{scope.Workspace, bit(scope.Livemode), customers[i]} },
			func(query string, args []any) error {
				return q.rows(ctx, query, args, func(rows *sql.Rows) error {
					var customer string
					var body []byte
					if err := rows.Scan(&customer, &body); err != nil {
						return err
					}
					sig, err := decodeSignal(body)
					out[customer] = append(out[customer], sig)
					return err
				})
			})
	})
	if err != nil {
		return nil, fmt.Errorf("read histories: %w", err)
	}
	return out, nil
}
