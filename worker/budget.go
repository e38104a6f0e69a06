package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/bus"
)

// budgets give out what accounts may be asked, one shared with all other workers by the bus.
type budgets struct {
	bus     *bus.Bus
	clock   clock.WithTicker
	share   float64
	metrics *metrics
	mu      sync.Mutex
	each    map[string]*budget
}

func newBudgets(b *bus.Bus, c clock.WithTicker, share float64, m *metrics) (*budgets, error) {
	if _, err := newFrames(share, true); err != nil {
		return nil, err
	}
	return &budgets{bus: b, clock: c, share: share, metrics: m, each: map[string]*budget{}}, nil
}

func (b *budgets) of(account string, live bool) *budget {
	key := bus.RouteKey(account, live)
	b.mu.Lock()
	defer b.mu.Unlock()
	one, ok := b.each[key]
	if !ok {
		f, _ := newFrames(b.share, live) // the share was checked
		one = &budget{budgets: b, key: key, frames: f, wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
		b.each[key] = one
	}
	return one
}

// budget is one account's, as this process sees it: who waits for a request.
type budget struct {
	*budgets
	key    string
	frames frames
	// wake tells serve that somebody joined; urgent that it was a look-up.
	wake, urgent chan struct{}

	// changing is held by the one of this worker who changes what is stored.
	changing sync.Mutex

	mu      sync.Mutex
	waiting []*waiter // as they came
	serving bool
}

// waiter is somebody who wants to ask. ready is closed when its instant, or its error, is known.
type waiter struct {
	demand
	claim
	ready chan struct{}
	err   error
}

// claim is what lets somebody go ahead of others.
type claim struct {
	// lookUp goes ahead of all history.
	lookUp bool
	// left is how many pages are left of the list that is read.
	left float64
}

// inOrder puts look-ups first, and of history the list first of which the most is left: the places of a frame are too few for
// all lists, and a reading lasts as long as its longest. Those who want the same stay as they came.
func inOrder(waiting []*waiter) {
	left := map[string]float64{}
	for _, w := range waiting {
		left[w.path] = max(left[w.path], w.left)
	}
	slices.SortStableFunc(waiting, func(a, b *waiter) int {
		switch {
		case a.lookUp && !b.lookUp:
			return -1
		case b.lookUp && !a.lookUp:
			return 1
		}
		return cmp.Compare(left[b.path], left[a.path])
	})
}

// seatPatience is how long somebody keeps a seat while waiting for an instant: an account that is slowed down leaves the
// seats to those that can use them.
const seatPatience = 2 * time.Second

// wait blocks until one request may be made for a path, and its seat is taken. The error is the context's, or says that the
// bus is away.
func (b *budget) wait(ctx context.Context, path string, of claim, s *seat) error {
	for {
		if err := s.take(ctx); err != nil {
			return err
		}
		w := &waiter{demand: demand{path: path}, claim: of, ready: make(chan struct{})}
		b.join(w)
		if err := b.await(ctx, w, s); err != nil {
			return err
		}
		if err := s.take(ctx); err != nil {
			return err
		}
		if err := pause(ctx, b.clock, w.at.Sub(b.clock.Now())); err != nil {
			return err
		}
		// A process that was held up takes another frame instead of making up for it in a burst.
		if !b.clock.Now().After(b.frames.end(w.at)) {
			b.metrics.slots.WithLabelValues("used").Inc()
			return nil
		}
		b.metrics.slots.WithLabelValues("late").Inc()
	}
}

// await waits until a waiter knows its instant. After a while it does so without its seat.
func (b *budget) await(ctx context.Context, w *waiter, s *seat) error {
	timer := b.clock.NewTimer(seatPatience)
	defer timer.Stop()
	for {
		select {
		case <-w.ready:
			return w.err
		case <-ctx.Done():
			b.leave(w)
			return ctx.Err()
		case <-timer.C():
			s.leave()
		}
	}
}

func (b *budget) join(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, w)
	if !b.serving {
		b.serving = true
		go b.serve()
		return
	}
	to := b.wake
	if w.lookUp {
		to = b.urgent
	}
	select {
	case to <- struct{}{}:
	default:
	}
}

func (b *budget) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = slices.DeleteFunc(b.waiting, func(other *waiter) bool { return other == w })
}

// serve gives out frames while somebody waits, once a frame at most unless a look-up comes, so that requests share a write
// to the bus.
func (b *budget) serve() {
	for {
		waiting, ok := b.queue()
		if !ok {
			return
		}
		inOrder(waiting)
		err := b.change(func(stored *bus.Budget, now time.Time) bool {
			demands := make([]*demand, len(waiting))
			for i, w := range waiting {
				w.demand = demand{path: w.path}
				demands[i] = &w.demand
			}
			return b.frames.give(stored, demands, now)
		})
		b.settle(waiting, err)
		b.rest(b.frames.length, nil)
		b.rest(b.frames.length, b.wake)
	}
}

// rest waits for a while, or until somebody comes who must not wait.
func (b *budget) rest(d time.Duration, wake <-chan struct{}) {
	timer := b.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-wake:
	case <-b.urgent:
	}
}

// queue returns who waits; false, and no more serving, when nobody does.
func (b *budget) queue() ([]*waiter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serving = len(b.waiting) > 0
	return slices.Clone(b.waiting), b.serving
}

// settle sends off those who know when.
func (b *budget) settle(asked []*waiter, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range asked {
		if err == nil && w.at.IsZero() {
			continue
		}
		w.err = err
		close(w.ready)
		b.waiting = slices.DeleteFunc(b.waiting, func(other *waiter) bool { return other == w })
	}
}

// refused tells all workers that Stripe refused a path, or everything with "".
func (b *budget) refused(path string, wait time.Duration) error {
	return b.change(func(stored *bus.Budget, now time.Time) bool {
		b.frames.refused(stored, path, wait, now)
		return true
	})
}

const (
	budgetTimeout = 5 * time.Second
	budgetTries   = 50
)

// change writes what apply makes of the budget, unless apply says that there is nothing to write. Of several workers that
// do so at once, one succeeds and the others look again; within a worker, where a hundred requests may be refused in the same
// moment, one does so at a time.
func (b *budget) change(apply func(stored *bus.Budget, now time.Time) bool) error {
	b.changing.Lock()
	defer b.changing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), budgetTimeout)
	defer cancel()
	bucket := b.bus.Budgets()
	for range budgetTries {
		stored, revision, err := bucket.Get(ctx, b.key)
		missing := errors.Is(err, bus.ErrNotFound)
		if err != nil && !missing {
			return fmt.Errorf("read the account's budget: %w", err)
		}
		if !apply(&stored, b.clock.Now()) {
			return nil
		}
		if missing {
			_, err = bucket.Create(ctx, b.key, stored)
		} else {
			_, err = bucket.Update(ctx, b.key, stored, revision)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, bus.ErrConflict) && !errors.Is(err, bus.ErrExists) {
			return fmt.Errorf("write the account's budget: %w", err)
		}
	}
	return errors.New("worker: other workers keep changing the account's budget")
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
