// Package retry owns the product's promise of when something that failed is tried again: after 1 min, 5 min, 30 min, 2 h and
// 12 h. It knows nothing of what is tried.
package retry

import "time"

var pauses = [...]time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour}

const (
	// Tries is how many of the promised pauses there are: a further failure is the last.
	Tries = len(pauses)
	// Whole is how long the promise takes.
	Whole = time.Minute + 5*time.Minute + 30*time.Minute + 2*time.Hour + 12*time.Hour
)

// Pause is that after the n-th failed try, counted from 1; the last one goes for all after it.
func Pause(n int) time.Duration { return pauses[min(max(n, 1), Tries)-1] }

// ByAge is how long work of an age waits for the next promised try, when what else cost it tries, such as a crash or a long
// way, is not to count; false means that it is older than the whole promise.
func ByAge(age time.Duration) (pause time.Duration, again bool) {
	due := time.Duration(0)
	for _, p := range pauses {
		if due += p; age < due {
			return due - age, true
		}
	}
	return 0, false
}
