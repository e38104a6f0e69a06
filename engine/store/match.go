package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/kustiq/kustiq/engine/matching"
)

// Minimum says what confidence a match of the account's customers needs to feed a score; 0 stands for the least allowed.
type Minimum func(AccountRef) int

// subject is a customer to be matched.
type subject struct {
	CustomerKey
	account  string
	customer matching.Customer
}

// MatchCustomers matches those of the saved records that are new or have a new identity, and returns the accounts whose
// counts it may have changed. Workspaces must have been called for their scopes, and SaveCustomers for the records. In a
// workspace without profiles it does nothing.
func (t *Tx) MatchCustomers(ctx context.Context, records []*CustomerRecord, minimum Minimum) ([]AccountRef, error) {
	var subjects []subject
	for _, r := range records {
		if t.profiles[r.Workspace] == 0 || (r.stored && r.person == nil) {
			continue
		}
		s := subject{CustomerKey: r.CustomerKey, account: r.Account}
		if r.person != nil {
			s.customer = matching.Customer{Email: r.person.Email, ProfileID: r.person.ProfileID}
		}
		subjects = append(subjects, s)
	}
	if err := t.match(ctx, subjects, minimum); err != nil {
		return nil, fmt.Errorf("match customers: %w", err)
	}
	accounts := make([]AccountRef, len(subjects))
	for i, s := range subjects {
		accounts[i] = AccountRef{Scope: s.Scope, Account: s.account}
	}
	return unique(accounts, compareAccounts), nil
}

// match looks up the subjects' profiles, decides and saves. The subjects' customers must be locked.
func (t *Tx) match(ctx context.Context, subjects []subject, minimum Minimum) error {
	found, err := t.findProfiles(ctx, subjects)
	if err != nil {
		return err
	}
	decisions, err := t.decisions(ctx, subjects)
	if err != nil {
		return err
	}
	_, err = t.execMany(ctx, statement{
		head: `INSERT INTO matches
			(workspace, livemode, customer, account, profile_id, confidence, evidence, state) VALUES `,
		tuple: `(?,?,?,?,?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, livemode, customer) DO UPDATE SET account = excluded.account,
			profile_id = excluded.profile_id, confidence = excluded.confidence, evidence = excluded.evidence,
			state = excluded.state`,
	}, len(subjects), func(i int) []any {
		s, m := subjects[i], decisions[subjects[i].CustomerKey].Decide(found[i])
		state := m.State(minimum(AccountRef{Scope: s.Scope, Account: s.account}))
		return []any{s.Workspace, bit(s.Livemode), s.Customer, s.account, m.ProfileID, m.Confidence, string(m.Evidence),
			string(state)}
	})
	if err != nil {
		return fmt.Errorf("save matches: %w", err)
	}
	return nil
}

// candidates looks up by each key the first and the last profile: two different ones say that it is not the only one.
// Each of the five is one look at the end of an index, however many profiles share a domain.
var candidates = statement{
	head:  `WITH k (n, workspace, id, email, domain) AS (VALUES `,
	tuple: `(CAST(? AS INTEGER),?,?,?,?)`,
	tail: `) SELECT k.n,
		(SELECT p.profile_id FROM profiles p WHERE p.workspace = k.workspace AND p.profile_id = k.id),
		(SELECT MIN(p.profile_id) FROM profiles p WHERE p.workspace = k.workspace AND p.email_hash = k.email),
		(SELECT MAX(p.profile_id) FROM profiles p WHERE p.workspace = k.workspace AND p.email_hash = k.email),
		(SELECT MIN(p.profile_id) FROM profiles p WHERE p.workspace = k.workspace AND p.domain_hash = k.domain),
		(SELECT MAX(p.profile_id) FROM profiles p WHERE p.workspace = k.workspace AND p.domain_hash = k.domain)
		FROM k`,
}

