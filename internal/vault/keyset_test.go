package vault

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/testing/fakekms"
)

func fresh(t *testing.T) []byte {
	t.Helper()
	serialized, err := NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return serialized
}

// rotate makes both steps of a rotation at once.
func rotate(serialized []byte) ([]byte, error) {
	staged, err := Stage(serialized)
	if err != nil {
		return nil, err
	}
	return Promote(staged)
}

func TestAKeysetThroughItsRotation(t *testing.T) {
	serialized := fresh(t)
	first := primary(t, serialized)
	for _, tt := range []struct {
		name string
		step func([]byte) ([]byte, error)
		want []State
		same bool
	}{
		{"pruned when fresh", Prune, []State{Primary}, true},
		{"promoted without a staged key", Promote, []State{Primary}, true},
		{"staged", Stage, []State{Primary, Staged}, false},
		{"staged again", Stage, []State{Primary, Staged}, true},
		{"promoted", Promote, []State{Old, Primary}, false},
		{"rotated", rotate, []State{Old, Old, Primary}, false},
		{"pruned", Prune, []State{Primary}, false},
	} {
		next, err := tt.step(serialized)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if same := bytes.Equal(serialized, next); same != tt.same {
			t.Errorf("%s: unchanged is %v", tt.name, same)
		}
		serialized = next
		described, err := Describe(serialized)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var got []State
		for _, key := range described {
			got = append(got, key.State)
			if key.Status != Enabled {
				t.Errorf("%s: key %d is %s", tt.name, key.ID, key.Status)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
	if primary(t, serialized) == first {
		t.Error("the first key is the primary one again")
	}
}

func primary(t *testing.T, serialized []byte) uint32 {
	t.Helper()
	described, err := Describe(serialized)
	if err != nil {
		t.Fatal(err)
	}
	return described[slices.IndexFunc(described, func(k Key) bool { return k.State == Primary })].ID
}

func TestAPrunedKeysetOpensOnlyItsPrimarySeals(t *testing.T) {
	keys := fresh(t)
	before, _ := open(t, keys).Seal([]byte("a"), "c")
	rotated, err := rotate(keys)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := open(t, rotated).Seal([]byte("b"), "c")
	pruned, err := Prune(rotated)
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, pruned)
	if _, err := v.Unseal(before, "c"); !errors.Is(err, ErrUnseal) {
		t.Errorf("seal of a removed key: %v", err)
	}
	if _, err := v.Unseal(after, "c"); err != nil {
		t.Errorf("seal of the primary key: %v", err)
	}
}

func TestWrapping(t *testing.T) {
	keys := fresh(t)
	kms, other := kmsKey(t), kmsKey(t)
	wrapped, err := Wrap(keys, kms, "kustiq-keys/tokens")
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(keys[len(keys)-32:], 16) {
		if bytes.Contains(wrapped, part) {
			t.Error("the wrapped keyset holds a part of the key")
		}
	}
	if _, err := Open(wrapped); err == nil {
		t.Error("a wrapped keyset opens without the KMS")
	}
	unwrapped, err := Unwrap(wrapped, kms, "kustiq-keys/tokens")
	if err != nil || !bytes.Equal(unwrapped, keys) {
		t.Errorf("unwrapped: equal %v, %v", bytes.Equal(unwrapped, keys), err)
	}
	for name, try := range map[string]func() ([]byte, error){
		"another context": func() ([]byte, error) { return Unwrap(wrapped, kms, "kustiq-keys/bus") },
		"another key":     func() ([]byte, error) { return Unwrap(wrapped, other, "kustiq-keys/tokens") },
		"not wrapped":     func() ([]byte, error) { return Unwrap(keys, kms, "kustiq-keys/tokens") },
		"not a keyset":    func() ([]byte, error) { return Wrap([]byte("secret text"), kms, "c") },
	} {
		_, err := try()
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), string(keys[8:40])) {
			t.Errorf("%s: the error says what is secret", name)
		}
	}
}

func kmsKey(t *testing.T) Wrapper {
	t.Helper()
	uri, err := fakekms.NewKeyURI()
	if err != nil {
		t.Fatal(err)
	}
	key, err := fakekms.NewAEAD(uri)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
