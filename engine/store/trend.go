package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
)

// Trend is the at-risk segment day by day.
type Trend struct {
	Livemode bool
	// Days has one point a day (UTC), oldest first, up to today; it begins with the first day that is known.
	Days []TrendDay
}

// TrendDay is the at-risk segment at the end of a day; of today, as it stands now.
type TrendDay struct {
	Day time.Time
	// Critical, Leaving and Normal count the customers at risk by tier.
	Critical, Leaving, Normal int
	// MRR by currency, in whole minor units a month.
	MRR map[string]int64
}

// AtRisk counts the whole segment.
func (d TrendDay) AtRisk() int { return d.Critical + d.Leaving + d.Normal }

// segmentKey is one part of the at-risk segment, segmentSum what it holds or what a transaction adds to it.
type (
	segmentKey struct {
		AccountRef
		tierRank int
		currency string
	}
	segmentSum struct{ customers, mrr int64 }
)

func compareSegments(a, b segmentKey) int {
	return cmp.Or(compareAccounts(a.AccountRef, b.AccountRef), cmp.Compare(a.tierRank, b.tierRank),
		strings.Compare(a.currency, b.currency))
}

// countSegment notes how a saved record changes the sums.
func (t *Tx) countSegment(r *CustomerRecord) {
	add := func(account string, e scoring.Evaluation, sign int64) {
		if !e.Segment {
			return
		}
		key := segmentKey{AccountRef{r.Scope, account}, tierRank(e.Tier), e.Currency}
		sum := t.segment[key]
		// The same rounding on the way in and out, so that nothing is left of who has left.
		t.segment[key] = segmentSum{sum.customers + sign, sum.mrr + sign*int64(math.Trunc(e.MRR+0.5))}
	}
	if r.stored {
		add(r.accountBefore, r.before, -1)
	}
	add(r.Account, r.Evaluation, 1)
}

// addSegment brings the sums and the day's point up to date.
func (t *Tx) addSegment(ctx context.Context) error {
	keys := make([]segmentKey, 0, len(t.segment))
	for key, sum := range t.segment {
		if sum != (segmentSum{}) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareSegments)
	now := make(map[segmentKey]segmentSum, len(keys))
	err := t.queryMany(ctx, statement{
		head:  `INSERT INTO segment_totals (workspace, livemode, account, tier_rank, currency, customers, mrr) VALUES `,
		tuple: `(?,?,?,?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, livemode, account, tier_rank, currency) DO UPDATE SET
			customers = segment_totals.customers + excluded.customers, mrr = segment_totals.mrr + excluded.mrr
			RETURNING workspace, livemode, account, tier_rank, currency, customers, mrr`,
	}, len(keys), func(i int) []any { return keys[i].args(t.segment[keys[i]]) }, func(rows *sql.Rows) error {
		var key segmentKey
		var sum segmentSum
		err := rows.Scan(&key.Workspace, &key.Livemode, &key.Account, &key.tierRank, &key.currency, &sum.customers, &sum.mrr)
		now[key] = sum
		return err
	})
	if err != nil {
		return fmt.Errorf("sum up the segment: %w", err)
	}
	day := dayOf(t.store.clock.Now())
	_, err = t.execMany(ctx, statement{
		head:  `INSERT INTO segment_days (workspace, livemode, account, tier_rank, currency, customers, mrr, day) VALUES `,
		tuple: `(?,?,?,?,?,?,?,?)`,
		tail: ` ON CONFLICT (workspace, livemode, account, tier_rank, currency, day) DO UPDATE SET
			customers = excluded.customers, mrr = excluded.mrr`,
	}, len(keys), func(i int) []any { return append(keys[i].args(now[keys[i]]), day) })
	if err != nil {
		return fmt.Errorf("add to the segment's days: %w", err)
	}
	return nil
}

func (k segmentKey) args(sum segmentSum) []any {
	return append(k.AccountRef.args(), k.tierRank, k.currency, sum.customers, sum.mrr)
}

// Trend returns the at-risk segment of the last days, today among them; 400 at most.
func (s *Store) Trend(ctx context.Context, workspace string, days int) (Trend, error) {
	today := dayOf(s.clock.Now())
	from := today - int64(min(max(days, 1), historyDays)) + 1
	trend := Trend{Days: []TrendDay{}}
	err := s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, ModeAuto)
		if err != nil || !ok {
			return err
		}
		trend.Livemode = w.scope.Livemode
		points, err := readSegmentDays(ctx, q, w.scope, from)
		trend.Days = fillTrend(points, from, today)
		return err
	})
	if err != nil {
		return Trend{}, fmt.Errorf("read the trend: %w", err)
	}
	return trend, nil
}

// segmentPoint is a part of the segment as it stood from a day on.
type segmentPoint struct {
	day int64
	key segmentKey
	sum segmentSum
}

// readSegmentDays reads the points since a day and, of each part, the last one before it; in order of days.
func readSegmentDays(ctx context.Context, q querier, w Scope, from int64) (points []segmentPoint, err error) {
	const columns = `d.account, d.tier_rank, d.currency, d.day, d.customers, d.mrr`
	const part = `workspace = t.workspace AND livemode = t.livemode AND account = t.account AND tier_rank = t.tier_rank
		AND currency = t.currency`
	err = q.rows(ctx, `SELECT `+columns+` FROM segment_totals t CROSS JOIN segment_days d
		WHERE t.workspace = ? AND t.livemode = ? AND d.workspace = t.workspace AND d.livemode = t.livemode
			AND d.account = t.account AND d.tier_rank = t.tier_rank AND d.currency = t.currency
			AND d.day >= COALESCE((SELECT MAX(day) FROM segment_days WHERE `+part+` AND day < ?), ?)
		ORDER BY d.day`, []any{w.Workspace, bit(w.Livemode), from, from}, func(rows *sql.Rows) error {
		p := segmentPoint{key: segmentKey{AccountRef: AccountRef{Scope: w}}}
		err := rows.Scan(&p.key.Account, &p.key.tierRank, &p.key.currency, &p.day, &p.sum.customers, &p.sum.mrr)
		points = append(points, p)
		return err
	})
	return points, err
}

// fillTrend makes a point of each day: a part without one stands as the day before.
func fillTrend(points []segmentPoint, from, today int64) []TrendDay {
	days := []TrendDay{}
	if len(points) == 0 {
		return days
	}
	standing := map[segmentKey]segmentSum{}
	next := 0
	for day := max(from, points[0].day); day <= today; day++ {
		for ; next < len(points) && points[next].day <= day; next++ {
			standing[points[next].key] = points[next].sum
		}
		point := TrendDay{Day: time.Unix(day*secondsADay, 0).UTC(), MRR: map[string]int64{}}
		for key, sum := range standing {
			point.add(key, sum)
		}
		days = append(days, point)
	}
	return days
}

func (d *TrendDay) add(key segmentKey, sum segmentSum) {
	switch key.tierRank {
	case tierRank(scoring.Critical):
		d.Critical += int(sum.customers)
	case tierRank(scoring.Leaving):
		d.Leaving += int(sum.customers)
	default:
		d.Normal += int(sum.customers)
	}
	if key.currency != "" {
		d.MRR[key.currency] += sum.mrr
	}
}
