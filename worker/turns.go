package worker

import (
	"context"
	"slices"
	"sync"
)

// turns let a bounded number of holders in. Where more wait, whoever has the fewest inside goes first, so that an
// account with a thousand windows gets no more than one with two.
type turns struct {
	mu      sync.Mutex
	free    int
	inside  map[string]int
	waiting []*turn // in the order of arrival
}

type turn struct {
	key     string
	granted chan struct{}
}

// seat is a turn that may be given back in between and taken again. It is for one goroutine; without turns it is free.
type seat struct {
	turns  *turns
	key    string
	inside bool
}

func (s *seat) take(ctx context.Context) error {
	if s.turns == nil || s.inside {
		return nil
	}
	err := s.turns.take(ctx, s.key)
	s.inside = err == nil
	return err
}

func (s *seat) leave() {
	if s.inside {
		s.inside = false
		s.turns.release(s.key)
	}
}

func newTurns(n int) *turns { return &turns{free: n, inside: map[string]int{}} }

// take waits for a turn; every one that was taken must be released.
func (t *turns) take(ctx context.Context, key string) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.inside[key]++
		t.mu.Unlock()
		return nil
	}
	w := &turn{key: key, granted: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := slices.Index(t.waiting, w); at >= 0 {
		t.waiting = slices.Delete(t.waiting, at, at+1)
		return ctx.Err()
	}
	// It was granted in the same moment: it goes to the next.
	t.pass(key)
	return ctx.Err()
}

func (t *turns) release(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass(key)
}

// pass hands a turn on, or keeps it free.
func (t *turns) pass(from string) {
	if t.inside[from]--; t.inside[from] == 0 {
		delete(t.inside, from)
	}
	if len(t.waiting) == 0 {
		t.free++
		return
	}
	next := 0
	for i, w := range t.waiting {
		if t.inside[w.key] < t.inside[t.waiting[next].key] {
			next = i
		}
	}
	w := t.waiting[next]
	t.waiting = slices.Delete(t.waiting, next, next+1)
	t.inside[w.key]++
	close(w.granted)
}
