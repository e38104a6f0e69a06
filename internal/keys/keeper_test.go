package keys_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/testing/fakekms"
	"github.com/tink-crypto/tink-go/v2/tink"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/vault"
)

func TestInitMakesTheSecretOnce(t *testing.T) {
	w := newWorld(t, 0)
	if _, err := keys.Load(t.Context(), w.source(), fakeKMS); !errors.Is(err, keys.ErrNotInstalled) {
		t.Errorf("before: %v", err)
	}
	w.init("")
	before := w.secret()
	created, err := w.keeper.Init(t.Context(), "")
	if created || err != nil {
		t.Errorf("second time: %v, %v", created, err)
	}
	if after := w.secret(); after.ResourceVersion != before.ResourceVersion {
		t.Error("the second Init has written")
	}
	set := w.load()
	sealed, err := set.Bus.Seal([]byte("x"), "c")
	w.must(err)
	for name, other := range map[string]*vault.Vault{"tokens": set.Tokens, "identity": set.Identity} {
		if _, err := other.Unseal(sealed, "c"); !errors.Is(err, vault.ErrUnseal) {
			t.Errorf("%s opens what bus has sealed: %v", name, err)
		}
	}
	busFiles, err := keys.BusFiles(t.Context(), w.source())
	if err != nil || len(busFiles) != 32 || bytes.Equal(busFiles, make([]byte, 32)) {
		t.Errorf("bus-files is not 32 random bytes: %v", err)
	}
	if len(before.Data[keys.BusTokenKey]) < 26 {
		t.Error("no bus token of 128 bits or more")
	}
}

func TestInitAddsTheTokenThatEarlierVersionsDidNotMake(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	before := w.secret()
	old := before.DeepCopy()
	delete(old.Data, keys.BusTokenKey)
	w.must(w.client.Update(t.Context(), old))
	if created, err := w.keeper.Init(t.Context(), ""); created || err != nil {
		t.Fatalf("%v, %v", created, err)
	}
	after := w.secret()
	if len(after.Data[keys.BusTokenKey]) < 26 || bytes.Equal(after.Data[keys.BusTokenKey], before.Data[keys.BusTokenKey]) {
		t.Error("no token of its own was added")
	}
	for name, held := range old.Data {
		if !bytes.Equal(after.Data[name], held) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestKeysetsWrappedByAKMSKey(t *testing.T) {
	uri, err := fakekms.NewKeyURI()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 0)
	w.init(uri)
	old := w.load()
	w.save(old, "u1", 1)
	for _, name := range keys.Names() {
		if _, err := vault.Open(w.secret().Data[string(name)]); err == nil {
			t.Errorf("keyset %s lies in the clear", name)
		}
	}
	w.must(w.keeper.Rotate(t.Context(), keys.Names()...))
	if _, err := w.keeper.Reseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.must(w.keeper.Prune(t.Context(), keys.Tokens))
	if got := w.generation(w.load(), "u1"); got != 1 {
		t.Errorf("generation %d", got)
	}
	if _, listed, err := w.keeper.List(t.Context()); err != nil || listed != uri {
		t.Errorf("list: %q, %v", listed, err)
	}

	t.Run("a keyset in another's place does not open", func(t *testing.T) {
		secret := w.secret()
		secret.Data["bus"], secret.Data["tokens"] = secret.Data["tokens"], secret.Data["bus"]
		w.must(w.client.Update(t.Context(), secret))
		if _, err := keys.Load(t.Context(), w.source(), fakeKMS); !errors.Is(err, keys.ErrKMS) {
			t.Errorf("got %v", err)
		}
	})
}

func TestInitSaysSoWhenTheKeysetsAreNotWrappedAsAsked(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	uri, err := fakekms.NewKeyURI()
	w.must(err)
	if _, err := w.keeper.Init(t.Context(), uri); !errors.Is(err, keys.ErrOtherKMS) {
		t.Errorf("got %v", err)
	}
}

// oneWay is a KMS key that may encrypt but not decrypt.
type oneWay struct{ tink.AEAD }

func (oneWay) Decrypt(_, _ []byte) ([]byte, error) { return nil, errors.New("AccessDenied") }

func TestInitFindsAKMSKeyThatMayNotDecrypt(t *testing.T) {
	w := newWorld(t, 0)
	uri, err := fakekms.NewKeyURI()
	w.must(err)
	keeper := keys.New(w.client, namespace, keys.Options{
		Clock: clocktesting.NewFakeClock(start),
		KMS: func(context.Context, string) (vault.Wrapper, error) {
			aead, err := fakekms.NewAEAD(uri)
			return oneWay{aead}, err
		},
	})
	created, err := keeper.Init(t.Context(), uri)
	if created || !errors.Is(err, keys.ErrKMS) || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("got %v, %v", created, err)
	}
}

