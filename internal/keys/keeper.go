package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/internal/vault"
)

// fieldOwner is who changes the Secret in its managed fields.
const fieldOwner = client.FieldOwner("kustiq-keys")

// Options say how a Keeper works. All but Settling and Progress are required.
type Options struct {
	KMS   Resolver
	Clock clock.Clock
	// Settling is how long roles that run have to pick up a change; zero when none runs.
	Settling time.Duration
	// Progress is told what takes long, a line at a time.
	Progress func(line string)
}

// Keeper changes the Secret of one namespace. Any number of them may work at once: whoever is late repeats.
type Keeper struct {
	client    client.Client
	namespace string
	opts      Options
}

// New makes a keeper. The client must read past caches. It panics when something is missing: that is a wiring fault.
func New(c client.Client, namespace string, opts Options) *Keeper {
	if c == nil || namespace == "" || opts.KMS == nil || opts.Clock == nil {
		panic("keys: New needs a client, a namespace, a KMS resolver and a clock")
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	return &Keeper{client: c, namespace: namespace, opts: opts}
}

// Init makes the Secret with fresh keysets, wrapped by the KMS key when one is named. Of a Secret that exists, nothing is
// changed but that a missing bus token is added, and created is false; it is ErrOtherKMS when another KMS key, or none,
// wraps that one's keysets.
func (k *Keeper) Init(ctx context.Context, kmsURI string) (created bool, err error) {
	data := map[string][]byte{BusFilesKey: randomBytes(32), BusTokenKey: []byte(rand.Text())}
	if kmsURI != "" {
		data[KMSURIKey] = []byte(kmsURI)
	}
	into, err := safeOf(ctx, data, k.opts.KMS)
	if err != nil {
		return false, err
	}
	for _, name := range Names() {
		if err := mint(into, data, name); err != nil {
			return false, err
		}
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: k.namespace, Name: SecretName,
			Labels: map[string]string{"app.kubernetes.io/managed-by": "kustiq", "app.kubernetes.io/component": "keys"},
		},
		Type: corev1.SecretTypeOpaque,
		Data: data,
	}
	err = k.client.Create(ctx, secret, fieldOwner)
	if apierrors.IsAlreadyExists(err) {
		return false, k.complete(ctx, kmsURI)
	}
	if err != nil {
		return false, fmt.Errorf("keys: create Secret: %w", err)
	}
	return true, nil
}

// mint adds a fresh keyset, and takes it out once more: a KMS key that may encrypt but not decrypt is found now, not
// when a role starts.
func mint(into safe, data map[string][]byte, name Name) error {
	serialized, err := vault.NewKeyset()
	if err != nil {
		return fmt.Errorf("keys: keyset %s: %w", name, err)
	}
	if err := into.put(data, name, serialized); err != nil {
		return err
	}
	_, err = into.take(data, name)
	return err
}

// complete checks a Secret that exists, and adds what earlier versions did not put into it.
func (k *Keeper) complete(ctx context.Context, kmsURI string) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		secret, err := read(ctx, k.client, k.namespace)
		if err != nil {
			return err
		}
		if kmsURI != "" && string(secret.Data[KMSURIKey]) != kmsURI {
			return ErrOtherKMS
		}
		if _, ok := secret.Data[BusTokenKey]; ok {
			return nil
		}
		secret.Data[BusTokenKey] = []byte(rand.Text())
		return k.client.Update(ctx, secret, fieldOwner)
	})
	if err != nil && !errors.Is(err, ErrOtherKMS) && !errors.Is(err, ErrNotInstalled) {
		return fmt.Errorf("keys: complete the Secret: %w", err)
	}
	return err
}

// Keyset describes a keyset without its material.
type Keyset struct {
	Name Name
	Keys []vault.Key
	// Changed is when a key was last added, made primary or removed; zero for not since Init.
	Changed time.Time
}

// List describes all keysets, and tells the KMS key that they are wrapped by; "" is none.
func (k *Keeper) List(ctx context.Context) (keysets []Keyset, kmsURI string, err error) {
	secret, err := read(ctx, k.client, k.namespace)
	if err != nil {
		return nil, "", err
	}
	from, err := safeOf(ctx, secret.Data, k.opts.KMS)
	if err != nil {
		return nil, "", err
	}
	for _, name := range Names() {
		keyset := Keyset{Name: name}
		serialized, err := from.take(secret.Data, name)
		if err != nil {
			return nil, "", err
		}
		if keyset.Keys, err = vault.Describe(serialized); err != nil {
			return nil, "", fmt.Errorf("keys: keyset %s: %w", name, err)
		}
		if keyset.Changed, err = changed(secret, name); err != nil {
			return nil, "", err
		}
		keysets = append(keysets, keyset)
	}
	return keysets, string(secret.Data[KMSURIKey]), nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}
