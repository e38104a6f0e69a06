package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	// Rare is how many customers may have the tokens at most to be taken one by one, where an index finds them. With more,
	// a walk through the at-risk list has soon met a page of them.
	Rare = 2_000
	// Tokens are frequent that glanceTo customers have among the glanceAmong riskiest.
	glanceTo, glanceAmong = 50, 2_000
)

// wanted is what the text asks for in the workspace.
func (s *Store) wanted(w workspaceRow, text string) (wanted, error) {
	if len(w.key) == 0 {
		return wanted{}, nil
	}
	key, err := s.keys.open(w.scope.Workspace, w.key)
	if err != nil {
		return wanted{}, err
	}
	return wantedBy(key, text), nil
}

// search selects who has what is wanted; nobody, where no tokens are.
func (s *selection) search(ctx context.Context, db querier, want wanted) error {
	if len(want.tokens) == 0 {
		s.few = true
		s.and(`1 = 0`)
		return nil
	}
	walk := *s
	walk.args = slices.Clone(s.args)
	walk.meet(want)
	few, ok, err := walk.fewWith(ctx, db, want.tokens)
	if err != nil {
		return fmt.Errorf("search: %w", err)
	}
	if ok {
		s.among(few)
		return nil
	}
	*s = walk
	return nil
}

// meet selects who has what is wanted in a walk through the list. The tokens themselves are looked at by a scalar, of which no
// planner makes a join: it is for the few who have the bits.
func (s *selection) meet(want wanted) {
	s.and(`(search_bits & ?) = ?`, want.bits, want.bits)
	has, args := make([]string, len(want.tokens)), make([]any, 0, len(want.tokens)+2)
	for i, token := range want.tokens {
		has[i], args = `s.tokens LIKE ?`, append(args, "%"+token+"%")
	}
	s.and(`(SELECT CASE WHEN `+strings.Join(has, ` AND `)+` THEN 1 END FROM search_tokens s
		WHERE s.workspace = ? AND s.livemode = ? AND s.customer = at_risk.customer) = 1`, append(args, s.scope.Workspace, bit(s.scope.Livemode))...)
}

// fewWith returns who has the tokens, at risk or not. ok is false when they are more than Rare, or so frequent that a
// glance tells: all who have them would be gathered from the index before the first is returned.
func (s *selection) fewWith(ctx context.Context, db querier, tokens []string) (few []string, ok bool, err error) {
	condition := db.dialect.tokenIndex()
	if condition == "" {
		return nil, false, nil
	}
	met := 0
	if err := db.row(ctx, s.counting(glanceAmong, glanceTo), s.args...).Scan(&met); err != nil || met == glanceTo {
		return nil, false, err
	}
	// The planner cannot know how many there are; the materialized part keeps it from walking the whole table in the hope of
	// meeting them soon.
	few = []string{}
	err = db.rows(ctx, `WITH have AS MATERIALIZED (SELECT customer FROM search_tokens WHERE workspace = ? AND livemode = ? AND `+condition+`)
		SELECT customer FROM have LIMIT ?`, []any{s.scope.Workspace, bit(s.scope.Livemode), strings.Join(tokens, " "), Rare + 1}, scanIDs(&few))
	return few, len(few) <= Rare, err
}

// among selects from the named customers only. OFFSET keeps the planner from walking the at-risk list to meet them there.
func (s *selection) among(few []string) {
	s.few = true
	s.text = `FROM (SELECT * FROM customers WHERE workspace = ? AND livemode = ? AND customer = ANY(?) OFFSET 0` +
		`) at_risk` + strings.TrimPrefix(s.text, fromAll)
	s.args = append([]any{s.scope.Workspace, bit(s.scope.Livemode), few}, s.args...)
}
