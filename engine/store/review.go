package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/engine/matching"
)

// MatchQuery asks for one page of a workspace's matches, in the order of the customers' ids.
type MatchQuery struct {
	// State keeps one state only; empty for all.
	State matching.State
	// Limit is the page's size; 50 when zero, 500 at most.
	Limit int
	// After is the Next of the page before; empty for the first page.
	After string
	// Mode chooses live or test data; ModeAuto when empty.
	Mode Mode
}

// MatchPage is one page. A workspace without profiles has no matches.
type MatchPage struct {
	Livemode bool
	Rows     []MatchRow
	// Review counts all matches that wait for a decision.
	Review int
	// Next is the After of the next page; empty on the last one.
	Next string
}

// MatchRow is one customer's match with what a person needs to decide on it.
type MatchRow struct {
	CustomerMatch
	Customer, Account string
	// Name and Email of the customer.
	Name, Email string
	// ProfileEmail and ProfileDomain are those of the profile as it was imported.
	ProfileEmail, ProfileDomain string
	// Decided is what a person decided last; nil when nobody did, or when the profile no longer exists.
	Decided *MatchDecision
}

// MatchDecision is a person's decision on one customer.
type MatchDecision struct {
	matching.Decision
	// By is the user's name as Kubernetes knows it; empty when it cannot be unsealed.
	By string
	At time.Time
}

// Matches returns one page of the workspace's matches, or ErrCursor.
func (s *Store) Matches(ctx context.Context, workspace string, q MatchQuery) (MatchPage, error) {
	page := MatchPage{Rows: []MatchRow{}}
	err := s.view(ctx, func(db querier) error {
		w, ok, err := readScope(ctx, db, workspace, q.Mode)
		if err != nil || !ok {
			return err
		}
		if page.Livemode = w.scope.Livemode; w.profiles == 0 {
			return nil
		}
		err = db.row(ctx, `SELECT COUNT(*) FROM matches WHERE workspace = ? AND livemode = ? AND state = 'review'`,
			workspace, bit(w.scope.Livemode)).Scan(&page.Review)
		if err != nil {
			return fmt.Errorf("count: %w", err)
		}
		return s.matches(ctx, db, w, q, &page)
	})
	if err != nil {
		return MatchPage{}, fmt.Errorf("list matches: %w", err)
	}
	return page, nil
}

func (s *Store) matches(ctx context.Context, db querier, w workspaceRow, q MatchQuery, page *MatchPage) error {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	after, err := decodePlace("m", q.After)
	if err != nil {
		return err
	}
	where, args := ` AND m.customer > ?`, []any{w.scope.Workspace, bit(w.scope.Livemode), after}
	switch q.State {
	case "":
	case matching.Review: // written out, so that both planners use the partial index
		where += ` AND m.state = 'review'`
	default:
		where += ` AND m.state = ?`
		args = append(args, string(q.State))
	}
	key, err := s.openKey(w)
	if err != nil {
		return err
	}
	err = db.rows(ctx, `SELECT m.customer, m.account, m.profile_id, m.confidence, m.evidence, m.state, c.identity, p.identity,
			d.decision, d.profile_id, d.decided_by, d.decided_at
		FROM matches m
		LEFT JOIN customers c ON c.workspace = m.workspace AND c.livemode = m.livemode AND c.customer = m.customer
		LEFT JOIN profiles p ON p.workspace = m.workspace AND p.profile_id = m.profile_id
		LEFT JOIN match_decisions d ON d.workspace = m.workspace AND d.livemode = m.livemode AND d.customer = m.customer
		WHERE m.workspace = ? AND m.livemode = ?`+where+` ORDER BY m.customer LIMIT ?`, append(args, limit+1), func(rows *sql.Rows) error {
		if len(page.Rows) == limit {
			page.Next = encodePlace("m", page.Rows[limit-1].Customer)
			return nil
		}
		row, err := s.scanMatch(w, key, rows)
		page.Rows = append(page.Rows, row)
		return err
	})
	return err
}

// openKey returns the workspace's data key; nil when it has none.
func (s *Store) openKey(w workspaceRow) (*dataKey, error) {
	if len(w.key) == 0 {
		return nil, nil
	}
	return s.keys.open(w.scope.Workspace, w.key)
}

func (s *Store) scanMatch(w workspaceRow, key *dataKey, rows scanner) (row MatchRow, err error) {
	var person, profile, by []byte
	var verdict, decided sql.NullString
	var at sql.NullInt64
	err = rows.Scan(&row.Customer, &row.Account, &row.ProfileID, &row.Confidence, &row.Evidence, &row.State, &person, &profile,
		&verdict, &decided, &by, &at)
	if err != nil || key == nil {
		return row, err
	}
	of := CustomerKey{Scope: w.scope, Customer: row.Customer}
	if len(person) > 0 {
		if id, err := unsealIdentity(key, of, person); err == nil {
			row.Name, row.Email = id.Name, id.Email
		}
	}
	if len(profile) > 0 {
		if p, err := unsealProfile(key, w.scope.Workspace, row.ProfileID, profile); err == nil {
			row.ProfileEmail, row.ProfileDomain = p.Email, p.Domain
		}
	}
	if verdict.Valid {
		row.Decided = &MatchDecision{At: fromMilli(at.Int64),
			Decision: matching.Decision{Verdict: matching.Verdict(verdict.String), ProfileID: decided.String}}
		if name, err := key.Unseal(by, decisionContext(of)); err == nil {
			row.Decided.By = string(name)
		}
	}
	return row, nil
}
