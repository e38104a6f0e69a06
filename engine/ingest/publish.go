package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
)

// publishChanged tells the operator the counts that may have changed, and returns after which time the next of them may
// be told; 0 when none waits.
func (e *Engine) publishChanged(ctx context.Context) (again time.Duration) {
	m := e.matcher
	for _, key := range m.inbox.take() {
		wait := m.publishAt[key].Sub(e.clock.Now())
		if wait <= 0 {
			err := e.publish(ctx, key)
			if err == nil {
				m.publishAt[key] = e.clock.Now().Add(publishEvery)
				continue
			}
			e.logger.Warn("match counts cannot be published yet", "account", key, "again", watchRetry, "error", err)
			wait = watchRetry
			m.publishAt[key] = e.clock.Now().Add(wait)
		}
		m.inbox.keep(key)
		if again == 0 || wait < again {
			again = wait
		}
	}
	return again
}

// publish counts an account's matches and puts them on the board. The counts found there are read before and replaced
// only while they stand: of several engines none can overwrite newer counts with older ones.
func (e *Engine) publish(ctx context.Context, key string) error {
	e.matcher.mu.Lock()
	policy, ok := e.matcher.known[key]
	gone := e.matcher.gone[key]
	e.matcher.mu.Unlock()
	if !ok {
		return e.withdraw(ctx, key, gone)
	}
	for {
		found, revision, err := e.matcher.counts.Get(ctx, key)
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			return err
		}
		counts, failed := e.count(ctx, policy)
		if failed != nil {
			return failed
		}
		if err != nil {
			_, err = e.matcher.counts.Create(ctx, key, counts)
		} else if found.At = counts.At; found != counts {
			_, err = e.matcher.counts.Update(ctx, key, counts, revision)
		}
		if !errors.Is(err, bus.ErrConflict) && !errors.Is(err, bus.ErrExists) {
			return err
		}
	}
}

// withdraw removes the counts of an account that is no longer matched.
func (e *Engine) withdraw(ctx context.Context, key string, gone bool) error {
	if !gone {
		return nil
	}
	if err := e.matcher.counts.Delete(ctx, key); err != nil {
		return err
	}
	e.matcher.mu.Lock()
	defer e.matcher.mu.Unlock()
	delete(e.matcher.gone, key)
	return nil
}

// count counts an account's matches now.
func (e *Engine) count(ctx context.Context, policy bus.MatchPolicy) (bus.Matches, error) {
	n, err := e.store.MatchCounts(ctx, accountOf(policy))
	return bus.Matches{
		Profiles: n.Profiles, Matched: n.Matched, Review: n.Review, Unmatched: n.Unmatched,
		MinimumConfidence: n.Under.MinimumConfidence, RematchAt: n.Under.Asked, At: e.clock.Now().Unix(),
	}, err
}
