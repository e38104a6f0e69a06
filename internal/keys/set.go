package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/internal/vault"
)

// Set is the installation's keysets, open, as a role holds them. Its vaults stay the same when keysets change.
type Set struct {
	Tokens, Bus, Identity *vault.Vault
	// BusFiles are 32 bytes, from which the bus encrypts its files.
	BusFiles []byte

	namespace string
	kms       Resolver
	// version is the resource version of the Secret that the vaults are of.
	version string
}

// Format names the set without its keys under every verb.
func (s *Set) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.LogValue()) }

// LogValue names the set without its keys.
func (s *Set) LogValue() slog.Value { return slog.StringValue("keysets of namespace " + s.namespace) }

// Load opens the keysets of a namespace. It returns ErrNotInstalled when there are none, and ErrKMS when they cannot be
// unwrapped. The reader must read past caches.
func Load(ctx context.Context, from client.Reader, namespace string, kms Resolver) (*Set, error) {
	secret, err := read(ctx, from, namespace)
	if err != nil {
		return nil, err
	}
	kms = remembering(kms)
	opened, err := safeOf(ctx, secret.Data, kms)
	if err != nil {
		return nil, err
	}
	s := &Set{BusFiles: secret.Data[BusFilesKey], namespace: namespace, kms: kms, version: secret.ResourceVersion}
	if len(s.BusFiles) != 32 {
		return nil, fmt.Errorf("keys: %s of the Secret is not 32 bytes long", BusFilesKey)
	}
	for name, held := range map[Name]**vault.Vault{Tokens: &s.Tokens, Bus: &s.Bus, Identity: &s.Identity} {
		serialized, err := opened.take(secret.Data, name)
		if err != nil {
			return nil, err
		}
		if *held, err = vault.Open(serialized); err != nil {
			return nil, fmt.Errorf("keys: keyset %s: %w", name, err)
		}
	}
	return s, nil
}

// Refresh takes over what has changed in the Secret since the last time. A keyset that cannot be read, or is another
// one altogether, is an error; the one in use then stays, and the next Refresh tries again. It must not run twice at
// once.
func (s *Set) Refresh(ctx context.Context, from client.Reader) (changed bool, err error) {
	secret, err := read(ctx, from, s.namespace)
	if err != nil || secret.ResourceVersion == s.version {
		return false, err
	}
	opened, err := safeOf(ctx, secret.Data, s.kms)
	if err != nil {
		return false, err
	}
	var errs []error
	for name, held := range map[Name]*vault.Vault{Tokens: s.Tokens, Bus: s.Bus, Identity: s.Identity} {
		serialized, err := opened.take(secret.Data, name)
		if err == nil {
			err = held.Reload(serialized)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("keys: refresh keyset %s: %w", name, err))
		}
	}
	if len(errs) > 0 {
		return false, errors.Join(errs...)
	}
	s.version = secret.ResourceVersion
	return true, nil
}

// Watch calls Refresh every RefreshInterval until the context ends, and logs what came of it.
func (s *Set) Watch(ctx context.Context, from client.Reader, c clock.WithTicker, log *slog.Logger) error {
	ticker := c.NewTicker(RefreshInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		changed, err := s.Refresh(ctx, from)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			log.Error("keysets not refreshed; those in use stay", "error", err)
		case changed:
			log.Info("keysets refreshed")
		}
	}
}
