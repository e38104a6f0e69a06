package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/engine/matching"
)

// ProfilePage is one page of a workspace's profiles, in the order of their ids.
type ProfilePage struct {
	Profiles []matching.Profile
	// Total counts all profiles of the workspace.
	Total int64
	// Next is the after of the next page; empty on the last one.
	Next string
}

// Profiles returns at most limit profiles (50 when zero, 500 at most) from the one after the given cursor, or ErrCursor.
func (s *Store) Profiles(ctx context.Context, workspace, after string, limit int) (ProfilePage, error) {
	page := ProfilePage{Profiles: []matching.Profile{}}
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	from, err := decodePlace("p", after)
	if err != nil {
		return page, fmt.Errorf("list profiles: %w", err)
	}
	err = s.view(ctx, func(db querier) error {
		w, ok, err := readScope(ctx, db, workspace, ModeAuto)
		if err != nil || !ok {
			return err
		}
		key, err := s.openKey(w)
		if err != nil || key == nil {
			return err
		}
		page.Total = w.profiles
		return db.rows(ctx, `SELECT profile_id, identity FROM profiles WHERE workspace = ? AND profile_id > ?
			ORDER BY profile_id LIMIT ?`, []any{workspace, from, limit + 1}, func(rows *sql.Rows) error {
			if len(page.Profiles) == limit {
				page.Next = encodePlace("p", page.Profiles[limit-1].ID)
				return nil
			}
			var id string
			var sealed []byte
			if err := rows.Scan(&id, &sealed); err != nil {
				return err
			}
			said, err := unsealProfile(key, workspace, id, sealed)
			if err != nil {
				s.logger.Warn("a profile cannot be opened", "workspace", workspace, "error", err)
			}
			page.Profiles = append(page.Profiles, matching.Profile{ID: id, Email: said.Email, Domain: said.Domain})
			return nil
		})
	})
	if err != nil {
		return ProfilePage{}, fmt.Errorf("list profiles: %w", err)
	}
	return page, nil
}

// DeleteProfile removes a profile with the decisions on it, or fails with ErrNotFound. All customers of the workspace are
// matched anew within half a minute.
func (s *Store) DeleteProfile(ctx context.Context, workspace, id string) error {
	err := s.Update(ctx, func(tx *Tx) error {
		removed, err := tx.deleteProfiles(ctx, workspace, `= ?`, id)
		if err == nil && removed == 0 {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("delete a profile: %w", err)
	}
	return nil
}

// DeleteProfiles removes all profiles that the workspace had when it began, a bounded number in each transaction, with the
// decisions on them. It may be called again after an error. It returns how many it removed.
func (s *Store) DeleteProfiles(ctx context.Context, workspace string) (removed int, err error) {
	var last sql.NullString
	err = s.view(ctx, func(q querier) error {
		return q.row(ctx, `SELECT MAX(profile_id) FROM profiles WHERE workspace = ?`, workspace).Scan(&last)
	})
	for more := last.Valid; err == nil && more; {
		var n int
		err = s.Update(ctx, func(tx *Tx) (err error) {
			n, err = tx.deleteProfiles(ctx, workspace, `IN (SELECT profile_id FROM profiles WHERE workspace = ? AND profile_id <= ?
				ORDER BY profile_id LIMIT ?)`, workspace, last.String, importPage)
			return err
		})
		removed, more = removed+n, n == importPage
	}
	if err != nil {
		return removed, fmt.Errorf("delete profiles: %w", err)
	}
	return removed, nil
}

func (t *Tx) deleteProfiles(ctx context.Context, workspace, which string, args ...any) (removed int, err error) {
	if err := t.holdProfiles(ctx, workspace); err != nil {
		return 0, err
	}
	args = append([]any{workspace}, args...)
	// The decisions first: by then the profiles are still there to be chosen.
	for _, table := range []string{"match_decisions", "match_rejections"} {
		if _, err := t.exec(ctx, `DELETE FROM `+table+` WHERE workspace = ? AND profile_id `+which, args...); err != nil {
			return 0, fmt.Errorf("delete decisions: %w", err)
		}
	}
	if removed, err = t.exec(ctx, `DELETE FROM profiles WHERE workspace = ? AND profile_id `+which, args...); err != nil {
		return 0, err
	}
	if removed > 0 {
		_, err = t.exec(ctx, `UPDATE workspaces SET profiles = profiles - ?, imports = imports + 1 WHERE workspace = ?`, removed, workspace)
	}
	return removed, err
}

// holdProfiles locks the workspace's row, so that its count of profiles stays exact.
func (t *Tx) holdProfiles(ctx context.Context, workspace string) error {
	_, err := t.exec(ctx, `UPDATE workspaces SET profiles = profiles WHERE workspace = ?`, workspace)
	if err != nil {
		return fmt.Errorf("hold off others: %w", err)
	}
	return nil
}

// profileIdentity is what is sealed of a profile.
type profileIdentity struct {
	Email  string `json:"email,omitempty"`
	Domain string `json:"domain,omitempty"`
}

func unsealProfile(key *dataKey, workspace, id string, sealed []byte) (p profileIdentity, err error) {
	plain, err := key.Unseal(sealed, profileContext(workspace, id))
	if err != nil {
		return p, fmt.Errorf("unseal a profile: %w", err)
	}
	if json.Unmarshal(plain, &p) != nil { // the cause could quote it
		return profileIdentity{}, errors.New("decode a profile")
	}
	return p, nil
}

func profileContext(workspace, id string) string { return "profile/" + workspace + "/" + id }

// profileRow is the profile as it is staged, after the columns of its import.
func profileRow(key *dataKey, workspace string, p matching.Profile) ([]any, error) {
	plain, err := json.Marshal(profileIdentity{Email: p.Email, Domain: p.Domain})
	if err != nil {
		return nil, errors.New("a profile cannot be encoded") // the cause could quote it
	}
	sealed, err := key.Seal(plain, profileContext(workspace, p.ID))
	if err != nil {
		return nil, fmt.Errorf("seal a profile: %w", err)
	}
	keys := p.Keys()
	email, domain := hashOrNull(key, hashedEmail, keys.Email), hashOrNull(key, hashedDomain, keys.Domain)
	return []any{p.ID, email, domain, sealed}, nil
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
