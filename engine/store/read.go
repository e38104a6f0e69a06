package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

const (
	defaultPage   = 50
	maxPage       = 500
	recentSignals = 50
)

// rowColumns are of customers c.
const rowColumns = `c.customer, c.tier, c.tier_rank, c.neg_score, c.neg_mrr, c.p30, c.currency, c.top_reason, c.top_term,
	c.plan_interval, c.model_version, c.last_kind, c.last_created, c.evaluated_at, c.next_change_at, c.freshness_ms, c.identity`

// AtRisk returns one page of the at-risk segment in the score's order, or ErrCursor.
func (s *Store) AtRisk(ctx context.Context, workspace string, q AtRiskQuery) (AtRiskPage, error) {
	page := AtRiskPage{Rows: []CustomerRow{}}
	err := s.view(ctx, func(db querier) error {
		w, ok, err := readScope(ctx, db, workspace, q.Mode)
		if err != nil || !ok {
			return err
		}
		return s.atRisk(ctx, db, w, q, &page)
	})
	if err != nil {
		return AtRiskPage{}, fmt.Errorf("list customers at risk: %w", err)
	}
	return page, nil
}

func (s *Store) atRisk(ctx context.Context, db querier, w workspaceRow, q AtRiskQuery, page *AtRiskPage) error {
	page.Livemode = w.scope.Livemode
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)

	where, err := s.selection(ctx, db, w, q)
	if err != nil {
		return err
	}
	all := *where // without the cursor
	if q.After != "" {
		c, err := decodeCursor(q.After, w.scope.Livemode, where.name)
		if err != nil {
			return err
		}
		where.and(`(tier_rank, neg_score, neg_mrr, customer) > (?,?,?,?)`, c.Rank, c.NegScore, c.NegMRR, c.Customer)
	}
	// The place is looked up in the index alone, and only the page's own rows are read. One row more than asked for tells
	// whether there is a next page.
	query := `SELECT ` + rowColumns + ` FROM (SELECT workspace, livemode, customer ` + where.text + `
		ORDER BY tier_rank, neg_score, neg_mrr, customer LIMIT ?) p
		CROSS JOIN customers c WHERE c.workspace = p.workspace AND c.livemode = p.livemode AND c.customer = p.customer
		ORDER BY c.tier_rank, c.neg_score, c.neg_mrr, c.customer`
	var last cursor
	more := false
	err = db.rows(ctx, query, append(where.args, limit+1), func(rows *sql.Rows) error {
		if len(page.Rows) == limit {
			more = true
			return nil
		}
		row, place, err := s.scanRow(w, rows)
		if err != nil {
			return err
		}
		page.Rows, last = append(page.Rows, row.CustomerRow), place
		if row.EvaluatedAt.After(page.EvaluatedAt) {
			page.EvaluatedAt = row.EvaluatedAt
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := fillProfiles(ctx, db, w, page.Rows); err != nil {
		return err
	}
	if !more && q.After == "" {
		page.Total = len(page.Rows) // what is rare has been looked for in the whole index, and once is enough
		return nil
	}
	if page.Total, page.More, err = all.count(ctx, db); err != nil {
		return fmt.Errorf("count: %w", err)
	}
	page.Total = max(page.Total, len(page.Rows))
	if !more {
		return nil
	}
	last.Livemode, last.Query = w.scope.Livemode, where.name
	page.Next, err = last.encode()
	return err
}

// scanRow reads rowColumns and any further columns, and opens the identity.
func (s *Store) scanRow(w workspaceRow, rows scanner, further ...any) (row CustomerDetail, place cursor, err error) {
	var created, evaluated int64
	var next sql.NullInt64
	var sealed []byte
	err = rows.Scan(append([]any{&row.Customer, &row.Tier, &place.Rank, &place.NegScore, &place.NegMRR, &row.P30, &row.Currency,
		&row.TopReason, &row.TopTerm, &row.Interval, &row.ModelVersion, &row.LastSignalKind, &created, &evaluated, &next, &row.FreshnessMs, &sealed}, further...)...)
	if err != nil {
		return row, place, err
	}
	place.Customer, row.Score, row.MRR = row.Customer, -place.NegScore, 0-place.NegMRR
	row.LastSignalAt = time.Unix(created, 0).UTC()
	row.EvaluatedAt, row.NextChangeAt = fromMilli(evaluated), fromMilli(next.Int64)
	row.Livemode = w.scope.Livemode
	s.fillIdentity(w, sealed, &row)
	return row, place, nil
}

// fillProfiles adds the profiles that the customers are. Not by a join to the page: PostgreSQL's planner does not know how
// small that is, and reads all matches of a workspace.
func fillProfiles(ctx context.Context, q querier, w workspaceRow, rows []CustomerRow) error {
	if w.profiles == 0 {
		return nil
	}
	keys := make([]CustomerKey, len(rows))
	for i := range rows {
		keys[i] = CustomerKey{Scope: w.scope, Customer: rows[i].Customer}
	}
	matched, err := matchedProfiles(ctx, q, keys)
	for i := range rows {
		rows[i].Profile = matched[keys[i]]
	}
	return err
}

type scanner interface{ Scan(dest ...any) error }

// fillIdentity leaves the person empty when it cannot be opened: scores are worth showing without names.
func (s *Store) fillIdentity(w workspaceRow, sealed []byte, row *CustomerDetail) {
	if len(sealed) == 0 || len(w.key) == 0 {
		return
	}
	v, err := s.keys.open(w.scope.Workspace, w.key)
	if err == nil {
		var id identity
		id, err = unsealIdentity(v, CustomerKey{Scope: w.scope, Customer: row.Customer}, sealed)
		row.Name, row.Email, row.ProfileID = id.Name, id.Email, id.ProfileID
	}
	if err != nil {
		s.logger.Warn("an identity cannot be opened", "workspace", w.scope.Workspace, "error", err)
	}
}

// Customer returns one customer with what explains its score, or ErrNotFound.
func (s *Store) Customer(ctx context.Context, workspace, customer string) (CustomerDetail, error) {
	var d CustomerDetail
	err := s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, ModeAuto)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		d, err = s.customer(ctx, q, w, customer)
		if errors.Is(err, ErrNotFound) && w.scope.Livemode {
			// A link from the test data's page still leads somewhere once live data has arrived.
			w.scope.Livemode = false
			d, err = s.customer(ctx, q, w, customer)
		}
		return err
	})
	if err != nil {
		return CustomerDetail{}, fmt.Errorf("read a customer: %w", err)
	}
	return d, nil
}

