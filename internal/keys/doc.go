// Package keys owns the Secret with the installation's keysets: making it, loading it, rotating and pruning what is in
// it, and sealing tokens anew under a rotated key. It does not know what the bus and the store seal.
//
// A rotation has to reach roles that run, and each role reads the Secret on its own every RefreshInterval, from the API
// server or from the folder into which it is mounted. So nothing
// is sealed with a new key before everybody knows it, and no key is removed while somebody may still seal with it:
// between two steps that depend on each other lies the settling time.
package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// SecretName is the name of the Secret in the operator's namespace. Its keys are those of Names, BusFilesKey, BusTokenKey
// and, optionally, KMSURIKey.
const SecretName = "kustiq-keys"

const (
	// BusFilesKey holds 32 random bytes, from which the bus encrypts its files. They are no keyset and never rotated.
	BusFilesKey = "bus-files"
	// BusTokenKey holds the token that the embedded bus asks for.
	BusTokenKey = "bus-token"
	// KMSURIKey names the KMS key that the keysets are wrapped by. Without it they are in the clear.
	KMSURIKey = "kms-uri"
)

const (
	// RefreshInterval is how often a running role looks for a changed Secret.
	RefreshInterval = time.Minute
	// Settling is how long every role has to pick up a change: kubelet brings it to a mounted folder within about 90 s;
	// then two looks, of which one may fail, and a margin.
	Settling = 5 * time.Minute
)

// Name is the name of a keyset.
type Name string

// The keysets.
const (
	// Tokens seals the token Secrets.
	Tokens Name = "tokens"
	// Bus seals what is secret on the bus: signing secrets of webhook endpoints, and authorisation codes.
	Bus Name = "bus"
	// Identity seals the workspaces' data keys in the store.
	Identity Name = "identity"
)

// Names are all keysets, in the order in which they are shown.
func Names() []Name { return []Name{Tokens, Bus, Identity} }

var (
	// ErrNotInstalled says that there is no Secret.
	ErrNotInstalled = errors.New("keys: the Secret " + SecretName + " does not exist: make it with kustiq keys init")
	// ErrNoFolder says that the folder into which the Secret is mounted is not there.
	ErrNoFolder = errors.New("keys: no mounted Secret")
	// ErrKMS says that the KMS cannot be reached, refuses, or is not one that is supported.
	ErrKMS = errors.New("keys: KMS")
	// ErrOtherKMS is returned by Init when the Secret exists and is not wrapped by the key that was asked for.
	ErrOtherKMS = errors.New("keys: the Secret exists already and is not wrapped by the KMS key that was asked for")
	// ErrInUse is returned by Prune when an old key is still needed, or may be.
	ErrInUse = errors.New("keys: an old key is still in use")
)

// ParseName returns the keyset of that name.
func ParseName(name string) (Name, error) {
	if !slices.Contains(Names(), Name(name)) {
		return "", fmt.Errorf("there is no keyset %q, only %q", name, Names())
	}
	return Name(name), nil
}
