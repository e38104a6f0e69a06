package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/engine/matching"
)

// Rematch is what all customers of an account were, or are to be, matched under.
type Rematch struct {
	// MinimumConfidence that a match needed to feed a score.
	MinimumConfidence int
	// Asked is the last request for a rematch; empty before the first.
	Asked string
	// Imports is the number of the workspace's last import of profiles.
	Imports int64
}

// Rematches returns the number of each workspace's last import, under what each account was last rematched, and how
// often persons have decided on its matches. It spans workspaces and returns none of their data.
func (s *Store) Rematches(ctx context.Context) (
	imports map[string]int64, last map[AccountRef]Rematch, decisions map[AccountRef]int64, err error,
) {
	imports, last, decisions = map[string]int64{}, map[AccountRef]Rematch{}, map[AccountRef]int64{}
	err = s.view(ctx, func(q querier) error {
		err := q.rows(ctx, `SELECT workspace, imports FROM workspaces WHERE imports > 0`, nil, func(rows *sql.Rows) error {
			var name string
			var n int64
			err := rows.Scan(&name, &n)
			imports[name] = n
			return err
		})
		if err != nil {
			return err
		}
		return q.rows(ctx, `SELECT workspace, livemode, account, minimum_confidence, asked, imports, decisions FROM rematches`, nil,
			func(rows *sql.Rows) error {
				var ref AccountRef
				var r Rematch
				var decided int64
				err := rows.Scan(&ref.Workspace, &ref.Livemode, &ref.Account, &r.MinimumConfidence, &r.Asked, &r.Imports, &decided)
				last[ref], decisions[ref] = r, decided
				return err
			})
	})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read rematches: %w", err)
	}
	return imports, last, decisions, nil
}

// RematchPage matches at most limit customers of the account, in their order from the one after the given, and returns
// the last of them; it is empty when there are no more. In a workspace without profiles it forgets their matches.
func (s *Store) RematchPage(ctx context.Context, ref AccountRef, minimum int, after string, limit int) (
	last string, err error,
) {
	err = s.Update(ctx, func(tx *Tx) (err error) {
		last, err = tx.rematchPage(ctx, ref, minimum, after, limit)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("match customers again: %w", err)
	}
	return last, nil
}

func (t *Tx) rematchPage(ctx context.Context, ref AccountRef, minimum int, after string, limit int) (
	last string, err error,
) {
	// Without the mode: matching is no sign that live data has arrived.
	if _, err := t.Workspaces(ctx, []Scope{{Workspace: ref.Workspace}}); err != nil {
		return "", err
	}
	if t.profiles[ref.Workspace] == 0 {
		return t.forgetMatches(ctx, ref, after, limit)
	}
	key, err := t.dataKey(ref.Workspace)
	if err != nil {
		return "", err
	}
	var subjects []subject
	err = t.querier().rows(ctx, `SELECT customer, identity FROM customers WHERE workspace = ? AND livemode = ? AND account = ?
		AND customer > ? AND model_version <> '' ORDER BY customer LIMIT ?`+t.lock(` FOR UPDATE`),
		append(ref.args(), after, limit), func(rows *sql.Rows) error {
			s := subject{CustomerKey: CustomerKey{Scope: ref.Scope}, account: ref.Account}
			var sealed []byte
			if err := rows.Scan(&s.Customer, &sealed); err != nil {
				return err
			}
			s.customer = t.store.person(key, s.CustomerKey, sealed)
			subjects = append(subjects, s)
			return nil
		})
	if err != nil || len(subjects) == 0 {
		return "", err
	}
	if len(subjects) == limit {
		last = subjects[limit-1].Customer
	}
	return last, t.match(ctx, subjects, func(AccountRef) int { return minimum })
}

// forgetMatches removes a page of the account's matches: the last profile was deleted, and with it what they name.
func (t *Tx) forgetMatches(ctx context.Context, ref AccountRef, after string, limit int) (last string, err error) {
	var upTo sql.NullString
	var page int
	err = t.querier().row(ctx, `SELECT MAX(customer), COUNT(*) FROM (SELECT customer FROM matches`+ofAccount+`
		AND customer > ? ORDER BY customer LIMIT ?) m`, append(ref.args(), after, limit)...).Scan(&upTo, &page)
	if err != nil || page == 0 {
		return "", err
	}
	if page == limit {
		last = upTo.String
	}
	_, err = t.exec(ctx, `DELETE FROM matches`+ofAccount+` AND customer > ? AND customer <= ?`, append(ref.args(), after, upTo.String)...)
	return last, err
}

// person opens what a customer is matched by. One that cannot be opened has no candidate: the others are worth matching.
func (s *Store) person(key *dataKey, of CustomerKey, sealed []byte) matching.Customer {
	if len(sealed) == 0 {
		return matching.Customer{}
	}
	id, err := unsealIdentity(key, of, sealed)
	if err != nil {
		s.logger.Warn("an identity cannot be opened", "workspace", of.Workspace, "error", err)
	}
	return matching.Customer{Email: id.Email, ProfileID: id.ProfileID}
}

// Rematched notes that all customers of the account have been matched under r.
func (s *Store) Rematched(ctx context.Context, ref AccountRef, r Rematch) error {
	err := s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `INSERT INTO rematches (workspace, livemode, account, minimum_confidence, asked, imports)
			VALUES (?,?,?,?,?,?) ON CONFLICT (workspace, livemode, account) DO UPDATE SET
			minimum_confidence = excluded.minimum_confidence, asked = excluded.asked, imports = excluded.imports`,
			append(ref.args(), r.MinimumConfidence, r.Asked, r.Imports)...)
		return err
	})
	if err != nil {
		return fmt.Errorf("note a rematch: %w", err)
	}
	return nil
}

