package worker

import "time"

// retrySchedule is how long to wait after each failed try of a small task (the product's retry promise).
var retrySchedule = []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour}

// nextRetry gives the wait after the given attempt, counted from 1; ok is false when the schedule is used up.
func nextRetry(attempt int) (wait time.Duration, ok bool) {
	if attempt < 1 {
		attempt = 1
	}
	if attempt > len(retrySchedule) {
		return 0, false
	}
	return retrySchedule[attempt-1], true
}

const (
	// backfillPatience is how many deliveries a backfill gets: at the longest wait about 15 hours of trouble.
	backfillPatience = 64
	maxBackfillWait  = 15 * time.Minute
)

// nextResume is nextRetry for a backfill, which loses nothing by being interrupted and so waits less.
func nextResume(attempt int) (wait time.Duration, ok bool) {
	if attempt >= backfillPatience {
		return 0, false
	}
	return min(15*time.Second<<min(max(attempt-1, 0), 6), maxBackfillWait), true
}
