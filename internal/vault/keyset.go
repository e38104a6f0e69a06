package vault

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// Key describes one key of a keyset, without its material.
type Key struct {
	ID     uint32
	Status Status
	State  State
}

// Status is whether a key may be used at all.
type Status string

// The values of Status.
const (
	Enabled  Status = "Enabled"
	Disabled Status = "Disabled"
)

// State is a key's part in a rotation. Keys are appended to a keyset, so their order tells it.
type State string

// The values of State.
const (
	// Old keys open what they sealed before, and seal nothing.
	Old State = "Old"
	// Primary is the one key that seals.
	Primary State = "Primary"
	// Staged keys are known to whoever loads the keyset, but seal nothing yet.
	Staged State = "Staged"
)

// NewKeyset returns a fresh AES-256-GCM keyset, serialized. It is a secret: it belongs into a Kubernetes Secret.
func NewKeyset() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("vault: make keyset: %w", err)
	}
	return serialize(handle)
}

// Stage adds a fresh key that opens but does not seal yet, so that everybody can know it before it is used. A keyset
// that has one already is returned as it is.
func Stage(serialized []byte) ([]byte, error) {
	described, err := Describe(serialized)
	if err != nil {
		return nil, err
	}
	if described[len(described)-1].State == Staged {
		return serialized, nil
	}
	return change(serialized, func(m *keyset.Manager) error {
		_, err := m.Add(aead.AES256GCMKeyTemplate())
		return err
	})
}

// Promote makes the staged key the primary one. A keyset without a staged key is returned as it is.
func Promote(serialized []byte) ([]byte, error) {
	described, err := Describe(serialized)
	if err != nil {
		return nil, err
	}
	newest := described[len(described)-1]
	if newest.State != Staged {
		return serialized, nil
	}
	return change(serialized, func(m *keyset.Manager) error { return m.SetPrimary(newest.ID) })
}

// Prune removes all but the primary key. What the others sealed cannot be unsealed any more.
func Prune(serialized []byte) ([]byte, error) {
	described, err := Describe(serialized)
	if err != nil {
		return nil, err
	}
	return change(serialized, func(m *keyset.Manager) error {
		for _, key := range described {
			if key.State == Primary {
				continue
			}
			if err := m.Delete(key.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Describe lists the keys of a serialized keyset, the oldest first. There is at least one.
func Describe(serialized []byte) ([]Key, error) {
	handle, err := parse(serialized)
	if err != nil {
		return nil, err
	}
	info := handle.KeysetInfo()
	state := Old
	var described []Key
	for _, key := range info.GetKeyInfo() {
		k := Key{ID: key.GetKeyId(), Status: Disabled, State: state}
		if key.GetStatus() == tinkpb.KeyStatusType_ENABLED {
			k.Status = Enabled
		}
		if k.ID == info.GetPrimaryKeyId() {
			k.State, state = Primary, Staged
		}
		described = append(described, k)
	}
	return described, nil
}

func change(serialized []byte, by func(*keyset.Manager) error) ([]byte, error) {
	handle, err := parse(serialized)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManagerFromHandle(handle)
	if err := by(manager); err != nil {
		return nil, fmt.Errorf("vault: change keyset: %w", err)
	}
	if handle, err = manager.Handle(); err != nil {
		return nil, fmt.Errorf("vault: change keyset: %w", err)
	}
	return serialize(handle)
}

func serialize(handle *keyset.Handle) ([]byte, error) {
	var buffer bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&buffer)); err != nil {
		return nil, errors.New("vault: the keyset cannot be serialized")
	}
	return buffer.Bytes(), nil
}

func parse(serialized []byte) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(serialized)))
	if err != nil {
		return nil, errors.New("vault: not a keyset")
	}
	return handle, nil
}
