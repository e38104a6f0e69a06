package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// DeliveryStatus is what became of a delivery.
type DeliveryStatus string

// The statuses of a delivery.
const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryGivenUp   DeliveryStatus = "given_up"
)

// ErrPending says that a delivery is still being tried.
var ErrPending = errors.New("the delivery is still pending")

// Delivery is one churn event on its way to one receiver, or what is kept of it.
type Delivery struct {
	Scope
	// Seq names the delivery and orders those of a customer.
	Seq      int64
	Account  string
	Customer string
	// Endpoint is the receiver's id, Host the name of its host.
	Endpoint, Host string
	// MessageID and EventType are the event's; the same event has the same message id at every receiver.
	MessageID, EventType string
	// Body is only read by who delivers.
	Body     []byte
	Status   DeliveryStatus
	Attempts int
	// ResponseCode is the last answer's, 0 without one; Failure says in one word why the last attempt failed.
	ResponseCode int
	Failure      string
	CreatedAt    time.Time
	// AttemptedAt is the last attempt's; zero before it.
	AttemptedAt time.Time
	// NextAt is when a pending delivery is tried next, or when the claim of who is trying ends.
	NextAt time.Time
}

// Enqueue puts deliveries into the outbox, to be sent when the transaction is committed; each needs scope, account,
// customer, endpoint, host, message and body.
func (t *Tx) Enqueue(ctx context.Context, deliveries []Delivery) error {
	now := t.store.clock.Now().UnixMilli()
	_, err := t.execMany(ctx, statement{
		head: `INSERT INTO deliveries (workspace, livemode, account, customer, endpoint, host, message_id, event_type, body,
			status, attempts, response_code, failure, created_at, attempted_at, next_at) VALUES `,
		tuple: `(?,?,?,?,?,?,?,?,?,'pending',0,0,'',?,0,?)`,
	}, len(deliveries), func(i int) []any {
		d := deliveries[i]
		return []any{d.Workspace, bit(d.Livemode), d.Account, d.Customer, d.Endpoint, d.Host, d.MessageID, d.EventType, d.Body, now, now}
	})
	if err != nil {
		return fmt.Errorf("enqueue churn events: %w", err)
	}
	return nil
}

const deliveryColumns = `workspace, livemode, seq, account, customer, endpoint, host, message_id, event_type, status,
	attempts, response_code, failure, created_at, attempted_at, next_at`

func scanDelivery(rows scanner, further ...any) (d Delivery, err error) {
	var created, attempted, next int64
	err = rows.Scan(append([]any{&d.Workspace, &d.Livemode, &d.Seq, &d.Account, &d.Customer, &d.Endpoint, &d.Host, &d.MessageID,
		&d.EventType, &d.Status, &d.Attempts, &d.ResponseCode, &d.Failure, &created, &attempted, &next}, further...)...)
	d.CreatedAt, d.AttemptedAt, d.NextAt = fromMilli(created), fromMilli(attempted), fromMilli(next)
	return d, err
}

