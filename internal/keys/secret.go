package keys

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/internal/vault"
)

// read gets the Secret, or ErrNotInstalled.
func read(ctx context.Context, from client.Reader, namespace string) (*corev1.Secret, error) {
	var secret corev1.Secret
	err := from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: SecretName}, &secret)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%w (namespace %s)", ErrNotInstalled, namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("keys: read Secret: %w", err)
	}
	return &secret, nil
}

// safe puts keysets into a Secret's data and takes them out: wrapped by a KMS key, or as they are when wrapper is nil.
type safe struct{ wrapper vault.Wrapper }

// safeOf is the safe for a Secret's data.
func safeOf(ctx context.Context, data map[string][]byte, kms Resolver) (safe, error) {
	uri := string(data[KMSURIKey])
	if uri == "" {
		return safe{}, nil
	}
	wrapper, err := kms(ctx, uri)
	return safe{wrapper}, err
}

func (s safe) put(data map[string][]byte, name Name, serialized []byte) (err error) {
	if s.wrapper != nil {
		if serialized, err = vault.Wrap(serialized, s.wrapper, wrapContext(name)); err != nil {
			return fmt.Errorf("%w: keyset %s: %w", ErrKMS, name, err)
		}
	}
	data[string(name)] = serialized
	return nil
}

func (s safe) take(data map[string][]byte, name Name) ([]byte, error) {
	held, ok := data[string(name)]
	if !ok {
		return nil, fmt.Errorf("keys: the Secret has no keyset %s", name)
	}
	if s.wrapper == nil {
		return held, nil
	}
	serialized, err := vault.Unwrap(held, s.wrapper, wrapContext(name))
	if err != nil {
		return nil, fmt.Errorf("%w: keyset %s: %w", ErrKMS, name, err)
	}
	return serialized, nil
}

// wrapContext keeps a wrapped keyset from being put in another one's place.
func wrapContext(name Name) string { return SecretName + "/" + string(name) }

// changedAt is the annotation with the time of a keyset's last change; a keyset that was never changed has none.
func changedAt(name Name) string { return "keys.kustiq.io/" + string(name) + "-changed-at" }

// changed is when the keyset was last changed; zero for never.
func changed(secret *corev1.Secret, name Name) (time.Time, error) {
	text, ok := secret.Annotations[changedAt(name)]
	if !ok {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("keys: annotation %s is not a time", changedAt(name))
	}
	return at, nil
}
