package ingest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
)

// watchRetry is when a watch is taken up again that broke off, or a request that could not be met.
const watchRetry = 15 * time.Second

// board is one bucket of the bus: what the operator asks of the engine, and what the engine answers. Get returns
// bus.ErrNotFound, Create bus.ErrExists and Update bus.ErrConflict; any other error means that the bus is away.
type board[T any] interface {
	Get(ctx context.Context, key string) (value T, revision uint64, err error)
	Create(ctx context.Context, key string, value T) (revision uint64, err error)
	Update(ctx context.Context, key string, value T, revision uint64) (uint64, error)
	Delete(ctx context.Context, key string) error
	All(ctx context.Context) (map[string]T, error)
	// Watch calls on with every value and every change, nil for a removed key, until ctx ends or the watch breaks off.
	Watch(ctx context.Context, on func(key string, value *T)) error
}

// boards are all that an engine reads and answers.
type boards struct {
	erasures board[bus.Erasure]
	policies board[bus.MatchPolicy]
	matches  board[bus.Matches]
	settings board[bus.Settings]
}

func boardsOf(b *bus.Bus) boards {
	return boards{erasures: b.Erasures(), policies: b.MatchPolicies(), matches: b.Matches(), settings: b.Settings()}
}

// follow watches a board until ctx ends, however often the watch breaks off.
func follow[T any](ctx context.Context, e *Engine, b board[T], what string, on func(key string, value *T)) error {
	for {
		err := b.Watch(ctx, on)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.logger.Warn("a watch broke off and is taken up again", "bucket", what, "after", watchRetry, "error", err)
		e.pause(ctx, watchRetry)
	}
}

// inbox holds the keys that have something to be done about them. Watches fill it, one worker empties it.
type inbox struct {
	mu   sync.Mutex
	keys map[string]bool
	// wake has a value when keys were put that nobody has taken.
	wake chan struct{}
}

func newInbox() *inbox { return &inbox{keys: map[string]bool{}, wake: make(chan struct{}, 1)} }

// put adds keys and wakes the worker.
func (i *inbox) put(keys ...string) {
	i.keep(keys...)
	select {
	case i.wake <- struct{}{}:
	default: // it is awake already
	}
}

// keep adds keys without waking anybody: they wait for the next turn.
func (i *inbox) keep(keys ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, key := range keys {
		i.keys[key] = true
	}
}

// take removes all keys and returns them in order.
func (i *inbox) take() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	keys := make([]string, 0, len(i.keys))
	for key := range i.keys {
		keys = append(keys, key)
	}
	clear(i.keys)
	slices.Sort(keys)
	return keys
}

// work calls turn whenever the inbox has been filled, and again after the time that turn returned, until ctx ends; after
// no time at all it waits for the inbox alone.
func (e *Engine) work(ctx context.Context, in *inbox, turn func(ctx context.Context) time.Duration) error {
	for {
		var again <-chan time.Time
		stop := func() {}
		if wait := turn(ctx); wait > 0 {
			timer := e.clock.NewTimer(wait)
			again, stop = timer.C(), func() { timer.Stop() }
		}
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-in.wake:
		case <-again:
		}
		stop()
	}
}
