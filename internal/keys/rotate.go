package keys

import (
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"

	"github.com/kustiq/kustiq/internal/vault"
)

// Rotate gives each named keyset a new primary key and keeps the old ones. It waits until every role knows the new key
// before that one seals. A rotation that was interrupted is finished by the next.
func (k *Keeper) Rotate(ctx context.Context, names ...Name) error {
	if err := k.change(ctx, names, vault.Stage); err != nil {
		return err
	}
	if err := k.settle(ctx, names); err != nil {
		return err
	}
	return k.change(ctx, names, vault.Promote)
}

// Prune removes the old keys of a keyset. Only tokens can be pruned, and only when every token opens with the primary
// key alone: else it is ErrInUse, and Reseal helps.
func (k *Keeper) Prune(ctx context.Context, name Name) error {
	if name != Tokens {
		return fmt.Errorf("%w: what %s seals is kept outside of Kubernetes and is never sealed again, so its old keys stay",
			ErrInUse, name)
	}
	if err := k.settle(ctx, []Name{name}); err != nil {
		return err
	}
	secret, err := read(ctx, k.client, k.namespace)
	if err != nil {
		return err
	}
	prunable, err := k.replace(ctx, secret, name, pruneSettled)
	if err != nil || !prunable {
		return err
	}
	// The Secret that was just read is written only if nobody has changed it while the tokens were looked at.
	if err := k.onlyPrimaryInUse(ctx); err != nil {
		return err
	}
	err = k.client.Update(ctx, secret, fieldOwner)
	if apierrors.IsConflict(err) {
		return fmt.Errorf("%w: the keysets were changed meanwhile; try again", ErrInUse)
	}
	if err != nil {
		return fmt.Errorf("keys: write Secret: %w", err)
	}
	return nil
}

// pruneSettled is vault.Prune, except that it leaves a rotation that is under way alone.
func pruneSettled(serialized []byte) ([]byte, error) {
	described, err := vault.Describe(serialized)
	if err != nil {
		return nil, err
	}
	if described[len(described)-1].State == vault.Staged {
		return nil, fmt.Errorf("%w: a rotation is not finished; repeat it first", ErrInUse)
	}
	return vault.Prune(serialized)
}

// change applies a step to each named keyset, all in one write; on a conflict it begins anew from what is there then.
func (k *Keeper) change(ctx context.Context, names []Name, step func([]byte) ([]byte, error)) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		secret, err := read(ctx, k.client, k.namespace)
		if err != nil {
			return err
		}
		dirty := false
		for _, name := range names {
			replaced, err := k.replace(ctx, secret, name, step)
			if err != nil {
				return err
			}
			dirty = dirty || replaced
		}
		if !dirty {
			return nil
		}
		return k.client.Update(ctx, secret, fieldOwner)
	})
	if err != nil {
		return fmt.Errorf("keys: change keysets %q: %w", names, err)
	}
	return nil
}

// replace applies a step to a keyset of a Secret in memory and notes the time. It tells whether the step did anything.
func (k *Keeper) replace(
	ctx context.Context, secret *corev1.Secret, name Name, step func([]byte) ([]byte, error),
) (bool, error) {
	in, err := safeOf(ctx, secret.Data, k.opts.KMS)
	if err != nil {
		return false, err
	}
	before, err := in.take(secret.Data, name)
	if err != nil {
		return false, err
	}
	after, err := step(before)
	if err != nil {
		return false, fmt.Errorf("keyset %s: %w", name, err)
	}
	if bytes.Equal(before, after) {
		return false, nil
	}
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	secret.Annotations[changedAt(name)] = k.opts.Clock.Now().UTC().Format(time.RFC3339)
	return true, in.put(secret.Data, name, after)
}

// settle waits until every role has picked up the last change of the named keysets.
func (k *Keeper) settle(ctx context.Context, names []Name) error {
	secret, err := read(ctx, k.client, k.namespace)
	if err != nil {
		return err
	}
	var wait time.Duration
	for _, name := range names {
		at, err := changed(secret, name)
		if err != nil {
			return err
		}
		wait = max(wait, k.opts.Settling-k.opts.Clock.Since(at))
	}
	if wait <= 0 {
		return nil
	}
	k.opts.Progress(fmt.Sprintf("waiting %s, so that all roles pick up the last change", wait.Round(time.Second)))
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-k.opts.Clock.After(wait):
		return nil
	}
}
