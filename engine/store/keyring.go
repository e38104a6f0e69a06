package store

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/kustiq/kustiq/internal/vault"
)

// keyring opens workspaces' data keys. A data key is a keyset, sealed by the "identity" vault and kept in the
// workspaces table; without it no copy of the workspace's identities can be read. A backup of the whole database has
// that table in it: leave the table out of it, or let backups expire.
type keyring struct {
	root *vault.Vault

	mu     sync.Mutex
	opened map[string]*dataKey
}

// dataKey is a workspace's key: it seals what identifies persons, and hashes what they are looked up by.
type dataKey struct {
	*vault.Vault
	sealed []byte
	lookup []byte
}

func newKeyring(root *vault.Vault) *keyring {
	return &keyring{root: root, opened: map[string]*dataKey{}}
}

// mint makes a workspace's first data key and returns it sealed.
func (k *keyring) mint(workspace string) ([]byte, error) {
	keyset, err := vault.NewKeyset()
	if err != nil {
		return nil, fmt.Errorf("make a data key: %w", err)
	}
	sealed, err := k.root.Seal(keyset, keyContext(workspace))
	if err != nil {
		return nil, fmt.Errorf("seal a data key: %w", err)
	}
	return sealed, nil
}

// open opens a sealed data key. It always takes the key as it was just read from the database, so that
// a key destroyed by another process is never used again from memory.
func (k *keyring) open(workspace string, sealed []byte) (*dataKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if o, ok := k.opened[workspace]; ok && bytes.Equal(o.sealed, sealed) {
		return o, nil
	}
	keyset, err := k.root.Unseal(sealed, keyContext(workspace))
	if err != nil {
		return nil, fmt.Errorf("unseal a workspace's data key: %w", err)
	}
	v, err := vault.Open(keyset)
	if err != nil {
		return nil, fmt.Errorf("open a workspace's data key: %w", err)
	}
	lookup, err := hkdf.Key(sha256.New, keyset, nil, "kustiq lookup hash", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a workspace's lookup key: %w", err)
	}
	key := &dataKey{Vault: v, sealed: bytes.Clone(sealed), lookup: lookup}
	k.opened[workspace] = key
	return key, nil
}

// hash is what a value of the kind is looked up by; that of no value is empty. Without the data key nobody can tell
// whether it is the hash of a value that he guesses. A data key never changes: with another one, all would be to hash anew.
func (k *dataKey) hash(kind, value string) string {
	if value == "" {
		return ""
	}
	mac := hmac.New(sha256.New, k.lookup)
	mac.Write([]byte(kind + "\x00" + value))
	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

// forget drops an erased workspace's key from memory.
func (k *keyring) forget(workspace string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.opened, workspace)
}

// identity is what is sealed of a person.
type identity struct {
	Email     string `json:"email,omitempty"`
	Name      string `json:"name,omitempty"`
	ProfileID string `json:"profile_id,omitempty"`
}

func sealIdentity(v *dataKey, key CustomerKey, id identity) ([]byte, error) {
	plain, err := json.Marshal(id)
	if err != nil {
		return nil, fmt.Errorf("encode an identity: %w", err)
	}
	sealed, err := v.Seal(plain, identityContext(key))
	if err != nil {
		return nil, fmt.Errorf("seal an identity: %w", err)
	}
	return sealed, nil
}

func unsealIdentity(v *dataKey, key CustomerKey, sealed []byte) (identity, error) {
	var id identity
	plain, err := v.Unseal(sealed, identityContext(key))
	if err != nil {
		return id, fmt.Errorf("unseal an identity: %w", err)
	}
	if err := json.Unmarshal(plain, &id); err != nil {
		// The cause could quote the plaintext.
		return identity{}, fmt.Errorf("decode an identity")
	}
	return id, nil
}

func keyContext(workspace string) string { return "workspace-key/" + workspace }

// identityContext binds a sealed identity to its row, so that it cannot be moved to another customer's.
func identityContext(key CustomerKey) string {
	return "identity/" + key.Workspace + "/" + modeName(key.Livemode) + "/" + key.Customer
}

func modeName(livemode bool) string {
	if livemode {
		return string(ModeLive)
	}
	return string(ModeTest)
}
