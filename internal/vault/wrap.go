package vault

import (
	"bytes"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Wrapper encrypts keysets; it is a key that a KMS holds and does not give away.
type Wrapper = tink.AEAD

// Wrap encrypts a serialized keyset for storage. The context is authenticated but not kept: the same one must be given
// to Unwrap. The error tells what the KMS said.
func Wrap(serialized []byte, by Wrapper, context string) ([]byte, error) {
	handle, err := parse(serialized)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&buffer), by, []byte(context)); err != nil {
		return nil, fmt.Errorf("vault: wrap keyset: %w", err)
	}
	return buffer.Bytes(), nil
}

// Unwrap is the inverse of Wrap: it returns the serialized keyset, which is a secret and for memory only.
func Unwrap(wrapped []byte, by Wrapper, context string) ([]byte, error) {
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), by, []byte(context))
	if err != nil {
		return nil, fmt.Errorf("vault: unwrap keyset: %w", err)
	}
	return serialize(handle)
}
