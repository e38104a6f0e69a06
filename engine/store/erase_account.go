package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// AccountRef names one Stripe account of a scope.
type AccountRef struct {
	Scope
	// Account is the acct_ id.
	Account string
}

func (a AccountRef) args() []any { return []any{a.Workspace, bit(a.Livemode), a.Account} }

func compareAccounts(a, b AccountRef) int {
	return cmp.Or(compareScopes(a.Scope, b.Scope), strings.Compare(a.Account, b.Account))
}

// EraseAccount removes what one account's events left behind in one mode: its customers with their identities, signals,
// scores, matches and churn events, its failed events, its part of the ledger and of the segment's sums. Other accounts of the workspace, its data key and
// its profiles stay. Messages received up to the given instant that are still on their way are dropped, too; the account
// may be connected again. Erasing twice is no error. With an error, the counts say what was removed all the same.
func (s *Store) EraseAccount(ctx context.Context, ref AccountRef, until time.Time) (ErasedCounts, error) {
	if ref.Account == "" {
		return ErasedCounts{}, errors.New("erase an account: it has no name")
	}
	var n ErasedCounts
	err := s.Update(ctx, func(tx *Tx) (err error) {
		n, err = tx.eraseAccount(ctx, ref, until)
		return err
	})
	if err != nil {
		return ErasedCounts{}, fmt.Errorf("erase an account: %w", err)
	}
	if err := s.dialect.scrub(ctx, s.writer, "customers", "search_tokens"); err != nil {
		return n, fmt.Errorf("erased, but the database still holds the removed pages: %w", err)
	}
	return n, nil
}

func (t *Tx) eraseAccount(ctx context.Context, ref AccountRef, until time.Time) (n ErasedCounts, err error) {
	// The workspace's row comes first, as for a whole workspace: it waits for running batches and holds off new ones.
	if _, err = t.exec(ctx, `INSERT INTO workspaces (workspace) VALUES (?)
		ON CONFLICT (workspace) DO UPDATE SET erased_at = workspaces.erased_at`, ref.Workspace); err != nil {
		return n, fmt.Errorf("hold off batches: %w", err)
	}
	if err = t.entomb(ctx, ref, until); err != nil {
		return n, err
	}
	// The scheduler asks no workspace. Locking its customers waits for the history that it is about to add.
	scored := 0
	err = t.querier().row(ctx, `SELECT COALESCE(SUM(CASE WHEN model_version <> '' THEN 1 ELSE 0 END), 0), COUNT(identity)
		FROM (SELECT model_version, identity FROM customers WHERE workspace = ? AND livemode = ? AND account = ?
			ORDER BY customer`+t.lock(` FOR UPDATE`)+`) c`, ref.args()...).Scan(&scored, &n.Identities)
	if err != nil {
		return n, fmt.Errorf("lock customers: %w", err)
	}
	var ignored int
	for _, part := range []struct {
		what  string // a table, and how its rows are known as the account's
		count *int
	}{
		{`signals` + ofCustomers, &n.Signals}, {`score_history` + ofCustomers, &n.Scores},
		{`matches` + ofCustomers, &ignored}, {`match_decisions` + ofCustomers, &ignored}, {`match_rejections` + ofCustomers, &ignored},
		{`search_tokens` + ofCustomers, &ignored},
		{`customers` + ofAccount, &n.Customers}, {`events` + ofAccount, &n.Events},
		{`failed_events` + ofAccount, &n.Failed}, {`rematches` + ofAccount, &ignored},
		{`deliveries` + ofAccount, &ignored}, {`segment_days` + ofAccount, &ignored}, {`segment_totals` + ofAccount, &ignored},
	} {
		args := ref.args()
		if strings.HasSuffix(part.what, ofCustomers) {
			args = append([]any{ref.Workspace, bit(ref.Livemode)}, args...)
		}
		if *part.count, err = t.exec(ctx, `DELETE FROM `+part.what, args...); err != nil {
			return n, fmt.Errorf("empty %s: %w", strings.Fields(part.what)[0], err)
		}
	}
	// Which account it was stays: the erasure itself is entered with it.
	if _, err = t.exec(ctx, `UPDATE audit SET subject = '' WHERE workspace = ? AND subject <> '' AND subject NOT LIKE 'acct%'`, ref.Workspace); err != nil {
		return n, fmt.Errorf("take ids out of the audit log: %w", err)
	}
	t.total(ref.Scope).customers -= scored
	t.total(ref.Scope).signals -= n.Signals
	t.total(ref.Scope).changes = 1
	return n, nil
}

const (
	ofAccount   = ` WHERE workspace = ? AND livemode = ? AND account = ?`
	ofCustomers = ` WHERE workspace = ? AND livemode = ? AND customer IN (SELECT customer FROM customers` + ofAccount + `)`
)

// entomb keeps the latest instant up to which the account is erased.
func (t *Tx) entomb(ctx context.Context, ref AccountRef, until time.Time) error {
	_, err := t.exec(ctx, `INSERT INTO account_erasures (workspace, livemode, account, erased_at) VALUES (?,?,?,?)
		ON CONFLICT (workspace, livemode, account) DO UPDATE SET erased_at = excluded.erased_at
			WHERE excluded.erased_at > account_erasures.erased_at`,
		append(ref.args(), until.UnixMilli())...)
	if err != nil {
		return fmt.Errorf("keep the instant of the erasure: %w", err)
	}
	return nil
}

// ErasedAccounts returns up to when accounts are erased (unix milliseconds); those that never were are missing. Messages
// received up to then are not to be stored. Workspaces must have been called before, which holds off an erasure.
func (t *Tx) ErasedAccounts(ctx context.Context, refs []AccountRef) (atMs map[AccountRef]int64, err error) {
	refs = unique(refs, compareAccounts)
	atMs = map[AccountRef]int64{}
	err = t.queryMany(ctx, statement{
		head:  keysCTE,
		tuple: keyTuple,
		tail: `) SELECT a.workspace, a.livemode, a.account, a.erased_at FROM k CROSS JOIN account_erasures a
			WHERE a.workspace = k.workspace AND a.livemode = k.livemode AND a.account = k.id`,
	}, len(refs), func(i int) []any { return refs[i].args() }, func(rows *sql.Rows) error {
		var ref AccountRef
		var at int64
		err := rows.Scan(&ref.Workspace, &ref.Livemode, &ref.Account, &at)
		atMs[ref] = at
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read erased accounts: %w", err)
	}
	return atMs, nil
}
