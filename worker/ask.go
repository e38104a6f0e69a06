package worker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

const (
	// maxInline is the longest wait during which a task is kept; longer ones hand it back to the bus.
	maxInline = 20 * time.Second
	// maxThrottled is how many refusals of one request in a row are waited out before the task is handed back.
	maxThrottled = 5
	// maxRepeats is how often a request for history is repeated that Stripe failed to answer, before the run is given up: it has
	// hundreds of others under way. The waits double from firstRepeat; what lasts longer is for the retry schedule.
	maxRepeats  = 4
	firstRepeat = 500 * time.Millisecond
)

// later says that the task should be delivered again after a while; 0 leaves it to the retry schedule.
type later struct {
	after time.Duration
	cause error
}

func (l *later) Error() string { return fmt.Sprintf("again in %s: %v", l.after, l.cause) }
func (l *later) Unwrap() error { return l.cause }

// caller asks Stripe about one account: within its budget, patient with 429, and with the newest token. It is safe for
// concurrent use.
type caller struct {
	w          *Worker
	connection string
	budget     *budget
	// lookUp goes ahead of what reads history.
	lookUp bool
	// left is how many pages are left of a path's list; nil when no list is read.
	left func(path string) float64

	mu     sync.Mutex
	token  tokenstore.Record
	client *stripeapi.AccountClient

	requests, throttled atomic.Int64
	// refusedSince is when Stripe began to let nothing through, in unix seconds; 0 while it does.
	refusedSince atomic.Int64
}

// newCaller loads the connection's token.
func (w *Worker) newCaller(ctx context.Context, connection, account string, live bool) (*caller, error) {
	c := &caller{w: w, connection: connection, budget: w.budgets.of(account, live)}
	token, err := w.tokens.Load(ctx, connection)
	if err != nil {
		return nil, fmt.Errorf("load token: %w", err)
	}
	c.token, c.client = token, w.api.Account(token.Access)
	return c, nil
}

func (c *caller) current() (*stripeapi.AccountClient, tokenstore.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client, c.token
}

// ask makes one request for a path, as often as it takes. The error is a *later, a *stripeapi.Error, or the context's.
func (c *caller) ask(ctx context.Context, path string, request func(*stripeapi.AccountClient) error) error {
	for refused, failures := 0, 0; ; {
		token, err := c.try(ctx, path, request)
		var failed *stripeapi.Error
		if !errors.As(err, &failed) {
			if err == nil {
				c.refusedSince.Store(0)
			}
			return err
		}
		switch {
		case failed.Code == errcode.ST429:
			refused++
			if err := c.refusal(ctx, path, refused, failed); err != nil {
				return err
			}
		case failed.Code == errcode.ST401:
			if renewed, late := c.renew(ctx, token, err); !renewed {
				return late
			}
		case passing(failed) && failures < maxRepeats && !c.lookUp: // a look-up's task is tried again by itself
			wait := firstRepeat << failures
			failures++
			if err := pause(ctx, c.w.clock, wait-time.Duration(c.w.random()*float64(wait)/2)); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// try makes one request within the budget, and tells the token that it went with. Of requests for history so many are under way
// in this process at a time; one that has to pause is not.
func (c *caller) try(ctx context.Context, path string, request func(*stripeapi.AccountClient) error) (tokenstore.Record, error) {
	var s seat
	if !c.lookUp {
		s = seat{turns: c.w.requests, key: c.budget.key}
	}
	defer s.leave()
	of := claim{lookUp: c.lookUp}
	if c.left != nil {
		of.left = c.left(path)
	}
	if err := c.budget.wait(ctx, path, of, &s); err != nil {
		return tokenstore.Record{}, err
	}
	client, token := c.current()
	c.requests.Add(1)
	return token, request(client)
}

// passing says whether the same request may well succeed in a moment: there was no answer, or Stripe's own failure.
func passing(failed *stripeapi.Error) bool {
	if errors.Is(failed, stripeapi.ErrNotFound) || errors.Is(failed, stripeapi.ErrWriteRefused) {
		return false
	}
	return failed.Status == 0 || failed.Status == http.StatusConflict || failed.Status >= http.StatusInternalServerError
}

// refusal slows the account down as the refusal's reason says, and waits before the request is repeated. A long wait, or
// one refusal too many, is a *later.
func (c *caller) refusal(ctx context.Context, path string, refused int, failed *stripeapi.Error) error {
	c.throttled.Add(1)
	c.refusedSince.CompareAndSwap(0, c.w.clock.Now().Unix())
	c.w.metrics.throttled.WithLabelValues(reasonLabel(failed.Reason)).Inc()
	switch failed.Reason {
	case "resource-specific":
		// One object is busy: that is nothing to do with how much is asked.
	case "endpoint-rate", "endpoint-concurrency":
		if err := c.budget.refused(path, failed.RetryAfter); err != nil {
			return err
		}
	default:
		if err := c.budget.refused("", failed.RetryAfter); err != nil {
			return err
		}
	}
	wait := throttleWait(refused, failed.RetryAfter)
	if wait > maxInline {
		return &later{after: wait, cause: failed}
	}
	if refused >= maxThrottled {
		return &later{cause: failed}
	}
	return pause(ctx, c.w.clock, wait)
}

// throttleWait believes Stripe, and otherwise doubles from one second.
func throttleWait(refused int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	return time.Second << min(refused-1, 5)
}

// renew reads the token again, since the operator may have rotated it while this task ran. It says whether there is a
// newer one than the one that was refused, and if not, what the refusal amounts to.
func (c *caller) renew(ctx context.Context, refused tokenstore.Record, refusal error) (bool, error) {
	token, err := c.w.tokens.Load(ctx, c.connection)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return false, refusal
	case err != nil:
		return false, fmt.Errorf("load token again: %w", err)
	case token.Access != refused.Access:
		c.mu.Lock()
		defer c.mu.Unlock()
		if token.Access != c.token.Access {
			c.token, c.client = token, c.w.api.Account(token.Access)
		}
		return true, nil
	case !token.ExpiresAt.IsZero() && !token.ExpiresAt.After(c.w.clock.Now()):
		// Not revoked but out of time: the operator is about to refresh it.
		return false, &later{after: time.Minute, cause: refusal}
	}
	return false, refusal
}
