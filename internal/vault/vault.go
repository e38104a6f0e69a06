// Package vault owns sealing: authenticated encryption of what must not lie in the clear, with a new data key for every
// write. It does not know what it seals, nor where keysets are kept.
package vault

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrUnseal is returned for anything that cannot be opened: another key, another context, or altered bytes. It does not
// say which, and holds nothing of the content.
var ErrUnseal = errors.New("vault: cannot be unsealed with this keyset and context")

// Vault seals and unseals with one keyset. It is safe for concurrent use.
type Vault struct{ envelope tink.AEAD }

// NewKeyset returns a fresh AES-256-GCM keyset, serialized. It is a secret: it belongs into a Kubernetes Secret.
func NewKeyset() ([]byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("vault: make keyset: %w", err)
	}
	return serialize(handle)
}

// Rotate adds a fresh primary key to a serialized keyset. What the older keys sealed can still be unsealed.
func Rotate(serialized []byte) ([]byte, error) {
	handle, err := parse(serialized)
	if err != nil {
		return nil, err
	}
	manager := keyset.NewManagerFromHandle(handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("vault: add key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("vault: make key primary: %w", err)
	}
	if handle, err = manager.Handle(); err != nil {
		return nil, fmt.Errorf("vault: rotate keyset: %w", err)
	}
	return serialize(handle)
}

// Open returns a vault over a serialized keyset.
func Open(serialized []byte) (*Vault, error) {
	handle, err := parse(serialized)
	if err != nil {
		return nil, err
	}
	keyEncryption, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("vault: the keyset is not of the expected kind")
	}
	return &Vault{envelope: aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), keyEncryption)}, nil
}

// Seal encrypts plaintext under a new data key, which is itself encrypted under the keyset. The context is
// authenticated but not kept: the same one must be given to Unseal.
func (v *Vault) Seal(plaintext []byte, context string) ([]byte, error) {
	sealed, err := v.envelope.Encrypt(plaintext, []byte(context))
	if err != nil {
		return nil, errors.New("vault: sealing failed")
	}
	return sealed, nil
}

// Unseal returns what Seal was given, or ErrUnseal.
func (v *Vault) Unseal(sealed []byte, context string) ([]byte, error) {
	plaintext, err := v.envelope.Decrypt(sealed, []byte(context))
	if err != nil {
		return nil, ErrUnseal
	}
	return plaintext, nil
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
