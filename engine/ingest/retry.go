package ingest

import (
	"time"

	"github.com/kustiq/kustiq/internal/retry"
)

// tryTime bounds one try at a batch or at a single message.
const tryTime = 10 * time.Second

// nextRetry says when a message that failed for the attempt-th time, age after its receipt, is tried again; false
// means that it has had all its tries. Tries that failed because the store was away also count at the bus, so that their
// number alone would give up too early.
func nextRetry(attempt int, age time.Duration) (after time.Duration, again bool) {
	if attempt <= retry.Tries {
		return retry.Pause(attempt), true
	}
	if age < retry.Whole {
		return min(retry.Whole-age, 2*time.Hour), true
	}
	return 0, false
}
