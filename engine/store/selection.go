package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/kustiq/kustiq/engine/scoring"
)

// selection is FROM and WHERE of what a query for customers at risk asks for. All of its columns are in the index.
type selection struct {
	scope Scope
	// tier is the only one selected; empty for all.
	tier string
	// plain says that nothing but a tier is selected.
	plain bool
	// name tells queries apart, without anything that could be read.
	name string
	text string
	args []any
	// unfiltered is how much of the text selects by nothing but the tier.
	unfiltered int
}

func (s *selection) and(condition string, args ...any) {
	s.text += ` AND ` + condition
	s.args = append(s.args, args...)
}

func (s *Store) selection(w workspaceRow, q AtRiskQuery) (*selection, error) {
	// segment = 1 is written out, so that both planners use the partial index.
	where := &selection{
		scope: w.scope, tier: q.Tier, plain: q.Interval == "" && q.Reason == "" && q.MinMRR <= 0 && q.Search == "",
		text: `FROM customers WHERE workspace = ? AND livemode = ? AND segment = 1`, args: []any{w.scope.Workspace, bit(w.scope.Livemode)},
	}
	if q.Tier != "" {
		where.and(`tier_rank = ?`, tierRank(scoring.Tier(q.Tier)))
	}
	where.unfiltered = len(where.text)
	if q.Interval != "" {
		where.and(`plan_interval = ?`, string(q.Interval))
	}
	if q.Reason != "" {
		where.and(`top_term = ?`, q.Reason)
	}
	if q.MinMRR > 0 {
		where.and(`neg_mrr <= ?`, -q.MinMRR)
	}
	if q.Search != "" {
		if err := s.search(w, q.Search, where); err != nil {
			return nil, err
		}
	}
	if !where.plain || q.Tier != "" {
		sum := sha256.Sum256([]byte(where.text + fmt.Sprintf("%q", where.args[2:])))
		where.name = base64.RawURLEncoding.EncodeToString(sum[:9])
	}
	return where, nil
}

// search adds what the text is looked up by. Where nothing can be found it selects nothing.
func (s *Store) search(w workspaceRow, text string, where *selection) error {
	if from, to, ok := idRange(text); ok {
		where.and(`customer >= ?`, from)
		where.and(`customer < ?`, to)
		return nil
	}
	if len(w.key) == 0 {
		where.and(`1 = 0`)
		return nil
	}
	key, err := s.keys.open(w.scope.Workspace, w.key)
	if err != nil {
		return err
	}
	tokens := wantedTokens(key, text)
	if len(tokens) == 0 {
		where.and(`1 = 0`)
	}
	for _, token := range tokens {
		where.and(`search LIKE ?`, "% "+token+" %")
	}
	return nil
}

const (
	// CountedTo is how far what a filter selects is counted: who filters hundreds of thousands wants fewer, not their number.
	CountedTo = 1_000
	// CountedAmong is how many of the segment, the riskiest first, are looked at to count what a filter selects.
	CountedAmong = 20_000
)

// count counts what is selected, with filters up to CountedTo and among CountedAmong; more says that there are, or may be,
// more. Without filters but a tier the running sums have it, since counting a segment of hundreds of thousands takes longer
// than reading its first page.
func (s *selection) count(ctx context.Context, db querier) (n int, more bool, err error) {
	query := `SELECT COALESCE(SUM(customers), 0) FROM segment_totals WHERE workspace = ? AND livemode = ?`
	args := []any{s.scope.Workspace, bit(s.scope.Livemode)}
	if s.tier != "" {
		query, args = query+` AND tier_rank = ?`, append(args, tierRank(scoring.Tier(s.tier)))
	}
	of := 0
	if err = db.row(ctx, query, args...).Scan(&of); err != nil || s.plain {
		return of, false, err
	}
	query = `SELECT COUNT(*) FROM (SELECT 1 FROM (SELECT customer, neg_mrr, plan_interval, top_term, search ` + s.text[:s.unfiltered] + `
		ORDER BY tier_rank, neg_score, neg_mrr, customer LIMIT ` + strconv.Itoa(CountedAmong) + `) riskiest
		WHERE 1 = 1` + s.text[s.unfiltered:] + ` LIMIT ` + strconv.Itoa(CountedTo+1) + `) counted`
	err = db.row(ctx, query, s.args...).Scan(&n)
	return min(n, CountedTo), n > CountedTo || of > CountedAmong, err
}

// idRange returns the range of the ids that begin with the text, if it is the beginning of an id.
func idRange(text string) (from, to string, ok bool) {
	text = strings.TrimSpace(text)
	odd := func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if !strings.HasPrefix(text, "cus_") || strings.ContainsFunc(text, odd) {
		return "", "", false
	}
	last := len(text) - 1
	return text, text[:last] + string(text[last]+1), true
}