// ClaimDeliveries takes up to limit deliveries that are due, over all workspaces, and keeps others from them until the
// lease is over; their attempt is counted. Of each customer and receiver it takes the first that is pending and none
// after it. Receivers of the given ids are passed over. more says that a further call may find something at once.
func (s *Store) ClaimDeliveries(ctx context.Context, limit int, lease time.Duration, except []string) (
	claimed []Delivery, more bool, err error,
) {
	err = s.Update(ctx, func(tx *Tx) error {
		claimed = nil
		now := s.clock.Now()
		due, err := tx.dueDeliveries(ctx, now, limit, except)
		if err != nil {
			return err
		}
		more = len(due) == limit
		for _, d := range due {
			// The rows are locked, so that whoever settles the one before them wakes them after this transaction.
			head, at, err := tx.queueHead(ctx, d)
			if err != nil {
				return err
			}
			if head != d.Seq {
				if err := tx.holdDelivery(ctx, d, at, now); err != nil {
					return err
				}
				continue
			}
			d.Attempts++
			d.NextAt = now.Add(lease)
			if _, err := tx.exec(ctx, `UPDATE deliveries SET attempts = ?, next_at = ? WHERE seq = ?`,
				d.Attempts, d.NextAt.UnixMilli(), d.Seq); err != nil {
				return err
			}
			claimed = append(claimed, d)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("claim deliveries: %w", err)
	}
	return claimed, more, nil
}

func (t *Tx) dueDeliveries(ctx context.Context, now time.Time, limit int, except []string) (due []Delivery, err error) {
	query := `SELECT ` + deliveryColumns + `, body FROM deliveries WHERE status = 'pending' AND next_at <= ?`
	args := []any{now.UnixMilli()}
	if len(except) > 0 {
		query += ` AND endpoint NOT IN (?` + strings.Repeat(`,?`, len(except)-1) + `)`
		for _, endpoint := range except {
			args = append(args, endpoint)
		}
	}
	query += ` ORDER BY next_at, seq LIMIT ?` + t.lock(` FOR UPDATE SKIP LOCKED`)
	err = t.querier().rows(ctx, query, append(args, limit), func(rows *sql.Rows) error {
		var body []byte
		d, err := scanDelivery(rows, &body)
		d.Body = body
		due = append(due, d)
		return err
	})
	return due, err
}

// queueHead is the first pending delivery of a delivery's customer and receiver, and when that is due.
func (t *Tx) queueHead(ctx context.Context, d Delivery) (seq int64, at time.Time, err error) {
	var next int64
	err = t.querier().row(ctx, `SELECT seq, next_at FROM deliveries WHERE workspace = ? AND livemode = ? AND customer = ?
		AND endpoint = ? AND status = 'pending' ORDER BY seq LIMIT 1`, d.queue()...).Scan(&seq, &next)
	return seq, fromMilli(next), err
}

func (d Delivery) queue() []any { return []any{d.Workspace, bit(d.Livemode), d.Customer, d.Endpoint} }

// holdDelivery makes one wait for the head of its queue.
func (t *Tx) holdDelivery(ctx context.Context, d Delivery, head, now time.Time) error {
	const least = time.Second
	if soonest := now.Add(least); head.Before(soonest) {
		head = soonest
	}
	_, err := t.exec(ctx, `UPDATE deliveries SET next_at = ? WHERE seq = ?`, head.UnixMilli(), d.Seq)
	return err
}

// SettleDelivery notes how a claimed delivery's attempt ended: its Status, ResponseCode and Failure, and NextAt where it
// stays pending. ok is false when the claim was lost meanwhile, to an erasure or to somebody else; nothing changes then.
func (s *Store) SettleDelivery(ctx context.Context, d Delivery) (ok bool, err error) {
	err = s.Update(ctx, func(tx *Tx) error {
		now := s.clock.Now().UnixMilli()
		n, err := tx.exec(ctx, `UPDATE deliveries SET status = ?, response_code = ?, failure = ?, attempted_at = ?, next_at = ?
			WHERE seq = ? AND status = 'pending' AND attempts = ?`,
			string(d.Status), d.ResponseCode, d.Failure, now, d.NextAt.UnixMilli(), d.Seq, d.Attempts)
		if ok = n == 1; err != nil || !ok || d.Status == DeliveryPending {
			return err
		}
		_, err = tx.exec(ctx, `UPDATE deliveries SET next_at = ? WHERE seq = (SELECT MIN(seq) FROM deliveries
			WHERE workspace = ? AND livemode = ? AND customer = ? AND endpoint = ? AND status = 'pending')`,
			append([]any{now}, d.queue()...)...)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("settle a delivery: %w", err)
	}
	return ok, nil
}

// NextDelivery returns when the next delivery is due, over all workspaces; ok is false when none is pending.
func (s *Store) NextDelivery(ctx context.Context) (at time.Time, ok bool, err error) {
	var ms sql.NullInt64
	err = s.view(ctx, func(q querier) error {
		return q.row(ctx, `SELECT MIN(next_at) FROM deliveries WHERE status = 'pending'`).Scan(&ms)
	})
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read the next delivery: %w", err)
	}
	return fromMilli(ms.Int64), ms.Valid, nil
}

// DeliveryQuery asks for one page of a workspace's delivery log.
type DeliveryQuery struct {
	// Limit is the page's size; 50 when zero, 500 at most.
	Limit int
	// Before is the Next of the page before; 0 for the first page.
	Before int64
	// Status and Customer keep some only; empty for all.
	Status   DeliveryStatus
	Customer string
	// Mode chooses live or test data; ModeAuto when empty.
	Mode Mode
}

// DeliveryPage is one page of the delivery log, newest first. Bodies are left out.
type DeliveryPage struct {
	Livemode   bool
	Deliveries []Delivery
	// Next is the Before of the next page; 0 on the last one.
	Next int64
}

// Deliveries returns one page of a workspace's delivery log.
func (s *Store) Deliveries(ctx context.Context, workspace string, q DeliveryQuery) (page DeliveryPage, err error) {
	page.Deliveries = []Delivery{}
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	err = s.view(ctx, func(db querier) error {
		w, ok, err := readScope(ctx, db, workspace, q.Mode)
		if err != nil || !ok {
			return err
		}
		page.Livemode = w.scope.Livemode
		query := `SELECT ` + deliveryColumns + ` FROM deliveries WHERE workspace = ? AND livemode = ?`
		args := []any{w.scope.Workspace, bit(w.scope.Livemode)}
		for _, part := range []struct {
			where string
			value any
			given bool
		}{
			{` AND seq < ?`, q.Before, q.Before > 0},
			{` AND status = ?`, string(q.Status), q.Status != ""},
			{` AND customer = ?`, q.Customer, q.Customer != ""},
		} {
			if part.given {
				query, args = query+part.where, append(args, part.value)
			}
		}
		return db.rows(ctx, query+` ORDER BY seq DESC LIMIT ?`, append(args, limit+1), func(rows *sql.Rows) error {
			if len(page.Deliveries) == limit {
				page.Next = page.Deliveries[limit-1].Seq
				return nil
			}
			d, err := scanDelivery(rows)
			page.Deliveries = append(page.Deliveries, d)
			return err
		})
	})
	if err != nil {
		return DeliveryPage{}, fmt.Errorf("list deliveries: %w", err)
	}
	return page, nil
}

// Resend makes a settled delivery pending again, with a full round of attempts. It fails with ErrNotFound when the
// workspace has no such delivery, and with ErrPending when it has not been settled yet.
func (s *Store) Resend(ctx context.Context, workspace string, seq int64) error {
	err := s.Update(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE deliveries SET status = 'pending', attempts = 0, next_at = ?
			WHERE workspace = ? AND seq = ? AND status <> 'pending'`, s.clock.Now().UnixMilli(), workspace, seq)
		if err != nil || n == 1 {
			return err
		}
		var found int
		err = tx.querier().row(ctx, `SELECT COUNT(*) FROM deliveries WHERE workspace = ? AND seq = ?`, workspace, seq).Scan(&found)
		switch {
		case err != nil:
			return err
		case found == 0:
			return ErrNotFound
		}
		return ErrPending
	})
	if err != nil {
		return fmt.Errorf("send a delivery again: %w", err)
	}
	return nil
}

// deliveriesKept is how long a settled delivery stays in the log.
const deliveriesKept = 30 * 24 * time.Hour

// PruneDeliveries forgets settled deliveries older than 30 days, a bounded part of them in each transaction, and returns
// how many. It is maintenance over all workspaces and reads nothing of them.
func (s *Store) PruneDeliveries(ctx context.Context) (pruned int, err error) {
	cutoff := s.clock.Now().Add(-deliveriesKept).UnixMilli()
	for {
		var n int
		err := s.Update(ctx, func(tx *Tx) (err error) {
			n, err = tx.exec(ctx, `DELETE FROM deliveries WHERE seq IN (
				SELECT seq FROM deliveries WHERE status <> 'pending' AND created_at < ? ORDER BY created_at LIMIT ?)`, cutoff, pruneRows)
			return err
		})
		if err != nil {
			return pruned, fmt.Errorf("prune deliveries: %w", err)
		}
		pruned += n
		if n < pruneRows {
			return pruned, nil
		}
	}
}
