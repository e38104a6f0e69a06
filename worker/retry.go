package worker

import (
	"time"

	"github.com/kustiq/kustiq/internal/retry"
)

// deferredMost is the age up to which a look-up is put off because Stripe, or a token that is out of time, asks for it.
const deferredMost = 24 * time.Hour

// nextRetry gives the wait after the given attempt, counted from 1, at a look-up of an age; ok is false when it has had all its
// tries. Shutdowns, crashes and being put off count as attempts at the bus, so that they alone never end it.
func nextRetry(attempt int, age time.Duration) (wait time.Duration, ok bool) {
	if wait, ok = retry.ByAge(age); ok || attempt > retry.Tries {
		return wait, ok
	}
	return retry.Pause(attempt), true
}

const (
	// backfillPatience is how many deliveries a backfill gets: at the longest wait about 15 hours of trouble.
	backfillPatience = 64
	maxBackfillWait  = 15 * time.Minute
)

// nextResume is the wait of a backfill, which loses nothing by being interrupted and so waits less.
func nextResume(attempt int) (wait time.Duration, ok bool) {
	if attempt >= backfillPatience {
		return 0, false
	}
	return min(15*time.Second<<min(max(attempt-1, 0), 6), maxBackfillWait), true
}
