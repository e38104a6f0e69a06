package keys_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/testing/fakekms"

	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/vault"
)

// mount writes the Secret into a folder as kubelet does: files in a folder of their own, which a link points to, and a
// link for each file. Called again it changes all files at once. Only the keys that are named are mounted, or all.
func (w *world) mount(dir string, only ...string) {
	w.t.Helper()
	state, err := os.MkdirTemp(dir, "..state-")
	w.must(err)
	for key, value := range w.secret().Data {
		if len(only) > 0 && !slices.Contains(only, key) {
			continue
		}
		w.must(os.WriteFile(filepath.Join(state, key), value, 0o600))
		if _, err := os.Lstat(filepath.Join(dir, key)); err != nil {
			w.must(os.Symlink(filepath.Join("..data", key), filepath.Join(dir, key)))
		}
	}
	w.must(os.Symlink(filepath.Base(state), filepath.Join(dir, "..data_tmp")))
	w.must(os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
}

func TestAFolderIsReadAsTheSecretIs(t *testing.T) {
	w := newWorld(t, 0)
	uri, err := fakekms.NewKeyURI()
	w.must(err)
	w.init(uri)
	dir := t.TempDir()
	w.mount(dir)
	set, err := keys.Load(t.Context(), keys.Folder(dir), fakeKMS)
	w.must(err)
	sealed, err := w.load().Identity.Seal([]byte("a"), "c")
	w.must(err)
	if _, err := set.Identity.Unseal(sealed, "c"); err != nil {
		t.Errorf("the folder's keyset is not the Secret's: %v", err)
	}
	if got, err := keys.BusFiles(t.Context(), keys.Folder(dir)); err != nil || string(got) != string(w.secret().Data["bus-files"]) {
		t.Errorf("bus-files: %v", err)
	}
}

func TestAFolderIsFollowedThroughARotation(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	dir := t.TempDir()
	w.mount(dir)
	set, err := keys.Load(t.Context(), keys.Folder(dir), fakeKMS)
	w.must(err)
	if changed, err := set.Refresh(t.Context()); changed || err != nil {
		t.Errorf("nothing has changed: %v, %v", changed, err)
	}
	w.must(w.keeper.Rotate(t.Context(), keys.Bus))
	w.mount(dir)
	if changed, err := set.Refresh(t.Context()); !changed || err != nil {
		t.Errorf("rotated: %v, %v", changed, err)
	}
	sealed, err := w.load().Bus.Seal([]byte("a"), "c")
	w.must(err)
	if _, err := set.Bus.Unseal(sealed, "c"); err != nil {
		t.Errorf("the rotated keyset was not picked up: %v", err)
	}
}

func TestARoleIsGivenNoOtherKeysetsThanItUses(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	dir := t.TempDir()
	w.mount(dir, "bus")
	set, err := keys.Load(t.Context(), keys.Folder(dir), fakeKMS, keys.Bus)
	w.must(err)
	if set.Bus == nil || set.Tokens != nil || set.Identity != nil {
		t.Error("other keysets than asked for are open")
	}
	w.must(w.keeper.Rotate(t.Context(), keys.Names()...))
	w.mount(dir, "bus")
	if changed, err := set.Refresh(t.Context()); !changed || err != nil {
		t.Errorf("rotated: %v, %v", changed, err)
	}
	if _, err := keys.Load(t.Context(), keys.Folder(dir), fakeKMS, keys.Tokens); err == nil || !strings.Contains(err.Error(), "no keyset tokens") {
		t.Errorf("a keyset that is not mounted: %v", err)
	}
	if _, err := keys.BusFiles(t.Context(), keys.Folder(dir)); err == nil {
		t.Error("bus-files is not mounted, and that is no error")
	}
}

func TestAFolderThatChangesForTheWorseIsNotTakenOver(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	dir := t.TempDir()
	w.mount(dir)
	set, err := keys.Load(t.Context(), keys.Folder(dir), fakeKMS)
	w.must(err)
	sealed, err := set.Bus.Seal([]byte("a"), "c")
	w.must(err)

	w.must(w.client.Delete(t.Context(), w.secret()))
	w.init("")
	w.mount(dir)
	if changed, err := set.Refresh(t.Context()); changed || !errors.Is(err, vault.ErrUnrelated) {
		t.Errorf("another installation's: %v, %v", changed, err)
	}
	w.must(os.RemoveAll(dir))
	if changed, err := set.Refresh(t.Context()); changed || !errors.Is(err, keys.ErrNoFolder) {
		t.Errorf("removed: %v, %v", changed, err)
	}
	if _, err := set.Bus.Unseal(sealed, "c"); err != nil {
		t.Errorf("the role has lost its keyset: %v", err)
	}
	if _, err := keys.Load(t.Context(), keys.Folder(dir), fakeKMS); !errors.Is(err, keys.ErrNoFolder) {
		t.Errorf("load without a folder: %v", err)
	}
}
