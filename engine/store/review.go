package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/engine/matching"
)

// Errors of DecideMatch.
var (
	// ErrNoProfile says that the workspace has no profile of that id.
	ErrNoProfile = errors.New("no such profile")
	// ErrOtherCandidate says that the customer's match is no longer the one that was decided on.
	ErrOtherCandidate = errors.New("the candidate is another one by now")
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
		page.Livemode = w.scope.Livemode
		var profiles int64
		if err := db.row(ctx, `SELECT profiles FROM workspaces WHERE workspace = ?`, workspace).Scan(&profiles); err != nil || profiles == 0 {
			return err
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

// CurrentMatch returns a customer's match, or ErrNotFound when nothing was matched of the customer yet.
func (s *Store) CurrentMatch(ctx context.Context, workspace, customer string) (m CustomerMatch, err error) {
	err = s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, ModeAuto)
		if err == nil && !ok {
			err = ErrNotFound
		}
		if err == nil {
			m, err = readMatch(ctx, q, CustomerKey{Scope: w.scope, Customer: customer})
		}
		return err
	})
	return m, err
}

// Ruling is what somebody decides of a customer's match.
type Ruling struct {
	Customer string
	// Verdict; empty takes an earlier one back.
	Verdict matching.Verdict
	// ProfileID is the profile to be assigned. Of an approval or a rejection it is the candidate that was seen: another one
	// by now is not decided on. Empty means whichever it is.
	ProfileID string
	// By is the user's name as Kubernetes knows it. It is sealed on disk.
	By string
}

// DecideMatch stores a person's decision, matches the customer by it and returns the match before and after. It stands,
// over rematches and new addresses, until it is decided otherwise or the profile is deleted. It fails with ErrNotFound
// when nothing was matched of the customer yet, with ErrNoProfile and with ErrOtherCandidate.
func (s *Store) DecideMatch(ctx context.Context, workspace string, r Ruling) (from, to CustomerMatch, err error) {
	err = s.Update(ctx, func(tx *Tx) (err error) {
		from, to, err = tx.decideMatch(ctx, workspace, r)
		return err
	})
	if err != nil {
		return from, to, fmt.Errorf("decide on a match: %w", err)
	}
	return from, to, nil
}

func (t *Tx) decideMatch(ctx context.Context, workspace string, r Ruling) (from, to CustomerMatch, err error) {
	if _, err := t.Workspaces(ctx, []Scope{{Workspace: workspace}}); err != nil {
		return from, to, err
	}
	if t.profiles[workspace] == 0 {
		return from, to, ErrNotFound
	}
	w, _, err := readScope(ctx, t.querier(), workspace, ModeAuto)
	if err != nil {
		return from, to, err
	}
	who, minimum, err := t.underReview(ctx, CustomerKey{Scope: w.scope, Customer: r.Customer}, &from)
	if err != nil {
		return from, to, err
	}
	if err := t.rule(ctx, who.CustomerKey, from, r); err != nil {
		return from, to, err
	}
	if err := t.match(ctx, []subject{who}, func(AccountRef) int { return minimum }); err != nil {
		return from, to, err
	}
	if to, err = readMatch(ctx, t.querier(), who.CustomerKey); err != nil {
		return from, to, err
	}
	_, err = t.exec(ctx, `INSERT INTO rematches (workspace, livemode, account, minimum_confidence, asked, imports, decisions)
		VALUES (?,?,?,0,'',0,1) ON CONFLICT (workspace, livemode, account) DO UPDATE SET decisions = rematches.decisions + 1`,
		AccountRef{Scope: who.Scope, Account: who.account}.args()...)
	return from, to, err
}

// underReview locks the customer and returns it as a subject, with its match and the confidence that this needed.
func (t *Tx) underReview(ctx context.Context, key CustomerKey, now *CustomerMatch) (who subject, minimum int, err error) {
	who = subject{CustomerKey: key}
	at := []any{key.Workspace, bit(key.Livemode), key.Customer}
	var sealed []byte
	err = t.querier().row(ctx, `SELECT account, identity FROM customers WHERE workspace = ? AND livemode = ? AND customer = ?
		AND model_version <> ''`+t.lock(` FOR UPDATE`), at...).Scan(&who.account, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return who, 0, ErrNotFound
	}
	if err != nil {
		return who, 0, err
	}
	data, err := t.dataKey(key.Workspace)
	if err != nil {
		return who, 0, err
	}
	who.customer = t.store.person(data, key, sealed)
	if *now, err = readMatch(ctx, t.querier(), key); err != nil {
		return who, 0, err
	}
	err = t.querier().row(ctx, `SELECT minimum_confidence FROM rematches`+ofAccount,
		AccountRef{Scope: key.Scope, Account: who.account}.args()...).Scan(&minimum)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return who, minimum, err
}

// rule replaces or removes the decision on the customer.
func (t *Tx) rule(ctx context.Context, key CustomerKey, now CustomerMatch, r Ruling) error {
	at := []any{key.Workspace, bit(key.Livemode), key.Customer}
	profile := r.ProfileID
	switch r.Verdict {
	case "":
		_, err := t.exec(ctx, `DELETE FROM match_decisions WHERE workspace = ? AND livemode = ? AND customer = ?`, at...)
		return err
	case matching.Approve, matching.Reject:
		if profile == "" {
			profile = now.ProfileID
		}
		if profile == "" || profile != now.ProfileID {
			return ErrOtherCandidate
		}
	}
	var found int
	err := t.querier().row(ctx, `SELECT COUNT(*) FROM profiles WHERE workspace = ? AND profile_id = ?`, key.Workspace, profile).Scan(&found)
	if err != nil {
		return err
	}
	if found == 0 {
		return ErrNoProfile
	}
	data, err := t.dataKey(key.Workspace)
	if err != nil {
		return err
	}
	by, err := data.Seal([]byte(r.By), decisionContext(key))
	if err != nil {
		return fmt.Errorf("seal a name: %w", err)
	}
	_, err = t.exec(ctx, `INSERT INTO match_decisions (workspace, livemode, customer, decision, profile_id, decided_by, decided_at)
		VALUES (?,?,?,?,?,?,?) ON CONFLICT (workspace, livemode, customer) DO UPDATE SET decision = excluded.decision,
		profile_id = excluded.profile_id, decided_by = excluded.decided_by, decided_at = excluded.decided_at`,
		append(at, string(r.Verdict), profile, by, t.store.clock.Now().UnixMilli())...)
	return err
}

func decisionContext(of CustomerKey) string {
	return "decision/" + of.Workspace + "/" + modeName(of.Livemode) + "/" + of.Customer
}

// AskRematch has all of the workspace's customers matched anew, within half a minute.
func (s *Store) AskRematch(ctx context.Context, workspace string) error {
	err := s.Update(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE workspaces SET imports = imports + 1 WHERE workspace = ?`, workspace)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask for a rematch: %w", err)
	}
	return nil
}
