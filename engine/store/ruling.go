package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/engine/matching"
)

// Errors of DecideMatch.
var (
	// ErrNoProfile says that the workspace has no profile of that id.
	ErrNoProfile = errors.New("no such profile")
	// ErrOtherCandidate says that the customer's match is no longer the one that was decided on.
	ErrOtherCandidate = errors.New("the candidate is another one by now")
)

// CurrentMatch returns a customer's match in a mode, or ErrNotFound when nothing was matched of the customer yet.
func (s *Store) CurrentMatch(ctx context.Context, workspace string, mode Mode, customer string) (m CustomerMatch, err error) {
	err = s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, mode)
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
	// Mode says whether the customer is one of the live or the test data; ModeAuto when empty.
	Mode Mode
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
	w, _, err := readScope(ctx, t.querier(), workspace, r.Mode)
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
		if err := t.keepRejections(ctx, key, r.Verdict); err != nil {
			return err
		}
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
	if err := t.keepRejections(ctx, key, r.Verdict); err != nil {
		return err
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

// keepRejections keeps what was rejected before when the next candidate is, too: otherwise the first would come back. Any
// other decision takes the rejections' place.
func (t *Tx) keepRejections(ctx context.Context, key CustomerKey, next matching.Verdict) (err error) {
	at := []any{key.Workspace, bit(key.Livemode), key.Customer}
	if next == matching.Reject {
		_, err = t.exec(ctx, `INSERT INTO match_rejections (workspace, livemode, customer, profile_id)
			SELECT workspace, livemode, customer, profile_id FROM match_decisions
			WHERE workspace = ? AND livemode = ? AND customer = ? AND decision = 'reject'
			ON CONFLICT (workspace, livemode, customer, profile_id) DO NOTHING`, at...)
	} else {
		_, err = t.exec(ctx, `DELETE FROM match_rejections WHERE workspace = ? AND livemode = ? AND customer = ?`, at...)
	}
	if err != nil {
		return fmt.Errorf("keep earlier rejections: %w", err)
	}
	return nil
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
