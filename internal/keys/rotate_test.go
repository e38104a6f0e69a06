package keys_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/vault"
)

var (
	once    = []vault.State{vault.Primary}
	staged  = []vault.State{vault.Primary, vault.Staged}
	rotated = []vault.State{vault.Old, vault.Primary}
)

func (w *world) expect(name keys.Name, want []vault.State) {
	w.t.Helper()
	if got := w.states(name); !slices.Equal(got, want) {
		w.t.Errorf("keyset %s has keys %v, not %v", name, got, want)
	}
}

func TestRotateKeepsOldKeys(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	before := w.load()
	sealed, err := before.Bus.Seal([]byte("whsec"), "endpoint/we_1")
	w.must(err)
	w.must(w.keeper.Rotate(t.Context(), keys.Tokens, keys.Bus))
	w.expect(keys.Tokens, rotated)
	w.expect(keys.Bus, rotated)
	w.expect(keys.Identity, once)
	if got, err := w.load().Bus.Unseal(sealed, "endpoint/we_1"); err != nil || string(got) != "whsec" {
		t.Errorf("what was sealed before: %q, %v", got, err)
	}
}

func TestRotateWaitsUntilRolesKnowTheNewKey(t *testing.T) {
	w := newWorld(t, keys.Settling)
	w.init("")
	running := w.load()
	done := make(chan error, 1)
	go func() { done <- w.keeper.Rotate(t.Context(), keys.Tokens) }()
	w.untilWaiting()
	w.expect(keys.Tokens, staged)

	if changed, err := running.Refresh(t.Context()); !changed || err != nil {
		t.Fatalf("refresh: %v, %v", changed, err)
	}
	w.clock.Step(keys.Settling)
	w.must(<-done)
	w.expect(keys.Tokens, rotated)

	// The role has not looked again, but opens what the new primary key has sealed.
	sealed, err := w.load().Tokens.Seal([]byte("a"), "c")
	w.must(err)
	if _, err := running.Tokens.Unseal(sealed, "c"); err != nil {
		t.Errorf("a running role: %v", err)
	}
}

// untilWaiting returns when somebody waits for the clock.
func (w *world) untilWaiting() {
	w.t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.Tick(time.Millisecond)
	for !w.clock.HasWaiters() {
		select {
		case <-deadline:
			w.t.Fatal("nobody waits")
		case <-tick:
		}
	}
}

func TestAnInterruptedRotationIsFinishedByTheNext(t *testing.T) {
	w := newWorld(t, keys.Settling)
	w.init("")
	ctx, interrupt := newCause(t)
	done := make(chan error, 1)
	go func() { done <- w.keeper.Rotate(ctx, keys.Identity) }()
	w.untilWaiting()
	interrupt(errInterrupted)
	if err := <-done; !errors.Is(err, errInterrupted) {
		t.Fatalf("interrupted: %v", err)
	}
	w.expect(keys.Identity, staged)

	w.clock.Step(keys.Settling)
	w.must(w.keeper.Rotate(t.Context(), keys.Identity))
	w.expect(keys.Identity, rotated)
}

func TestRotateRepeatsOnAConflict(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	w.beforeUpdate = func() { w.must(w.keeper.Rotate(t.Context(), keys.Bus)) }
	w.must(w.keeper.Rotate(t.Context(), keys.Tokens))
	w.expect(keys.Tokens, rotated)
	w.expect(keys.Bus, rotated)
}

