package tokenstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/vault"
)

var (
	// ErrNotFound says that the connection has no token.
	ErrNotFound = errors.New("tokenstore: no token")
	// ErrUnreadable says that there is a token Secret, but it was not sealed by us for this connection, or the key is gone.
	ErrUnreadable = errors.New("tokenstore: token cannot be unsealed")
	// ErrConflict says that the Secret was written by somebody else since the record was loaded.
	ErrConflict = errors.New("tokenstore: token was changed by somebody else")
)

const (
	secretPrefix = "kustiq-token-"
	dataKey      = "token"
	fieldOwner   = client.FieldOwner("kustiq-tokenstore")

	labelManagedBy = "app.kubernetes.io/managed-by"
	labelComponent = "app.kubernetes.io/component"
)

// Record is one connection's grant.
type Record struct {
	// Generation counts the tokens of this connection from 1.
	Generation int64
	// Account is the connected account, acct_….
	Account       string
	Livemode      bool
	Scope, Flavor string
	Access        stripeapi.Secret
	Refresh       stripeapi.Secret
	IssuedAt      time.Time
	// ExpiresAt is when Access ends; zero when it does not.
	ExpiresAt time.Time
	// RotatedAt is when this generation replaced the one before; equal to IssuedAt for the first.
	RotatedAt time.Time
	// Previous is the generation before, kept until this one has proven itself. Its own Previous is never kept.
	Previous *Record

	// version is the resource version of the Secret that the record was read from; empty for one that is new.
	version string
}

// Replaces makes r the successor of what was loaded: Save then fails with ErrConflict when that is no longer what the
// Secret holds.
func (r Record) Replaces(loaded Record) Record {
	r.version = loaded.version
	return r
}

// Format names the record without its tokens under every verb: fmt forgets the redaction of a nested field when a verb
// does not suit its neighbours.
func (r Record) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "token of %s (generation %d)", r.Account, r.Generation)
}

// LogValue names the record without its tokens.
func (r Record) LogValue() slog.Value {
	return slog.GroupValue(slog.String("account", r.Account), slog.Int64("generation", r.Generation))
}

// Store reads and writes token Secrets. It is safe for concurrent use; there must be one writer.
type Store struct {
	client    client.Client
	direct    client.Reader
	namespace string
	vault     *vault.Vault
}

// New makes a store over the Secrets of one namespace. It panics when something is missing: that is a wiring fault.
func New(c client.Client, namespace string, v *vault.Vault) *Store {
	if c == nil || namespace == "" || v == nil {
		panic("tokenstore: New needs a client, a namespace and a vault")
	}
	return &Store{client: c, direct: c, namespace: namespace, vault: v}
}

// ReadingPast returns a store like this one whose LoadDirect reads past the client's cache.
func (s *Store) ReadingPast(direct client.Reader) *Store {
	past := *s
	past.direct = direct
	return &past
}

// SecretName is the name of the Secret of one connection.
func SecretName(uid string) string { return secretPrefix + uid }

// UIDOf is the connection whose token is in the Secret of this name; ok is false for any other Secret.
func UIDOf(secretName string) (uid string, ok bool) {
	if len(secretName) <= len(secretPrefix) || secretName[:len(secretPrefix)] != secretPrefix {
		return "", false
	}
	return secretName[len(secretPrefix):], true
}

// Load returns the connection's token, ErrNotFound or ErrUnreadable.
func (s *Store) Load(ctx context.Context, uid string) (Record, error) {
	return s.load(ctx, s.client, uid)
}

// LoadDirect is Load from the API server itself: for the moment when a token is refused and a cache may be behind.
func (s *Store) LoadDirect(ctx context.Context, uid string) (Record, error) {
	return s.load(ctx, s.direct, uid)
}

func (s *Store) load(ctx context.Context, from client.Reader, uid string) (Record, error) {
	var secret corev1.Secret
	err := from.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: SecretName(uid)}, &secret)
	if apierrors.IsNotFound(err) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("tokenstore: read Secret: %w", err)
	}
	plain, err := s.vault.Unseal(secret.Data[dataKey], sealContext(uid))
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	var w wire
	if json.Unmarshal(plain, &w) != nil {
		// The decoder's error may quote what it read, which is the token.
		return Record{}, ErrUnreadable
	}
	record := w.record()
	record.version = secret.ResourceVersion
	return record, nil
}

// Save seals the record under a new data key and writes it. The record that it returns may be saved again. A record that
// was loaded, or Replaces one that was, is only written over what was loaded: else it is ErrConflict.
func (s *Store) Save(ctx context.Context, uid string, r Record) (Record, error) {
	plain, err := json.Marshal(wireFrom(r))
	if err != nil {
		return r, errors.New("tokenstore: encode token")
	}
	sealed, err := s.vault.Seal(plain, sealContext(uid))
	if err != nil {
		return r, fmt.Errorf("tokenstore: seal token: %w", err)
	}
	secret := coreapply.Secret(SecretName(uid), s.namespace).
		WithLabels(map[string]string{labelManagedBy: "kustiq", labelComponent: "token"}).
		WithType(corev1.SecretTypeOpaque).
		WithData(map[string][]byte{dataKey: sealed})
	if r.version != "" {
		secret.WithResourceVersion(r.version)
	}
	err = s.client.Apply(ctx, secret, fieldOwner, client.ForceOwnership)
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err) && r.version != "":
		return r, ErrConflict
	case err != nil:
		return r, fmt.Errorf("tokenstore: write Secret: %w", err)
	}
	if secret.ResourceVersion != nil {
		r.version = *secret.ResourceVersion
	}
	return r, nil
}

// Delete removes the connection's token; that there is none is no error.
func (s *Store) Delete(ctx context.Context, uid string) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: SecretName(uid)}}
	if err := s.client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("tokenstore: delete Secret: %w", err)
	}
	return nil
}

// sealContext binds the sealed bytes to one connection, so that a Secret copied to another name does not open.
func sealContext(uid string) string { return "token/" + uid }
