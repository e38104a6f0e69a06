package webhookreceiver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits holds a token bucket for each routed account, so that one account's flood leaves room for the others. Only
// accounts with a route get one, which bounds the map.
type limits struct {
	perSecond rate.Limit
	burst     int

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimits(perSecond float64, burst int) *limits {
	return &limits{perSecond: rate.Limit(perSecond), burst: burst, buckets: map[string]*rate.Limiter{}}
}

func (l *limits) allow(account string, now time.Time) bool {
	l.mu.Lock()
	bucket, ok := l.buckets[account]
	if !ok {
		bucket = rate.NewLimiter(l.perSecond, l.burst)
		l.buckets[account] = bucket
	}
	l.mu.Unlock()
	return bucket.AllowN(now, 1)
}
