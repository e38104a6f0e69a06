package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kustiq/kustiq/engine/matching"
)

// ImportCounts says what an import changed.
type ImportCounts struct {
	// Added profiles were not there before; Updated ones were, and are now as imported.
	Added   int `json:"added"`
	Updated int `json:"updated"`
	// Profiles that the workspace has now.
	Profiles int64 `json:"profiles"`
}

// ImportProfiles adds profiles to the workspace or replaces those of the same ID, all of them or none. Of several with
// one ID the last counts. Customers are not matched by it: see RematchPage.
func (s *Store) ImportProfiles(ctx context.Context, workspace string, profiles []matching.Profile) (ImportCounts, error) {
	profiles = lastOfEach(profiles)
	if slices.ContainsFunc(profiles, func(p matching.Profile) bool { return p.ID == "" }) {
		return ImportCounts{}, errors.New("import profiles: a profile has no id")
	}
	var n ImportCounts
	err := s.Update(ctx, func(tx *Tx) (err error) {
		n, err = tx.importProfiles(ctx, workspace, profiles)
		return err
	})
	if err != nil {
		return ImportCounts{}, fmt.Errorf("import profiles: %w", err)
	}
	return n, nil
}

// lastOfEach returns the last profile of each ID, in the order of the IDs, in which imports then lock them.
func lastOfEach(profiles []matching.Profile) []matching.Profile {
	last := make(map[string]matching.Profile, len(profiles))
	for _, p := range profiles {
		last[p.ID] = p
	}
	out := make([]matching.Profile, 0, len(last))
	for _, p := range last {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b matching.Profile) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (t *Tx) importProfiles(ctx context.Context, workspace string, profiles []matching.Profile) (n ImportCounts, err error) {
	if _, err := t.Workspaces(ctx, []Scope{{Workspace: workspace}}); err != nil {
		return n, err
	}
	key, err := t.dataKey(workspace)
	if err != nil {
		return n, err
	}
	rows := make([][]any, len(profiles))
	for i, p := range profiles {
		if rows[i], err = profileRow(key, workspace, p); err != nil {
			return n, err
		}
	}
	if _, err := t.execMany(ctx, statement{
		head:  `INSERT INTO profiles (workspace, profile_id, email_hash, domain_hash, identity) VALUES `,
		tuple: `(?,?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, profile_id) DO UPDATE SET
			email_hash = excluded.email_hash, domain_hash = excluded.domain_hash, identity = excluded.identity`,
	}, len(rows), func(i int) []any { return rows[i] }); err != nil {
		return n, fmt.Errorf("save profiles: %w", err)
	}
	// The workspace's row last: from here to the commit, batches of the workspace wait.
	if _, err := t.exec(ctx, `UPDATE workspaces SET imports = imports + 1,
		profiles = (SELECT COUNT(*) FROM profiles WHERE workspace = ?) WHERE workspace = ?`, workspace, workspace); err != nil {
		return n, fmt.Errorf("count profiles: %w", err)
	}
	err = t.querier().row(ctx, `SELECT profiles FROM workspaces WHERE workspace = ?`, workspace).Scan(&n.Profiles)
	if err != nil {
		return n, fmt.Errorf("count profiles: %w", err)
	}
	n.Added = int(n.Profiles - t.profiles[workspace])
	n.Updated = len(profiles) - n.Added
	return n, nil
}

// profileIdentity is what is sealed of a profile.
type profileIdentity struct {
	Email  string `json:"email,omitempty"`
	Domain string `json:"domain,omitempty"`
}

func profileRow(key *dataKey, workspace string, p matching.Profile) ([]any, error) {
	plain, err := json.Marshal(profileIdentity{Email: p.Email, Domain: p.Domain})
	if err != nil {
		return nil, errors.New("a profile cannot be encoded") // the cause could quote it
	}
	sealed, err := key.Seal(plain, "profile/"+workspace+"/"+p.ID)
	if err != nil {
		return nil, fmt.Errorf("seal a profile: %w", err)
	}
	keys := p.Keys()
	email, domain := hashOrNull(key, hashedEmail, keys.Email), hashOrNull(key, hashedDomain, keys.Domain)
	return []any{workspace, p.ID, email, domain, sealed}, nil
}

// What a hash is of: an address is never found by a domain's.
const (
	hashedEmail  = "email"
	hashedDomain = "domain"
)

func hashOrNull(key *dataKey, kind, value string) any {
	if value == "" {
		return nil
	}
	return key.hash(kind, value)
}
