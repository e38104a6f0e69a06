package vault

import (
	"bytes"
	"errors"
	"testing"
)

func open(t *testing.T, serialized []byte) *Vault {
	t.Helper()
	v, err := Open(serialized)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSealing(t *testing.T) {
	keys, err := NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, keys)
	plaintext := []byte("rk_live_marker")
	sealed, err := v.Seal(plaintext, "token/1")
	if err != nil {
		t.Fatal(err)
	}
	again, _ := v.Seal(plaintext, "token/1")
	if bytes.Equal(sealed, again) {
		t.Error("two seals of the same text are equal: the data key is not fresh")
	}
	if bytes.Contains(sealed, plaintext) {
		t.Error("the sealed text holds the plaintext")
	}
	if got, err := v.Unseal(sealed, "token/1"); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("unseal: %q, %v", got, err)
	}
	if _, err := v.Unseal(sealed, "token/2"); !errors.Is(err, ErrUnseal) {
		t.Errorf("another context: %v", err)
	}
	for i := range sealed {
		tampered := bytes.Clone(sealed)
		tampered[i] ^= 1
		if _, err := v.Unseal(tampered, "token/1"); !errors.Is(err, ErrUnseal) {
			t.Fatalf("byte %d altered: %v", i, err)
		}
	}
}

func TestARotatedKeysetStillOpensOldSeals(t *testing.T) {
	keys, err := NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	old := open(t, keys)
	before, _ := old.Seal([]byte("a"), "c")
	rotated, err := rotate(keys)
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, rotated)
	if got, err := v.Unseal(before, "c"); err != nil || string(got) != "a" {
		t.Errorf("old seal: %q, %v", got, err)
	}
	after, _ := v.Seal([]byte("b"), "c")
	if _, err := old.Unseal(after, "c"); !errors.Is(err, ErrUnseal) {
		t.Errorf("the old keyset opens a seal of the new key: %v", err)
	}
}

func TestOpenRefusesWhatIsNoKeyset(t *testing.T) {
	if _, err := Open([]byte("secret-looking text")); err == nil || bytes.Contains([]byte(err.Error()), []byte("secret")) {
		t.Errorf("got %v", err)
	}
}

func TestReloadTakesALaterStateOfTheSameKeysetOnly(t *testing.T) {
	keys, err := NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, keys)
	before, _ := v.Seal([]byte("a"), "c")
	rotated, err := rotate(keys)
	if err != nil {
		t.Fatal(err)
	}
	sealedAnew, _ := open(t, rotated).Seal([]byte("b"), "c")
	if err := v.Reload(rotated); err != nil {
		t.Fatal(err)
	}
	for _, sealed := range [][]byte{before, sealedAnew} {
		if _, err := v.Unseal(sealed, "c"); err != nil {
			t.Errorf("after Reload: %v", err)
		}
	}
	other, err := NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Reload(other); !errors.Is(err, ErrUnrelated) {
		t.Errorf("another keyset: %v", err)
	}
	if err := v.Reload([]byte("nothing")); err == nil {
		t.Error("not a keyset: no error")
	}
	if _, err := v.Unseal(before, "c"); err != nil {
		t.Errorf("after a refused Reload: %v", err)
	}
}