func (s *Store) customer(ctx context.Context, q querier, w workspaceRow, customer string) (CustomerDetail, error) {
	key := []any{w.scope.Workspace, bit(w.scope.Livemode), customer}
	var terms []byte
	var segment bool
	d, _, err := s.scanRow(w, q.row(ctx, `SELECT `+rowColumns+`, c.terms, c.segment FROM customers c
		WHERE c.workspace = ? AND c.livemode = ? AND c.customer = ? AND c.model_version <> ''`, key...), &terms, &segment)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return d, ErrNotFound
	case err != nil:
		return d, err
	}
	one := []CustomerRow{d.CustomerRow}
	if err := fillProfiles(ctx, q, w, one); err != nil {
		return d, err
	}
	d.CustomerRow = one[0]
	d.AtRisk, d.Terms, d.Signals, d.History = segment, []scoring.Term{}, []signal.Signal{}, []ScorePoint{}
	if json.Unmarshal(terms, &d.Terms) != nil {
		return d, errors.New("stored terms cannot be decoded")
	}
	err = q.rows(ctx, `SELECT body FROM signals WHERE workspace = ? AND livemode = ? AND customer = ?
		ORDER BY created DESC, id DESC LIMIT ?`, append(key, recentSignals), func(rows *sql.Rows) error {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return err
		}
		sig, err := decodeSignal(body)
		d.Signals = append(d.Signals, sig)
		return err
	})
	if err != nil {
		return d, fmt.Errorf("signals: %w", err)
	}
	return d, readHistory(ctx, q, key, dayOf(s.clock.Now())-historyDays, &d.History)
}

// Counts counts the workspace's customers and signals.
func (s *Store) Counts(ctx context.Context, workspace string) (Counts, error) {
	var c Counts
	err := s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, ModeAuto)
		if err != nil || !ok {
			return err
		}
		key := []any{w.scope.Workspace, bit(w.scope.Livemode)}
		err = q.row(ctx, `SELECT customers, signals FROM totals WHERE workspace = ? AND livemode = ?`, key...).
			Scan(&c.Customers, &c.Signals)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return q.row(ctx, `SELECT COALESCE(SUM(customers), 0), COALESCE(SUM(CASE WHEN tier_rank = 0 THEN customers ELSE 0 END), 0)
			FROM segment_totals WHERE workspace = ? AND livemode = ?`, key...).Scan(&c.AtRisk, &c.Critical)
	})
	if err != nil {
		return Counts{}, fmt.Errorf("count customers: %w", err)
	}
	return c, nil
}
