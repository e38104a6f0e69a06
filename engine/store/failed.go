package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// failedPage is how many failed events a page has at most.
const failedPage = 1000

// FailedQuery asks for one page of a workspace's failed events.
type FailedQuery struct {
	// Events keeps only these; empty for all.
	Events []string
	// Limit is the page's size; 1000 when zero, and at most.
	Limit int
	// After is the Next of the page before; empty for the first page.
	After string
}

// FailedPage is one page of failed events.
type FailedPage struct {
	Events []FailedEvent
	// Next is the After of the next page; empty on the last one.
	Next string
}

// Failed returns one page of the workspace's failed events of both modes, newest first, or ErrCursor.
func (s *Store) Failed(ctx context.Context, workspace string, q FailedQuery) (FailedPage, error) {
	page, where, args := FailedPage{Events: []FailedEvent{}}, "", []any{workspace}
	if q.Limit <= 0 {
		q.Limit = failedPage
	}
	q.Limit = min(q.Limit, failedPage)
	if len(q.Events) > 0 {
		where = ` AND event_id IN (?` + strings.Repeat(`,?`, len(q.Events)-1) + `)`
		for _, event := range q.Events {
			args = append(args, event)
		}
	}
	if q.After != "" {
		at, event, livemode, err := decodeFailed(q.After)
		if err != nil {
			return FailedPage{}, fmt.Errorf("list failed events: %w", err)
		}
		where += ` AND (failed_at < ? OR failed_at = ? AND (event_id > ? OR event_id = ? AND livemode > ?))`
		args = append(args, at, at, event, event, livemode)
	}
	err := s.view(ctx, func(db querier) error {
		return db.rows(ctx, `SELECT livemode, event_id, event_type, connection, account, reason, attempts, created, failed_at
			FROM failed_events WHERE workspace = ?`+where+` ORDER BY failed_at DESC, event_id, livemode LIMIT ?`, append(args, q.Limit+1),
			func(rows *sql.Rows) error {
				if len(page.Events) == q.Limit {
					page.Next = encodeFailed(page.Events[q.Limit-1])
					return nil
				}
				var e FailedEvent
				var created, failedAt int64
				err := rows.Scan(&e.Livemode, &e.EventID, &e.EventType, &e.Connection, &e.Account, &e.Reason, &e.Attempts,
					&created, &failedAt)
				e.Created, e.FailedAt = time.Unix(created, 0).UTC(), fromMilli(failedAt)
				page.Events = append(page.Events, e)
				return err
			})
	})
	if err != nil {
		return FailedPage{}, fmt.Errorf("list failed events: %w", err)
	}
	return page, nil
}

// encodeFailed is the cursor of the page after an event.
func encodeFailed(e FailedEvent) string {
	return encodePlace("f", fmt.Sprintf("%d %d %s", e.FailedAt.UnixMilli(), bit(e.Livemode), e.EventID))
}

func decodeFailed(after string) (at int64, event string, livemode int, err error) {
	place, err := decodePlace("f", after)
	if err != nil {
		return 0, "", 0, err
	}
	parts := strings.SplitN(place, " ", 3)
	if len(parts) != 3 {
		return 0, "", 0, ErrCursor
	}
	if at, err = strconv.ParseInt(parts[0], 10, 64); err == nil {
		livemode, err = strconv.Atoi(parts[1])
	}
	if err != nil || livemode != bit(livemode != 0) {
		return 0, "", 0, ErrCursor
	}
	return at, parts[2], livemode, nil
}
