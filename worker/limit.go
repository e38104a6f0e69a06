package worker

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
)

// What one account may be asked a second. Stripe allows 100 live and 25 test for everybody who reads the account;
// live keeps a fifth free for the account's own systems.
const (
	liveRate = 80
	testRate = 25
)

// limiters holds one token bucket for each account and mode, shared by all tasks of that account in this process.
type limiters struct {
	clock clock.WithTicker
	mu    sync.Mutex
	each  map[string]*rate.Limiter
}

func newLimiters(c clock.WithTicker) *limiters {
	return &limiters{clock: c, each: map[string]*rate.Limiter{}}
}

// wait blocks until the account may be asked once more, or until ctx ends.
func (l *limiters) wait(ctx context.Context, account string, live bool) error {
	now := l.clock.Now()
	return pause(ctx, l.clock, l.of(account, live).ReserveN(now, 1).DelayFrom(now))
}

func (l *limiters) of(account string, live bool) *rate.Limiter {
	key, perSecond := account+".test", testRate
	if live {
		key, perSecond = account+".live", liveRate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, ok := l.each[key]
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(perSecond), perSecond/4)
		l.each[key] = limiter
	}
	return limiter
}

// pause waits on the clock for d, or until ctx ends.
func pause(ctx context.Context, c clock.WithTicker, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := c.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C():
		return nil
	}
}
