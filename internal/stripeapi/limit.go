package stripeapi

import (
	"context"
	"time"
)

// limit ends a request that takes too long. It may stand still in between, which a context's deadline cannot.
type limit struct {
	timer   *time.Timer
	timeout time.Duration
	cancel  context.CancelCauseFunc
}

// limited starts a limit; the request must be made with its context.
func limited(ctx context.Context, timeout time.Duration) (*limit, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	l := &limit{timeout: timeout, cancel: cancel}
	l.timer = time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
	return l, ctx
}

func (l *limit) stop() { l.timer.Stop() }

// start begins anew.
func (l *limit) start() { l.timer.Reset(l.timeout) }

// end lets go of the request, which had this error.
func (l *limit) end(err error) error {
	l.timer.Stop()
	l.cancel(nil)
	return err
}