// decisions returns what persons decided of the subjects, as long as the profile exists.
func (t *Tx) decisions(ctx context.Context, subjects []subject) (map[CustomerKey]matching.Decision, error) {
	decided := map[CustomerKey]matching.Decision{}
	const exists = ` AND EXISTS (SELECT 1 FROM profiles p WHERE p.workspace = d.workspace AND p.profile_id = d.profile_id)`
	err := t.queryMany(ctx, statement{
		head:  keysCTE,
		tuple: keyTuple,
		tail: `) SELECT d.workspace, d.livemode, d.customer, d.decision, d.profile_id FROM k CROSS JOIN match_decisions d
			WHERE d.workspace = k.workspace AND d.livemode = k.livemode AND d.customer = k.id` + exists + `
			UNION ALL SELECT d.workspace, d.livemode, d.customer, '', d.profile_id FROM k CROSS JOIN match_rejections d
			WHERE d.workspace = k.workspace AND d.livemode = k.livemode AND d.customer = k.id` + exists,
	}, len(subjects), func(i int) []any {
		return []any{subjects[i].Workspace, bit(subjects[i].Livemode), subjects[i].Customer}
	}, func(rows *sql.Rows) error {
		var key CustomerKey
		var verdict matching.Verdict
		var profile string
		err := rows.Scan(&key.Workspace, &key.Livemode, &key.Customer, &verdict, &profile)
		d := decided[key]
		if verdict == "" {
			d.Rejected = append(d.Rejected, profile)
		} else {
			d.Verdict, d.ProfileID = verdict, profile
		}
		decided[key] = d
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	return decided, nil
}

// MatchedProfiles returns the profiles that the customers are, of those whose match is certain enough to feed a score.
func (t *Tx) MatchedProfiles(ctx context.Context, keys []CustomerKey) (map[CustomerKey]matching.Match, error) {
	return matchedProfiles(ctx, t.querier(), keys)
}

func matchedProfiles(ctx context.Context, q querier, keys []CustomerKey) (map[CustomerKey]matching.Match, error) {
	matched := map[CustomerKey]matching.Match{}
	// The state is no condition here: it could lead PostgreSQL to the index of states, and through all who are matched.
	err := statement{
		head:  keysCTE,
		tuple: keyTuple,
		tail: `) SELECT m.workspace, m.livemode, m.customer, m.profile_id, m.confidence, m.evidence, m.state FROM k CROSS JOIN matches m
			WHERE m.workspace = k.workspace AND m.livemode = k.livemode AND m.customer = k.id
			AND EXISTS (SELECT 1 FROM workspaces w WHERE w.workspace = m.workspace AND w.profiles > 0)`,
	}.each(len(keys), func(i int) []any {
		return []any{keys[i].Workspace, bit(keys[i].Livemode), keys[i].Customer}
	}, func(query string, args []any) error {
		return q.rows(ctx, query, args, func(rows *sql.Rows) error {
			var key CustomerKey
			var m CustomerMatch
			err := rows.Scan(&key.Workspace, &key.Livemode, &key.Customer, &m.ProfileID, &m.Confidence, &m.Evidence, &m.State)
			if m.State == matching.Matched {
				matched[key] = m.Match
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read matched profiles: %w", err)
	}
	return matched, nil
}

// findProfiles returns what the keys of each subject lead to.
func (t *Tx) findProfiles(ctx context.Context, subjects []subject) ([]matching.Found, error) {
	rows := make([][]any, len(subjects))
	for i, s := range subjects {
		key, err := t.dataKey(s.Workspace)
		if err != nil {
			return nil, err
		}
		keys := s.customer.Keys()
		rows[i] = []any{i, s.Workspace, s.customer.ProfileID,
			key.hash(hashedEmail, keys.Email), key.hash(hashedDomain, keys.Domain)}
	}
	found := make([]matching.Found, len(subjects))
	err := t.queryMany(ctx, candidates, len(rows), func(i int) []any { return rows[i] }, func(rows *sql.Rows) error {
		var n int
		var id, firstEmail, lastEmail, firstDomain, lastDomain sql.NullString
		if err := rows.Scan(&n, &id, &firstEmail, &lastEmail, &firstDomain, &lastDomain); err != nil {
			return err
		}
		found[n] = matching.Found{
			ByID: id.String, ByEmail: ends(firstEmail, lastEmail), ByDomain: ends(firstDomain, lastDomain),
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up profiles: %w", err)
	}
	return found, nil
}

// ends are the first and the last of a list, once where they are the same.
func ends(first, last sql.NullString) []string {
	switch {
	case !first.Valid:
		return nil
	case first.String == last.String:
		return []string{first.String}
	}
	return []string{first.String, last.String}
}
