package keys_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/vault"
)

var errInterrupted = errors.New("interrupted")

func newCause(t *testing.T) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, cancel
}

func TestRefresh(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	set := w.load()
	if changed, err := set.Refresh(t.Context()); changed || err != nil {
		t.Errorf("nothing has changed: %v, %v", changed, err)
	}
	w.must(w.keeper.Rotate(t.Context(), keys.Tokens))
	if changed, err := set.Refresh(t.Context()); !changed || err != nil {
		t.Errorf("rotated: %v, %v", changed, err)
	}
	sealed, err := set.Tokens.Seal([]byte("a"), "c")
	w.must(err)
	w.must(w.keeper.Prune(t.Context(), keys.Tokens))
	if _, err := w.load().Tokens.Unseal(sealed, "c"); err != nil {
		t.Errorf("the role does not seal with the new key: %v", err)
	}
}

func TestRefreshKeepsWhatItHasWhenTheSecretIsOverwritten(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	set := w.load()
	sealed, err := set.Identity.Seal([]byte("a"), "c")
	w.must(err)
	secret := w.secret()
	w.must(w.client.Delete(t.Context(), secret))
	if _, err := set.Refresh(t.Context()); !errors.Is(err, keys.ErrNotInstalled) {
		t.Errorf("deleted: %v", err)
	}
	w.init("")
	w.must(w.keeper.Rotate(t.Context(), keys.Names()...)) // the fake client counts versions from 1 again
	for range 2 {
		if changed, err := set.Refresh(t.Context()); changed || !errors.Is(err, vault.ErrUnrelated) {
			t.Errorf("overwritten: %v, %v", changed, err)
		}
	}
	if _, err := set.Identity.Unseal(sealed, "c"); err != nil {
		t.Errorf("the role has lost its keyset: %v", err)
	}
}

func TestWatchPicksUpARotation(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	set := w.load()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	told := make(chan string, 8)
	log := slog.New(&messages{told})
	go func() { ended <- set.Watch(ctx, w.clock, log) }()
	w.untilWaiting()
	w.must(w.keeper.Rotate(t.Context(), keys.Bus))
	w.clock.Step(keys.RefreshInterval)
	if got := <-told; got != "keysets refreshed" {
		t.Errorf("logged %q", got)
	}
	sealed, err := w.load().Bus.Seal([]byte("a"), "c")
	w.must(err)
	if _, err := set.Bus.Unseal(sealed, "c"); err != nil {
		t.Errorf("the rotated keyset was not picked up: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// messages is a log handler that passes messages on.
type messages struct{ to chan<- string }

func (m *messages) Enabled(context.Context, slog.Level) bool { return true }
func (m *messages) Handle(_ context.Context, r slog.Record) error {
	m.to <- r.Message
	return nil
}
func (m *messages) WithAttrs([]slog.Attr) slog.Handler { return m }
func (m *messages) WithGroup(string) slog.Handler      { return m }
