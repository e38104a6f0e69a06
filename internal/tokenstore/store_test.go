package tokenstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/internal/vault"
)

const namespace = "operator"

func newStore(t *testing.T) (*tokenstore.Store, client.Client) {
	t.Helper()
	keys, err := vault.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(keys)
	if err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().Build()
	return tokenstore.New(c, namespace, v), c
}

func record(generation int64) tokenstore.Record {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return tokenstore.Record{
		Generation: generation, Account: "acct_1", Livemode: true, Scope: "read_only", Flavor: "connect",
		Access: "sk_access_secret", Refresh: "rt_refresh_secret", IssuedAt: at, RotatedAt: at.Add(time.Hour),
	}
}

func secretOf(t *testing.T, c client.Client, uid string) *corev1.Secret {
	t.Helper()
	var secret corev1.Secret
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: tokenstore.SecretName(uid)}, &secret); err != nil {
		t.Fatal(err)
	}
	return &secret
}

func TestSaveAndLoad(t *testing.T) {
	store, _ := newStore(t)
	want := record(2)
	previous, older := record(1), record(0)
	previous.Previous = &older
	want.Previous = &previous
	if _, err := store.Save(t.Context(), "u1", want); err != nil {
		t.Fatal(err)
	}
	got, err := store.Load(t.Context(), "u1")
	if err != nil {
		t.Fatal(err)
	}
	if got.Previous == nil || got.Previous.Generation != 1 || got.Previous.Previous != nil {
		t.Fatalf("exactly one generation before is kept, got %d", got.Generation)
	}
	got.Previous, want.Previous = nil, nil
	if !reflect.DeepEqual(got, want.Replaces(got)) {
		t.Error("the record came back changed")
	}
}

func TestSealedUnderANewKeyEachTime(t *testing.T) {
	store, c := newStore(t)
	for _, save := range []string{"first", "second"} {
		if _, err := store.Save(t.Context(), "u1", record(1)); err != nil {
			t.Fatal(save, err)
		}
	}
	first := secretOf(t, c, "u1").Data["token"]
	if _, err := store.Save(t.Context(), "u1", record(1)); err != nil {
		t.Fatal(err)
	}
	second := secretOf(t, c, "u1").Data["token"]
	if bytes.Equal(first, second) {
		t.Error("the same record was sealed to the same bytes")
	}
	text := fmt.Sprint(secretOf(t, c, "u1"), string(first), string(second))
	for _, secret := range []string{"sk_access_secret", "rt_refresh_secret", "acct_1"} {
		if bytes.Contains([]byte(text), []byte(secret)) {
			t.Errorf("%s is readable in the Secret", secret)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	store, c := newStore(t)
	other, otherClient := newStore(t)
	if _, err := store.Save(t.Context(), "u1", record(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Save(t.Context(), "u3", record(1)); err != nil {
		t.Fatal(err)
	}
	// The same sealed bytes under another connection's name, and bytes of another installation's keys.
	for uid, data := range map[string][]byte{"u2": secretOf(t, c, "u1").Data["token"], "u3": secretOf(t, otherClient, "u3").Data["token"]} {
		moved := &corev1.Secret{Data: map[string][]byte{"token": data}}
		moved.Namespace, moved.Name = namespace, tokenstore.SecretName(uid)
		if err := c.Create(t.Context(), moved); err != nil {
			t.Fatal(err)
		}
	}
	for uid, want := range map[string]error{"u0": tokenstore.ErrNotFound, "u2": tokenstore.ErrUnreadable, "u3": tokenstore.ErrUnreadable} {
		if _, err := store.Load(t.Context(), uid); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", uid, err, want)
		}
	}
}

func TestSaveGivesWayToWhatOthersWrote(t *testing.T) {
	store, _ := newStore(t)
	first, err := store.Save(t.Context(), "u1", record(1))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := store.Load(t.Context(), "u1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := store.Save(t.Context(), "u1", record(2).Replaces(first))
	if err != nil {
		t.Fatal("what was just saved may be replaced:", err)
	}
	if _, err := store.Save(t.Context(), "u1", record(3).Replaces(loaded)); !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("a writer that is behind got %v", err)
	}
	if _, err := store.Save(t.Context(), "u1", record(3).Replaces(second)); err != nil {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	store, _ := newStore(t)
	if _, err := store.Save(t.Context(), "u1", record(1)); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"first", "second"} {
		if err := store.Delete(t.Context(), "u1"); err != nil {
			t.Errorf("%s: %v", attempt, err)
		}
	}
	if _, err := store.Load(t.Context(), "u1"); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("got %v after deletion", err)
	}
}

func TestARecordDoesNotPrintItsTokens(t *testing.T) {
	r := record(1)
	before := record(0)
	r.Previous = &before
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, r); bytes.Contains([]byte(text), []byte("_secret")) {
			t.Errorf("%s shows a token", verb)
		}
	}
}

func TestUIDOf(t *testing.T) {
	for name, want := range map[string]string{tokenstore.SecretName("abc"): "abc", "kustiq-token-": "", "kustiq-endpoint-eu-live": "", "x": ""} {
		if uid, ok := tokenstore.UIDOf(name); uid != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v", name, uid, ok)
		}
	}
}

func TestNewRefusesNothing(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a store without a client was made")
		}
	}()
	tokenstore.New(nil, namespace, &vault.Vault{})
}
