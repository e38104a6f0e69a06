package ingest

import "time"

// tryTime bounds one try at a batch or at a single message.
const tryTime = 10 * time.Second

// retrySchedule are the pauses after the first, second, … failed try.
var retrySchedule = [...]time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour}

// retryTime is how long a message is retried at least: the whole schedule. Tries that failed because the store was away
// also count at the bus, so that the number of tries alone would give up too early.
const retryTime = time.Minute + 5*time.Minute + 30*time.Minute + 2*time.Hour + 12*time.Hour

// nextRetry says when a message that failed for the attempt-th time, age after its receipt, is tried again; false
// means that it has had all its tries.
func nextRetry(attempt int, age time.Duration) (after time.Duration, again bool) {
	if attempt <= len(retrySchedule) {
		return retrySchedule[max(attempt, 1)-1], true
	}
	if age < retryTime {
		return min(retryTime-age, 2*time.Hour), true
	}
	return 0, false
}
