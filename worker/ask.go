package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

const (
	// maxInline is the longest wait during which a task is kept; longer ones hand it back to the bus.
	maxInline = 20 * time.Second
	// maxThrottled is how many refusals in a row are waited out before the task is handed back.
	maxThrottled = 5
)

// later says that the task should be delivered again after a while.
type later struct {
	after time.Duration
	cause error
}

func (l *later) Error() string { return fmt.Sprintf("again in %s: %v", l.after, l.cause) }
func (l *later) Unwrap() error { return l.cause }

// caller asks Stripe about one account: within its rate, patient with 429, and with the newest token.
type caller struct {
	w          *Worker
	connection string
	account    string
	live       bool
	// alive is called before every request and every wait, so that the bus does not give the task to another.
	alive func() error

	token               tokenstore.Record
	client              *stripeapi.AccountClient
	requests, throttled int64
}

// newCaller loads the connection's token.
func (w *Worker) newCaller(ctx context.Context, connection, account string, live bool, alive func() error) (*caller, error) {
	c := &caller{w: w, connection: connection, account: account, live: live, alive: alive}
	token, err := w.tokens.Load(ctx, connection)
	if err != nil {
		return nil, fmt.Errorf("load token: %w", err)
	}
	c.use(token)
	return c, nil
}

func (c *caller) use(token tokenstore.Record) {
	c.token, c.client = token, c.w.api.Account(token.Access)
}

// ask makes one request, as often as it takes. The error is a *later, a *stripeapi.Error, or the context's.
func (c *caller) ask(ctx context.Context, request func(*stripeapi.AccountClient) error) error {
	for refused := 0; ; {
		if err := c.alive(); err != nil {
			return err
		}
		if err := c.w.limits.wait(ctx, c.account, c.live); err != nil {
			return err
		}
		c.requests++
		err := request(c.client)
		var failed *stripeapi.Error
		if !errors.As(err, &failed) {
			return err
		}
		switch failed.Code {
		case errcode.ST429:
			refused++
			c.throttled++
			c.w.metrics.throttled.WithLabelValues(reasonLabel(failed.Reason)).Inc()
			wait := throttleWait(refused, failed.RetryAfter)
			if wait > maxInline || refused >= maxThrottled {
				return &later{after: max(wait, time.Minute), cause: err}
			}
			if err := pause(ctx, c.w.clock, wait); err != nil {
				return err
			}
		case errcode.ST401:
			if renewed, late := c.renew(ctx, err); !renewed {
				return late
			}
		default:
			return err
		}
	}
}

// throttleWait believes Stripe, and otherwise doubles from one second.
func throttleWait(refused int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	return time.Second << min(refused-1, 5)
}

// renew reads the token again, since the operator may have rotated it while this task ran. It says whether there is a
// newer one to try, and if not, what the refusal amounts to.
func (c *caller) renew(ctx context.Context, refusal error) (bool, error) {
	token, err := c.w.tokens.Load(ctx, c.connection)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return false, refusal
	case err != nil:
		return false, fmt.Errorf("load token again: %w", err)
	case token.Access != c.token.Access:
		c.use(token)
		return true, nil
	case !token.ExpiresAt.IsZero() && !token.ExpiresAt.After(c.w.clock.Now()):
		// Not revoked but out of time: the operator is about to refresh it.
		return false, &later{after: time.Minute, cause: refusal}
	}
	return false, refusal
}
