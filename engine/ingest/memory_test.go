package ingest

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/kustiq/kustiq/internal/bus"
)

// memory is a board that a test fills and reads by hand.
type memory[T any] struct {
	mu     sync.Mutex
	values map[string]T
	// revision counts all writes; a key's own is the revision of its last one.
	revision  uint64
	revisions map[string]uint64
	watchers  []func(key string, value *T)
	// away makes every call fail, as long as it is set.
	away bool
	// interfere runs once, right before the next Update.
	interfere func()
}

var errAway = errors.New("the bus is away")

func (m *memory[T]) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

// watched says that somebody hears of changes.
func (m *memory[T]) watched() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.watchers) > 0
}

func (m *memory[T]) Get(_ context.Context, key string) (value T, revision uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return value, 0, errAway
	}
	value, ok := m.values[key]
	if !ok {
		return value, 0, bus.ErrNotFound
	}
	return value, m.revisions[key], nil
}

func (m *memory[T]) All(context.Context) (map[string]T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return nil, errAway
	}
	return maps.Clone(m.values), nil
}

func (m *memory[T]) Create(_ context.Context, key string, value T) (uint64, error) {
	return m.put(key, value, func() error {
		if _, ok := m.values[key]; ok {
			return bus.ErrExists
		}
		return nil
	})
}

func (m *memory[T]) Update(_ context.Context, key string, value T, revision uint64) (uint64, error) {
	m.mu.Lock()
	interfere := m.interfere
	m.interfere = nil
	m.mu.Unlock()
	if interfere != nil {
		interfere()
	}
	return m.put(key, value, func() error {
		if m.revisions[key] != revision {
			return bus.ErrConflict
		}
		return nil
	})
}

// set is what the operator does.
func (m *memory[T]) set(key string, value T) {
	_, _ = m.put(key, value, func() error { return nil })
}

func (m *memory[T]) put(key string, value T, check func() error) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return 0, errAway
	}
	if err := check(); err != nil {
		return 0, err
	}
	if m.values == nil {
		m.values, m.revisions = map[string]T{}, map[string]uint64{}
	}
	m.revision++
	m.values[key], m.revisions[key] = value, m.revision
	for _, on := range m.watchers {
		on(key, &value)
	}
	return m.revision, nil
}

func (m *memory[T]) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return errAway
	}
	delete(m.values, key)
	delete(m.revisions, key)
	for _, on := range m.watchers {
		on(key, nil)
	}
	return nil
}

func (m *memory[T]) Watch(ctx context.Context, on func(key string, value *T)) error {
	m.mu.Lock()
	if m.away {
		m.mu.Unlock()
		return errAway
	}
	for key, value := range m.values {
		on(key, &value)
	}
	m.watchers = append(m.watchers, on)
	m.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}
