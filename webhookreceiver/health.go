package webhookreceiver

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/kustiq/kustiq/internal/bus"
)

// healthBook collects what happened since the last flush, by connection uid. Counters are differences, so that several
// replicas add to the same entry.
type healthBook struct {
	mu    sync.Mutex
	dirty map[string]*bus.Health
}

func newHealthBook() *healthBook { return &healthBook{dirty: map[string]*bus.Health{}} }

func (b *healthBook) note(connection string, change func(*bus.Health)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok := b.dirty[connection]
	if !ok {
		h = &bus.Health{}
		b.dirty[connection] = h
	}
	change(h)
}

// flush adds what was collected to the bucket. What cannot be written now is kept for the next flush.
func (b *healthBook) flush(ctx context.Context, bucket *bus.Bucket[bus.Health], log *slog.Logger) {
	b.mu.Lock()
	changes := b.dirty
	b.dirty = map[string]*bus.Health{}
	b.mu.Unlock()
	for connection, change := range changes {
		if err := add(ctx, bucket, connection, *change); err != nil {
			if !errors.Is(err, bus.ErrConflict) && !errors.Is(err, bus.ErrExists) {
				log.Warn("health is not written, trying again", "connection", connection, "error", err)
			}
			b.note(connection, func(newer *bus.Health) { *newer = merge(*change, *newer) })
		}
	}
}

func add(ctx context.Context, bucket *bus.Bucket[bus.Health], connection string, change bus.Health) error {
	stored, revision, err := bucket.Get(ctx, connection)
	if errors.Is(err, bus.ErrNotFound) {
		_, err = bucket.Create(ctx, connection, change)
		return err
	}
	if err != nil {
		return err
	}
	_, err = bucket.Update(ctx, connection, merge(stored, change), revision)
	return err
}

// merge adds counters and keeps the later times.
func merge(older, newer bus.Health) bus.Health {
	sum := older
	sum.Accepted += newer.Accepted
	sum.Duplicates += newer.Duplicates
	sum.Ignored += newer.Ignored
	sum.RejectedSignature += newer.RejectedSignature
	sum.RejectedAge += newer.RejectedAge
	sum.LastEventAt = max(older.LastEventAt, newer.LastEventAt)
	sum.LastVerifiedAt = max(older.LastVerifiedAt, newer.LastVerifiedAt)
	sum.DeauthorizedAt = max(older.DeauthorizedAt, newer.DeauthorizedAt)
	sum.AccountUpdatedAt = max(older.AccountUpdatedAt, newer.AccountUpdatedAt)
	if newer.LastRejectedAt >= older.LastRejectedAt && newer.LastRejectedCode != "" {
		sum.LastRejectedAt, sum.LastRejectedCode, sum.SkewSeconds = newer.LastRejectedAt, newer.LastRejectedCode, newer.SkewSeconds
	}
	if newer.LastUnprovenAt > 0 && newer.LastUnprovenAt >= older.LastUnprovenAt {
		sum.LastUnprovenAt, sum.LastUnprovenEvent = newer.LastUnprovenAt, newer.LastUnprovenEvent
	}
	return sum
}
