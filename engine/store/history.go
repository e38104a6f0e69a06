package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// historyDays is how far back scores and the segment are shown.
const historyDays = 400

// ScoreHistory is a customer's score day by day.
type ScoreHistory struct {
	Livemode bool
	// Points has one point a day (UTC), oldest first, up to today; it begins with the first day that is known.
	Points []ScorePoint
}

// ScoreHistory returns a customer's score of the last days, today among them and 400 at most, or ErrNotFound.
func (s *Store) ScoreHistory(ctx context.Context, workspace, customer string, days int) (ScoreHistory, error) {
	today := dayOf(s.clock.Now())
	from := today - int64(min(max(days, 1), historyDays)) + 1
	var h ScoreHistory
	err := s.view(ctx, func(q querier) error {
		w, ok, err := readScope(ctx, q, workspace, ModeAuto)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		changes, err := readScoreChanges(ctx, q, w.scope, customer, from)
		if errors.Is(err, ErrNotFound) && w.scope.Livemode {
			w.scope.Livemode = false // as for Customer: a link from the test data's page still leads somewhere
			changes, err = readScoreChanges(ctx, q, w.scope, customer, from)
		}
		h.Livemode, h.Points = w.scope.Livemode, fillScores(changes, from, today)
		return err
	})
	if err != nil {
		return ScoreHistory{}, fmt.Errorf("read a customer's history: %w", err)
	}
	return h, nil
}

// readScoreChanges returns the points since a day and the last one before it, or ErrNotFound for a customer without any.
func readScoreChanges(ctx context.Context, q querier, w Scope, customer string, from int64) (changes []ScorePoint, err error) {
	err = readHistory(ctx, q, []any{w.Workspace, bit(w.Livemode), customer}, from, &changes)
	if err == nil && len(changes) == 0 {
		return nil, ErrNotFound
	}
	return changes, err
}

// fillScores makes a point of each day: one without a change has the score of the day before.
func fillScores(changes []ScorePoint, from, today int64) []ScorePoint {
	points := []ScorePoint{}
	if len(changes) == 0 {
		return points
	}
	next := 0
	for day := max(from, dayOf(changes[0].Day)); day <= today; day++ {
		for next+1 < len(changes) && dayOf(changes[next+1].Day) <= day {
			next++
		}
		point := changes[next]
		point.Day = time.Unix(day*secondsADay, 0).UTC()
		points = append(points, point)
	}
	return points
}

// readHistory also takes the last point before the first day, from which the days without a point follow.
func readHistory(ctx context.Context, q querier, key []any, from int64, out *[]ScorePoint) error {
	err := q.rows(ctx, `SELECT day, score, tier, p30 FROM score_history WHERE workspace = ? AND livemode = ? AND customer = ?
		AND day >= COALESCE((SELECT MAX(day) FROM score_history
			WHERE workspace = ? AND livemode = ? AND customer = ? AND day <= ?), 0)
		ORDER BY day`, append(append(append([]any{}, key...), key...), from), func(rows *sql.Rows) error {
		var p ScorePoint
		var day int64
		err := rows.Scan(&day, &p.Score, &p.Tier, &p.P30)
		p.Day = time.Unix(day*secondsADay, 0).UTC()
		*out = append(*out, p)
		return err
	})
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}
