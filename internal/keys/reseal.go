package keys

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/internal/vault"
)

const (
	// progressEvery is after how many tokens Reseal says how far it is.
	progressEvery = 500
	// resealAttempts is how often one token is tried: each conflict means that the operator has just written it.
	resealAttempts = 5
)

// Resealed counts tokens by what Reseal found.
type Resealed struct {
	// Anew were sealed under an old key, and are now under the primary.
	Anew int
	// Current were under the primary already.
	Current int
	// Unreadable open with no key of the keyset; nothing can be done, and their connections need consent again.
	Unreadable int
}

// Reseal seals every token anew that is not sealed under the primary key of the tokens keyset. When the operator writes
// a token at the same time, what the operator has written stays.
func (k *Keeper) Reseal(ctx context.Context) (Resealed, error) {
	var counts Resealed
	stores, err := k.tokenStores(ctx)
	if err != nil {
		return counts, err
	}
	uids, err := k.connections(ctx)
	if err != nil {
		return counts, err
	}
	for i, uid := range uids {
		if err := stores.reseal(ctx, uid, &counts); err != nil {
			return counts, err
		}
		if done := i + 1; done%progressEvery == 0 {
			k.opts.Progress(fmt.Sprintf("looked at %d of %d tokens", done, len(uids)))
		}
	}
	return counts, nil
}

// tokenStores are two views of the same Secrets.
type tokenStores struct {
	// all opens with any key of the keyset and seals with the primary, primary opens with that one only.
	all, primary *tokenstore.Store
}

func (k *Keeper) tokenStores(ctx context.Context) (tokenStores, error) {
	secret, err := read(ctx, k.client, k.namespace)
	if err != nil {
		return tokenStores{}, err
	}
	from, err := safeOf(ctx, secret.Data, k.opts.KMS)
	if err != nil {
		return tokenStores{}, err
	}
	serialized, err := from.take(secret.Data, Tokens)
	if err != nil {
		return tokenStores{}, err
	}
	all, err := vault.Open(serialized)
	if err != nil {
		return tokenStores{}, fmt.Errorf("keys: keyset %s: %w", Tokens, err)
	}
	pruned, err := vault.Prune(serialized)
	if err != nil {
		return tokenStores{}, fmt.Errorf("keys: keyset %s: %w", Tokens, err)
	}
	primary, err := vault.Open(pruned)
	if err != nil {
		return tokenStores{}, fmt.Errorf("keys: keyset %s: %w", Tokens, err)
	}
	return tokenStores{
		all:     tokenstore.New(k.client, k.namespace, all),
		primary: tokenstore.New(k.client, k.namespace, primary),
	}, nil
}

// connections are the UIDs of all connections that have a token.
func (k *Keeper) connections(ctx context.Context) ([]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	labels := client.MatchingLabels{"app.kubernetes.io/managed-by": "kustiq", "app.kubernetes.io/component": "token"}
	if err := k.client.List(ctx, list, client.InNamespace(k.namespace), labels); err != nil {
		return nil, fmt.Errorf("keys: list token Secrets: %w", err)
	}
	var uids []string
	for _, secret := range list.Items {
		if uid, ok := tokenstore.UIDOf(secret.Name); ok {
			uids = append(uids, uid)
		}
	}
	return uids, nil
}

// reseal brings one token under the primary key. A token that was deleted meanwhile is not counted.
func (s tokenStores) reseal(ctx context.Context, uid string, counts *Resealed) error {
	for range resealAttempts {
		found, record, err := s.look(ctx, uid)
		switch {
		case err != nil:
			return err
		case found == current:
			counts.Current++
			return nil
		case found == unreadable:
			counts.Unreadable++
			return nil
		case found == gone:
			return nil
		}
		_, err = s.all.Save(ctx, uid, record)
		if errors.Is(err, tokenstore.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("keys: seal the token of connection %s anew: %w", uid, err)
		}
		counts.Anew++
		return nil
	}
	return fmt.Errorf("keys: the token of connection %s changes all the time: %w", uid, tokenstore.ErrConflict)
}

// finding is under which key a token is sealed.
type finding int

const (
	gone finding = iota
	current
	outdated
	unreadable
)

// look tells under which key a token is sealed, and what it is when that is an old one.
func (s tokenStores) look(ctx context.Context, uid string) (finding, tokenstore.Record, error) {
	_, err := s.primary.Load(ctx, uid)
	if err == nil {
		return current, tokenstore.Record{}, nil
	}
	found := gone
	var record tokenstore.Record
	if errors.Is(err, tokenstore.ErrUnreadable) {
		found = outdated
		record, err = s.all.Load(ctx, uid)
	}
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return gone, tokenstore.Record{}, nil
	case errors.Is(err, tokenstore.ErrUnreadable):
		return unreadable, tokenstore.Record{}, nil
	case err != nil:
		return gone, tokenstore.Record{}, fmt.Errorf("keys: look at the token of connection %s: %w", uid, err)
	}
	return found, record, nil
}

// onlyPrimaryInUse returns ErrInUse when a token opens with an old key only. One that opens with none does not count.
func (k *Keeper) onlyPrimaryInUse(ctx context.Context) error {
	stores, err := k.tokenStores(ctx)
	if err != nil {
		return err
	}
	uids, err := k.connections(ctx)
	if err != nil {
		return err
	}
	held := 0
	for _, uid := range uids {
		found, _, err := stores.look(ctx, uid)
		if err != nil {
			return err
		}
		if found == outdated {
			held++
		}
	}
	if held > 0 {
		return fmt.Errorf("%w: %d of %d tokens are sealed under it", ErrInUse, held, len(uids))
	}
	return nil
}
