package keys_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/testing/fakekms"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/internal/vault"
)

const namespace = "operator"

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a cluster with a keeper, whose hooks run before the client's next call of that kind.
type world struct {
	t        *testing.T
	clock    *clocktesting.FakeClock
	client   client.Client
	keeper   *keys.Keeper
	progress []string

	beforeUpdate, beforeApply func()
}

func newWorld(t *testing.T, settling time.Duration) *world {
	w := &world{t: t, clock: clocktesting.NewFakeClock(start)}
	w.client = fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			runOnce(&w.beforeUpdate)
			return c.Update(ctx, o, opts...)
		},
		Apply: func(
			ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption,
		) error {
			runOnce(&w.beforeApply)
			return c.Apply(ctx, o, opts...)
		},
	}).Build()
	w.keeper = keys.New(w.client, namespace, keys.Options{
		KMS: fakeKMS, Clock: w.clock, Settling: settling,
		Progress: func(line string) { w.progress = append(w.progress, line) },
	})
	return w
}

func runOnce(hook *func()) {
	if f := *hook; f != nil {
		*hook = nil
		f()
	}
}

// fakeKMS resolves fake-kms:// URIs, and everything else as an installation does.
func fakeKMS(ctx context.Context, uri string) (vault.Wrapper, error) {
	if strings.HasPrefix(uri, "fake-kms://") {
		return fakekms.NewAEAD(uri)
	}
	return keys.OpenKMS(ctx, uri)
}

func (w *world) init(kmsURI string) {
	w.t.Helper()
	created, err := w.keeper.Init(w.t.Context(), kmsURI)
	w.must(err)
	if !created {
		w.t.Fatal("the Secret was there already")
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) source() keys.Source { return keys.InCluster(w.client, namespace) }

func (w *world) load() *keys.Set {
	w.t.Helper()
	set, err := keys.Load(w.t.Context(), w.source(), fakeKMS)
	w.must(err)
	return set
}

func (w *world) secret() *corev1.Secret {
	w.t.Helper()
	var secret corev1.Secret
	w.must(w.client.Get(w.t.Context(), types.NamespacedName{Namespace: namespace, Name: keys.SecretName}, &secret))
	return &secret
}

// states are the states of one keyset's keys, the oldest first.
func (w *world) states(name keys.Name) []vault.State {
	w.t.Helper()
	keysets, _, err := w.keeper.List(w.t.Context())
	w.must(err)
	var states []vault.State
	for _, keyset := range keysets {
		if keyset.Name != name {
			continue
		}
		for _, key := range keyset.Keys {
			states = append(states, key.State)
		}
	}
	return states
}

// save seals a token as an operator does that holds these keysets.
func (w *world) save(set *keys.Set, uid string, generation int64) {
	w.t.Helper()
	store := tokenstore.New(w.client, namespace, set.Tokens)
	_, err := store.Save(w.t.Context(), uid, tokenstore.Record{
		Generation: generation, Account: "acct_1", Access: "sk_marker", Refresh: "rt_marker", IssuedAt: start,
	})
	w.must(err)
}

func (w *world) generation(set *keys.Set, uid string) int64 {
	w.t.Helper()
	record, err := tokenstore.New(w.client, namespace, set.Tokens).Load(w.t.Context(), uid)
	w.must(err)
	if record.Access.Reveal() != "sk_marker" || record.Refresh.Reveal() != "rt_marker" {
		w.t.Error("the token is not what was saved")
	}
	return record.Generation
}
