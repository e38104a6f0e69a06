package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/vault"
)

// Set is the installation's keysets, open, as a role holds them. Its vaults stay the same when keysets change. A vault
// that Load was not asked for is nil.
type Set struct {
	Tokens, Bus, Identity *vault.Vault

	names []Name
	from  Source
	kms   Resolver
	// version is that of the data that the vaults are of.
	version string
}

// Format names the set without its keys under every verb.
func (s *Set) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.LogValue()) }

// LogValue names the set without its keys.
func (s *Set) LogValue() slog.Value { return slog.StringValue("keysets of " + s.from.String()) }

// Load opens the named keysets, or all when none is named. It returns ErrNotInstalled or ErrNoFolder when there are
// none, and ErrKMS when they cannot be unwrapped.
func Load(ctx context.Context, from Source, kms Resolver, names ...Name) (*Set, error) {
	if len(names) == 0 {
		names = Names()
	}
	data, version, err := from.read(ctx)
	if err != nil {
		return nil, err
	}
	kms = remembering(kms)
	opened, err := safeOf(ctx, data, kms)
	if err != nil {
		return nil, err
	}
	s := &Set{names: names, from: from, kms: kms, version: version}
	for _, name := range names {
		serialized, err := opened.take(data, name)
		if err != nil {
			return nil, err
		}
		if *s.held(name), err = vault.Open(serialized); err != nil {
			return nil, fmt.Errorf("keys: keyset %s: %w", name, err)
		}
	}
	return s, nil
}

// held is the field of a keyset.
func (s *Set) held(name Name) **vault.Vault {
	return map[Name]**vault.Vault{Tokens: &s.Tokens, Bus: &s.Bus, Identity: &s.Identity}[name]
}

// Refresh takes over what has changed since the last time. A keyset that cannot be read, or is another one altogether,
// is an error; the one in use then stays, and the next Refresh tries again. It must not run twice at once.
func (s *Set) Refresh(ctx context.Context) (changed bool, err error) {
	data, version, err := s.from.read(ctx)
	if err != nil || version == s.version {
		return false, err
	}
	opened, err := safeOf(ctx, data, s.kms)
	if err != nil {
		return false, err
	}
	var errs []error
	for _, name := range s.names {
		serialized, err := opened.take(data, name)
		if err == nil {
			err = (*s.held(name)).Reload(serialized)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("keys: refresh keyset %s: %w", name, err))
		}
	}
	if len(errs) > 0 {
		return false, errors.Join(errs...)
	}
	s.version = version
	return true, nil
}

// Watch calls Refresh every RefreshInterval until the context ends, and logs what came of it.
func (s *Set) Watch(ctx context.Context, c clock.WithTicker, log *slog.Logger) error {
	ticker := c.NewTicker(RefreshInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
		changed, err := s.Refresh(ctx)
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
