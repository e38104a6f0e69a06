// Package vault owns sealing: authenticated encryption of what must not lie in the clear, with a new data key for every
// write. It does not know what it seals, nor where keysets are kept.
package vault

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrUnseal is returned for anything that cannot be opened: another key, another context, or altered bytes. It does not
// say which, and holds nothing of the content.
var ErrUnseal = errors.New("vault: cannot be unsealed with this keyset and context")

// ErrUnrelated is returned by Reload for a keyset that opens nothing of what this vault has sealed.
var ErrUnrelated = errors.New("vault: the keyset has no key in common with the one in use")

// Vault seals and unseals with one keyset, which may be exchanged by Reload. It is safe for concurrent use.
type Vault struct{ current atomic.Pointer[opened] }

// opened is a keyset that is ready for use. It never changes.
type opened struct {
	envelope tink.AEAD
	ids      []uint32
}

// Open returns a vault over a serialized keyset.
func Open(serialized []byte) (*Vault, error) {
	o, err := prepare(serialized)
	if err != nil {
		return nil, err
	}
	v := &Vault{}
	v.current.Store(o)
	return v, nil
}

// Reload exchanges the keyset for a later state of the same one: rotated, or pruned. It returns ErrUnrelated, and
// changes nothing, when the two share no key: a keyset that was overwritten by mistake must not be sealed with.
func (v *Vault) Reload(serialized []byte) error {
	next, err := prepare(serialized)
	if err != nil {
		return err
	}
	now := v.current.Load()
	if !slices.ContainsFunc(next.ids, func(id uint32) bool { return slices.Contains(now.ids, id) }) {
		return ErrUnrelated
	}
	v.current.Store(next)
	return nil
}

func prepare(serialized []byte) (*opened, error) {
	handle, err := parse(serialized)
	if err != nil {
		return nil, err
	}
	keyEncryption, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("vault: the keyset is not of the expected kind")
	}
	o := &opened{envelope: aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), keyEncryption)}
	for _, info := range handle.KeysetInfo().GetKeyInfo() {
		o.ids = append(o.ids, info.GetKeyId())
	}
	return o, nil
}

// Seal encrypts plaintext under a new data key, which is itself encrypted under the keyset. The context is
// authenticated but not kept: the same one must be given to Unseal.
func (v *Vault) Seal(plaintext []byte, context string) ([]byte, error) {
	sealed, err := v.current.Load().envelope.Encrypt(plaintext, []byte(context))
	if err != nil {
		return nil, errors.New("vault: sealing failed")
	}
	return sealed, nil
}

// Unseal returns what Seal was given, or ErrUnseal.
func (v *Vault) Unseal(sealed []byte, context string) ([]byte, error) {
	plaintext, err := v.current.Load().envelope.Decrypt(sealed, []byte(context))
	if err != nil {
		return nil, ErrUnseal
	}
	return plaintext, nil
}