func TestKMSURIs(t *testing.T) {
	for _, tt := range []struct{ uri, says string }{
		{"azure-kv://x/secret-part", `scheme "azure-kv" is not supported; aws-kms://, gcp-kms:// and hcvault:// are`},
		{"secret-part", "the URI has no scheme; aws-kms://, gcp-kms:// and hcvault:// are supported"},
		{"hcvault://:secret-part@vault:8200/transit/keys/k", "the URI is not like hcvault://"},
		{"hcvault:///transit/keys/k", "the URI is not like hcvault://"},
	} {
		_, err := keys.OpenKMS(t.Context(), tt.uri)
		if !errors.Is(err, keys.ErrKMS) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.uri, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret-part") {
			t.Errorf("the error quotes the URI: %v", err)
		}
	}
	t.Setenv("VAULT_TOKEN", "hvs.unused")
	t.Setenv("AWS_ACCESS_KEY_ID", "unused")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "unused")
	for _, uri := range []string{
		"hcvault://vault.example:8200/transit/keys/kustiq",
		"aws-kms://arn:aws:kms:eu-central-1:123456789012:key/0f4a1c7e-0000-4000-8000-000000000000",
	} {
		if wrapper, err := keys.OpenKMS(t.Context(), uri); err != nil || wrapper == nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestNothingSaysAKey(t *testing.T) {
	w := newWorld(t, 0)
	w.init("")
	set := w.load()
	said := []string{fmt.Sprint(set), fmt.Sprintf("%+v %#v %s %x", set, set, set, set), set.LogValue().String()}
	secret := w.secret()
	material := [][]byte{secret.Data["tokens"], secret.Data["bus"], secret.Data["identity"], secret.Data["bus-files"]}

	secret.Data["bus"] = append(bytes.Clone(secret.Data["bus"]), "rest"...)
	delete(secret.Data, "identity")
	w.must(w.client.Update(t.Context(), secret))
	_, loadErr := keys.Load(t.Context(), w.source(), fakeKMS)
	_, refreshErr := set.Refresh(t.Context())
	_, _, listErr := w.keeper.List(t.Context())
	for _, err := range []error{loadErr, refreshErr, listErr, w.keeper.Rotate(t.Context(), keys.Names()...)} {
		if err == nil {
			t.Fatal("a broken Secret is no error")
		}
		said = append(said, err.Error())
	}
	for _, text := range said {
		for _, m := range material {
			// Any 8 bytes in a row would be a part of the key.
			for part := range slices.Chunk(m, 8) {
				if len(part) == 8 && (strings.Contains(text, string(part)) || strings.Contains(text, fmt.Sprintf("%x", part))) {
					t.Fatalf("%q says a part of a key", text)
				}
			}
		}
	}
}

func TestParseName(t *testing.T) {
	if name, err := keys.ParseName("bus"); err != nil || name != keys.Bus {
		t.Errorf("bus: %q, %v", name, err)
	}
	if _, err := keys.ParseName("bus-files"); err == nil {
		t.Error("bus-files is no keyset")
	}
}