// MatchCounts counts an account's customers by the state of their match; all are 0 in a workspace without profiles.
type MatchCounts struct {
	Profiles, Matched, Review, Unmatched int64
	// Under is what all of them were last matched under.
	Under Rematch
}

// MatchCounts counts the account's matches.
func (s *Store) MatchCounts(ctx context.Context, ref AccountRef) (MatchCounts, error) {
	var n MatchCounts
	err := s.view(ctx, func(q querier) error {
		err := q.row(ctx, `SELECT minimum_confidence, asked, imports FROM rematches`+ofAccount, ref.args()...).
			Scan(&n.Under.MinimumConfidence, &n.Under.Asked, &n.Under.Imports)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = q.row(ctx, `SELECT profiles FROM workspaces WHERE workspace = ?`, ref.Workspace).Scan(&n.Profiles)
		if errors.Is(err, sql.ErrNoRows) || (err == nil && n.Profiles == 0) {
			return nil
		}
		if err != nil {
			return err
		}
		of := map[matching.State]*int64{
			matching.Matched: &n.Matched, matching.Review: &n.Review, matching.Unmatched: &n.Unmatched,
		}
		query := `SELECT state, COUNT(*) FROM matches` + ofAccount + ` GROUP BY state`
		return q.rows(ctx, query, ref.args(), func(rows *sql.Rows) error {
			var state matching.State
			var customers int64
			err := rows.Scan(&state, &customers)
			if count := of[state]; count != nil {
				*count = customers
			}
			return err
		})
	})
	if err != nil {
		return MatchCounts{}, fmt.Errorf("count matches: %w", err)
	}
	return n, nil
}

// CustomerMatch is what was decided of one customer.
type CustomerMatch struct {
	matching.Match
	State matching.State
}

// Match returns what was decided of the customer, or ErrNotFound when nothing was yet, or no profile is left.
func (s *Store) Match(ctx context.Context, key CustomerKey) (m CustomerMatch, err error) {
	err = s.view(ctx, func(q querier) (err error) {
		m, err = readMatch(ctx, q, key)
		return err
	})
	return m, err
}

func readMatch(ctx context.Context, q querier, key CustomerKey) (m CustomerMatch, err error) {
	err = q.row(ctx, `SELECT m.profile_id, m.confidence, m.evidence, m.state FROM matches m
		JOIN workspaces w ON w.workspace = m.workspace AND w.profiles > 0
		WHERE m.workspace = ? AND m.livemode = ? AND m.customer = ?`, key.Workspace, bit(key.Livemode), key.Customer).
		Scan(&m.ProfileID, &m.Confidence, &m.Evidence, &m.State)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return m, ErrNotFound
	case err != nil:
		return m, fmt.Errorf("read a match: %w", err)
	}
	return m, nil
}
