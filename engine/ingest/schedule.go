package ingest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/kustiq/kustiq/engine/notify"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

const (
	// duePage bounds one transaction of the scheduler, so that batches of signals get their turn in between.
	duePage = 200
	// maxIdle is how long the scheduler sleeps at most: another engine's batch cannot wake it.
	maxIdle = 15 * time.Second
	// minRest is the shortest time between two evaluations of a customer that time alone causes.
	minRest = 100 * time.Millisecond
	// heldBack is when a customer that could not be scored is tried again.
	heldBack = time.Hour
	// pruneEvery is how often the ledger is pruned.
	pruneEvery = 24 * time.Hour
)

// schedule re-evaluates customers as they fall due, until ctx ends.
func (e *Engine) schedule(ctx context.Context) error {
	for {
		wait := e.tick(ctx)
		timer := e.clock.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-e.wake:
			timer.Stop()
		case <-timer.C():
		}
	}
}

// tick does what is due now and returns for how long there is nothing to do.
func (e *Engine) tick(ctx context.Context) (wait time.Duration) {
	if _, err := e.reevaluate(ctx); err != nil {
		e.logger.Warn("re-evaluating due customers failed and is tried again", "error", err)
		return maxIdle
	}
	e.prune(ctx)
	next, ok, err := e.store.NextDue(ctx)
	if err != nil {
		e.logger.Warn("the next due time cannot be read", "error", err)
		return maxIdle
	}
	if !ok {
		return maxIdle
	}
	return min(max(next.Sub(e.clock.Now()), minRest), maxIdle)
}

// reevaluate works through the customers that are due, a bounded page after the other, and returns how many.
func (e *Engine) reevaluate(ctx context.Context) (total int, err error) {
	for ctx.Err() == nil {
		n, err := e.reevaluatePage(ctx, duePage)
		if err != nil && !e.store.Unavailable(err) {
			// One customer cannot be scored. Alone, it is found and held back.
			n, err = e.reevaluateOne(ctx)
		}
		if err != nil {
			return total, err
		}
		total += n
		e.metrics.reevaluated.Add(float64(n))
		if n == 0 {
			return total, nil
		}
	}
	return total, ctx.Err()
}

// reevaluatePage evaluates one page of due customers in a transaction.
func (e *Engine) reevaluatePage(ctx context.Context, limit int) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	var counts announced
	err = e.store.Update(ctx, func(tx *store.Tx) error {
		now := e.clock.Now()
		keys, err := tx.Due(ctx, now, limit)
		if err != nil || len(keys) == 0 {
			n, counts = 0, nil
			return err
		}
		n = len(keys)
		counts, err = e.rescore(ctx, tx, keys, now, notify.ByTime)
		return err
	})
	if err == nil {
		e.sent(counts)
	}
	return n, err
}

// reevaluateOne evaluates the customer that is due the longest and puts it off when that fails.
func (e *Engine) reevaluateOne(ctx context.Context) (int, error) {
	n, err := e.reevaluatePage(ctx, 1)
	if err == nil || e.store.Unavailable(err) {
		return n, err
	}
	e.logger.Error("a customer cannot be re-evaluated and is put off", "after", heldBack, "error", err)
	err = e.store.Update(ctx, func(tx *store.Tx) error {
		now := e.clock.Now()
		keys, err := tx.Due(ctx, now, 1)
		if err != nil {
			return err
		}
		n = len(keys)
		return tx.PutOff(ctx, keys, now.Add(heldBack))
	})
	return n, err
}

// rescore evaluates stored states at now. A state that cannot be read is rebuilt from its signals.
func (e *Engine) rescore(
	ctx context.Context, tx *store.Tx, keys []store.CustomerKey, now time.Time, origin notify.Origin,
) (announced, error) {
	records, err := tx.Customers(ctx, keys)
	if err != nil {
		return nil, err
	}
	changes := make(map[store.CustomerKey]*change, len(keys))
	all := make([]*change, 0, len(keys))
	for _, key := range keys {
		c := &change{record: records[key], origin: origin}
		if state := (&scoring.State{}); json.Unmarshal(c.record.State, state) == nil {
			c.state = state
		}
		changes[key], all = c, append(all, c)
	}
	if err := e.rebuild(ctx, tx, changes); err != nil {
		return nil, err
	}
	return e.save(ctx, tx, all, now)
}

// prune forgets old event ids and old deliveries once a day.
func (e *Engine) prune(ctx context.Context) {
	now := e.clock.Now()
	if now.Before(e.pruneAt) {
		return
	}
	e.pruneAt = now.Add(pruneEvery)
	n, err := e.store.PruneEvents(ctx)
	if err != nil {
		e.logger.Warn("pruning the ledger failed and waits for the next day", "error", err)
		return
	}
	deliveries, err := e.store.PruneDeliveries(ctx)
	if err != nil {
		e.logger.Warn("pruning the delivery log failed and waits for the next day", "error", err)
		return
	}
	e.logger.Debug("pruned the ledger and the delivery log", "events", n, "deliveries", deliveries)
}
