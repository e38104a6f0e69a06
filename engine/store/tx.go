package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// updateTries is how often a transaction that lost against another one is run in all.
const updateTries = 4

// Tx is one writing transaction. Its methods take locks in this order, and callers keep to it: Workspaces,
// RecordEvents, InsertSignals, Customers. Two transactions then never wait for each other in a circle.
type Tx struct {
	tx    *sql.Tx
	store *Store
	keys  map[string][]byte // sealed data keys, as Workspaces read them
	// profiles are how many each workspace has, as Workspaces read it.
	profiles map[string]int64
	// models are the revisions in use, as Workspaces read them.
	models map[Scope]int64
	added  map[Scope]*totals
	// segment is what the transaction changes of the at-risk segment's sums.
	segment map[segmentKey]segmentSum
}

// totals are what a transaction adds to the running counts of a scope.
type totals struct {
	customers, signals int
	// changes is 1 when the transaction has changed a customer.
	changes int
}

// Update runs fn in one transaction and commits it; when fn or the commit fails nothing of it remains. fn may run
// more than once, so it must not change anything outside that it does not set anew.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	for try := 1; ; try++ {
		err := s.updateOnce(ctx, fn)
		lost := err != nil && (errors.Is(err, errErasedMeanwhile) || s.dialect.retryable(err))
		if !lost || try == updateTries || ctx.Err() != nil {
			return err
		}
	}
}

func (s *Store) updateOnce(ctx context.Context, fn func(tx *Tx) error) (err error) {
	sqlTx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errBegin, err)
	}
	defer func() {
		if rollback := sqlTx.Rollback(); rollback != nil && !errors.Is(rollback, sql.ErrTxDone) && err == nil {
			err = fmt.Errorf("roll back: %w", rollback)
		}
	}()
	tx := &Tx{tx: sqlTx, store: s, keys: map[string][]byte{}, profiles: map[string]int64{}, models: map[Scope]int64{}, added: map[Scope]*totals{},
		segment: map[segmentKey]segmentSum{}}
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.addTotals(ctx); err != nil {
		return err
	}
	if err := tx.addSegment(ctx); err != nil {
		return err
	}
	if err := sqlTx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// view runs fn on one consistent snapshot.
func (s *Store) view(ctx context.Context, fn func(q querier) error) error {
	tx, err := s.reader.BeginTx(ctx, s.dialect.snapshot())
	if err != nil {
		return fmt.Errorf("begin a read: %w", err)
	}
	// Nothing was written, so that an error of the rollback loses nothing.
	defer func() { _ = tx.Rollback() }()
	return fn(querier{tx: tx, dialect: s.dialect})
}

// querier runs rebound queries.
type querier struct {
	tx      *sql.Tx
	dialect dialect
}

func (q querier) rows(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := q.tx.QueryContext(ctx, q.dialect.rebind(query), args...)
	if err != nil {
		return q.dialect.clean(err)
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return q.dialect.clean(errors.Join(rows.Err(), rows.Close()))
}

func (q querier) row(ctx context.Context, query string, args ...any) *sql.Row {
	return q.tx.QueryRowContext(ctx, q.dialect.rebind(query), args...)
}

// dataKey opens the key of a workspace that Workspaces has read.
func (t *Tx) dataKey(workspace string) (*dataKey, error) {
	sealed, ok := t.keys[workspace]
	if !ok {
		return nil, errors.New("the transaction did not open the workspace")
	}
	return t.store.keys.open(workspace, sealed)
}

func (t *Tx) querier() querier { return querier{tx: t.tx, dialect: t.store.dialect} }

// exec runs one statement and returns how many rows it affected.
func (t *Tx) exec(ctx context.Context, query string, args ...any) (int, error) {
	res, err := t.tx.ExecContext(ctx, t.store.dialect.rebind(query), args...)
	if err != nil {
		return 0, t.store.dialect.clean(err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// lock is the locking clause where the dialect needs one.
func (t *Tx) lock(clause string) string {
	if t.store.dialect.locks() {
		return clause
	}
	return ""
}

func (t *Tx) total(s Scope) *totals {
	if t.added[s] == nil {
		t.added[s] = &totals{}
	}
	return t.added[s]
}

// addTotals and then addSegment come last in a transaction, because all writers of a workspace meet on this one row.
func (t *Tx) addTotals(ctx context.Context) error {
	scopes := make([]Scope, 0, len(t.added))
	for s, n := range t.added {
		if *n != (totals{}) {
			scopes = append(scopes, s)
		}
	}
	sortScopes(scopes)
	_, err := t.execMany(ctx, statement{
		head:  `INSERT INTO totals (workspace, livemode, customers, signals, changes) VALUES `,
		tuple: `(?,?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, livemode) DO UPDATE SET
			customers = totals.customers + excluded.customers, signals = totals.signals + excluded.signals,
			changes = totals.changes + excluded.changes`,
	}, len(scopes), func(i int) []any {
		n := t.added[scopes[i]]
		return []any{scopes[i].Workspace, bit(scopes[i].Livemode), n.customers, n.signals, n.changes}
	})
	if err != nil {
		return fmt.Errorf("add to the totals: %w", err)
	}
	return nil
}
