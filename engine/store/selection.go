package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/kustiq/kustiq/engine/scoring"
)

const fromAll = `FROM customers at_risk`

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
	// few says that the customers are named one by one, so that counting them takes no walk.
	few bool
}

func (s *selection) and(condition string, args ...any) {
	s.text += ` AND ` + condition
	s.args = append(s.args, args...)
}

func (s *Store) selection(ctx context.Context, db querier, w workspaceRow, q AtRiskQuery) (*selection, error) {
	// segment = 1 is written out, so that both planners use the partial index.
	where := &selection{
		scope: w.scope, tier: q.Tier, plain: q.Interval == "" && q.Reason == "" && q.MinMRR <= 0 && q.Search == "",
		text: fromAll + ` WHERE workspace = ? AND livemode = ? AND segment = 1`, args: []any{w.scope.Workspace, bit(w.scope.Livemode)},
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
		if err := where.least(ctx, db, q); err != nil {
			return nil, err
		}
	}
	var want wanted
	from, to, byID := idRange(q.Search)
	switch {
	case byID:
		where.and(`customer >= ?`, from)
		where.and(`customer < ?`, to)
	case q.Search != "":
		var err error
		if want, err = s.wanted(w, q.Search); err != nil {
			return nil, err
		}
	}
	if !where.plain || q.Tier != "" {
		// Not the conditions themselves: on one page they may be others than on the page before.
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %v %v %q %q", q.Tier, q.Interval, q.Reason, q.MinMRR, q.MinMRROf, from, want.tokens))
		where.name = base64.RawURLEncoding.EncodeToString(sum[:9])
	}
	if byID || q.Search == "" {
		return where, nil
	}
	return where, where.search(ctx, db, want)
}

// decimal is a number as an argument whose type no column tells.
const decimal = `CAST(? AS DOUBLE PRECISION)`

// least selects by the MRR. A currency that nobody at risk pays in is left out, so that nearly every workspace compares with one
// number only.
func (s *selection) least(ctx context.Context, db querier, q AtRiskQuery) error {
	cases, args := "", []any{}
	err := db.rows(ctx, `SELECT DISTINCT currency FROM segment_totals WHERE workspace = ? AND livemode = ? AND customers > 0 ORDER BY currency`,
		[]any{s.scope.Workspace, bit(s.scope.Livemode)}, func(rows *sql.Rows) error {
			currency := ""
			err := rows.Scan(&currency)
			if least, other := q.MinMRROf[currency]; other && least != q.MinMRR {
				cases, args = cases+` WHEN ? THEN `+decimal, append(args, currency, -least)
			}
			return err
		})
	if err != nil {
		return fmt.Errorf("read the segment's currencies: %w", err)
	}
	if cases == "" {
		s.and(`neg_mrr <= ?`, -q.MinMRR)
		return nil
	}
	s.and(`neg_mrr <= CASE currency`+cases+` ELSE `+decimal+` END`, append(args, -q.MinMRR)...)
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
	if s.few {
		query = `SELECT COUNT(*) FROM (SELECT 1 ` + s.text + ` LIMIT ` + strconv.Itoa(CountedTo+1) + `) counted`
		err = db.row(ctx, query, s.args...).Scan(&n)
		return min(n, CountedTo), n > CountedTo, err
	}
	err = db.row(ctx, s.counting(CountedAmong, CountedTo+1), s.args...).Scan(&n)
	return min(n, CountedTo), n > CountedTo || of > CountedAmong, err
}

// counting is the query that counts who is selected among the riskiest, as far as is said.
func (s *selection) counting(among, to int) string {
	return `SELECT COUNT(*) FROM (SELECT 1 FROM (SELECT customer, currency, neg_mrr, plan_interval, top_term, search_bits ` + s.text[:s.unfiltered] + `
		ORDER BY tier_rank, neg_score, neg_mrr, customer LIMIT ` + strconv.Itoa(among) + `) at_risk
		WHERE 1 = 1` + s.text[s.unfiltered:] + ` LIMIT ` + strconv.Itoa(to) + `) counted`
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