func TestResealBringsAllTokensUnderThePrimaryKey(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	before := w.load()
	w.save(before, "u1", 1)
	w.save(before, "u2", 7)
	stranger := newWorld(t, 0)
	stranger.init("")
	w.save(stranger.load(), "u3", 1)
	w.must(w.keeper.Rotate(t.Context(), keys.Tokens))
	w.save(w.load(), "u4", 1)

	if err := w.keeper.Prune(t.Context(), keys.Tokens); !errors.Is(err, keys.ErrInUse) {
		t.Errorf("prune before: %v", err)
	}
	w.expect(keys.Tokens, rotated)
	got, err := w.keeper.Reseal(t.Context())
	if want := (keys.Resealed{Anew: 2, Current: 1, Unreadable: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = w.keeper.Reseal(t.Context())
	if want := (keys.Resealed{Current: 3, Unreadable: 1}); err != nil || got != want {
		t.Errorf("second time: %+v, %v", got, err)
	}
	w.must(w.keeper.Prune(t.Context(), keys.Tokens))
	w.expect(keys.Tokens, once)
	w.must(w.keeper.Prune(t.Context(), keys.Tokens)) // nothing is left to remove
	after := w.load()
	if a, b := w.generation(after, "u1"), w.generation(after, "u2"); a != 1 || b != 7 {
		t.Errorf("generations %d and %d", a, b)
	}
}

func TestATokenThatTheOperatorWritesMeanwhileStays(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	before := w.load()
	w.save(before, "u1", 1)
	w.must(w.keeper.Rotate(t.Context(), keys.Tokens))
	// The operator has not picked up the new key yet, so that its token is sealed under the old one again.
	w.beforeApply = func() { w.save(before, "u1", 2) }
	got, err := w.keeper.Reseal(t.Context())
	if want := (keys.Resealed{Anew: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	w.must(w.keeper.Prune(t.Context(), keys.Tokens))
	if got := w.generation(w.load(), "u1"); got != 2 {
		t.Errorf("generation %d: the operator's token was overwritten", got)
	}
}

func TestPruneRefuses(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	w.must(w.keeper.Rotate(t.Context(), keys.Names()...))
	for _, name := range []keys.Name{keys.Bus, keys.Identity} {
		if err := w.keeper.Prune(t.Context(), name); !errors.Is(err, keys.ErrInUse) {
			t.Errorf("%s: %v", name, err)
		}
		w.expect(name, rotated)
	}
	w.beforeUpdate = func() { w.must(w.keeper.Rotate(t.Context(), keys.Tokens)) }
	if err := w.keeper.Prune(t.Context(), keys.Tokens); !errors.Is(err, keys.ErrInUse) {
		t.Errorf("rotated meanwhile: %v", err)
	}
	w.expect(keys.Tokens, []vault.State{vault.Old, vault.Old, vault.Primary})
}

func TestPruneWaitsForRolesThatSealWithTheOldKey(t *testing.T) {
	w := newWorld(t, keys.Settling)
	w.init("")
	stale := w.load()
	now := keys.New(w.client, namespace, keys.Options{KMS: fakeKMS, Clock: w.clock})
	w.must(now.Rotate(t.Context(), keys.Tokens))
	done := make(chan error, 1)
	go func() { done <- w.keeper.Prune(t.Context(), keys.Tokens) }()
	w.untilWaiting()
	w.save(stale, "u1", 1)
	w.clock.Step(keys.Settling)
	if err := <-done; !errors.Is(err, keys.ErrInUse) {
		t.Errorf("got %v", err)
	}
	if got := w.generation(w.load(), "u1"); got != 1 {
		t.Errorf("generation %d", got)
	}
}

func TestPruneLeavesARotationUnderWayAlone(t *testing.T) {
	w := newWorld(t, keys.Settling)
	w.init("")
	ctx, interrupt := newCause(t)
	done := make(chan error, 1)
	go func() { done <- w.keeper.Rotate(ctx, keys.Tokens) }()
	w.untilWaiting()
	interrupt(errInterrupted)
	if err := <-done; !errors.Is(err, errInterrupted) {
		t.Fatalf("the interrupted rotation: %v", err)
	}
	w.clock.Step(keys.Settling)
	if err := w.keeper.Prune(t.Context(), keys.Tokens); !errors.Is(err, keys.ErrInUse) {
		t.Errorf("got %v", err)
	}
	w.expect(keys.Tokens, staged)
}
