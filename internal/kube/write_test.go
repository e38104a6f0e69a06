package kube_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kustiq/kustiq/internal/kube"
)

const finalizer = "example.io/finalizer"

func pod() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}
}

// counting is a client that counts writes.
func counting(writes *int, objects ...client.Object) client.Client {
	return fake.NewClientBuilder().WithObjects(objects...).WithStatusSubresource(&corev1.Pod{}).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			*writes++
			return c.Patch(ctx, o, patch, opts...)
		},
	}).Build()
}

func get(t *testing.T, c client.Client) *corev1.Pod {
	t.Helper()
	p := pod()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(p), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEnsureFinalizer(t *testing.T) {
	writes := 0
	c := counting(&writes, pod())
	for range 2 {
		if err := kube.EnsureFinalizer(t.Context(), c, get(t, c), finalizer); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, c).Finalizers; len(got) != 1 || writes != 1 {
		t.Errorf("finalizers %v after %d writes", got, writes)
	}
}

func TestFinalizersOfOthersAreNeverLost(t *testing.T) {
	writes := 0
	c := counting(&writes, pod())
	stale := get(t, c)
	if err := kube.EnsureFinalizer(t.Context(), c, get(t, c), "example.io/other"); err != nil {
		t.Fatal(err)
	}
	if err := kube.EnsureFinalizer(t.Context(), c, stale, finalizer); !apierrors.IsConflict(err) {
		t.Errorf("a stale list was written: %v", err)
	}
	if got := get(t, c).Finalizers; len(got) != 1 || got[0] != "example.io/other" {
		t.Errorf("finalizers %v", got)
	}
}

func TestRemoveFinalizer(t *testing.T) {
	writes := 0
	held := pod()
	held.Finalizers = []string{finalizer}
	c := counting(&writes, held)
	gone := get(t, c)
	if err := c.Delete(t.Context(), get(t, c)); err != nil {
		t.Fatal(err)
	}
	if err := kube.RemoveFinalizer(t.Context(), c, get(t, c), finalizer); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(gone), pod()); !apierrors.IsNotFound(err) {
		t.Errorf("still there: %v", err)
	}
	if err := kube.RemoveFinalizer(t.Context(), c, gone, finalizer); err != nil {
		t.Errorf("one that is gone already: %v", err)
	}
}

func TestRemoveFinalizerOfAStaleObject(t *testing.T) {
	writes := 0
	held := pod()
	held.Finalizers = []string{"example.io/other", finalizer}
	c := counting(&writes, held)
	read, changed := get(t, c), get(t, c)
	changed.Labels = map[string]string{"by": "somebody"}
	if err := c.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := kube.RemoveFinalizer(t.Context(), c, read.DeepCopy(), finalizer); err != nil {
		t.Errorf("after a label: %v", err)
	}
	changed = get(t, c)
	changed.Finalizers = []string{"example.io/new", "example.io/other"}
	if err := c.Update(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if err := kube.RemoveFinalizer(t.Context(), c, read, finalizer); err == nil {
		t.Error("another's finalizer stands where ours was read")
	}
	if got := get(t, c); len(got.Finalizers) != 2 || got.Labels["by"] != "somebody" {
		t.Errorf("finalizers %v, labels %v", got.Finalizers, got.Labels)
	}
}

func TestApplyStatus(t *testing.T) {
	writes := 0
	c := counting(&writes, pod())
	p := get(t, c)
	status := p.Status.DeepCopy()
	status.Message = "hello"
	wrote, err := kube.ApplyStatus(t.Context(), c, "test", p, &p.Status, status)
	if err != nil || !wrote {
		t.Fatalf("wrote %v: %v", wrote, err)
	}
	after := get(t, c)
	if after.Status.Message != "hello" {
		t.Errorf("status %+v", after.Status)
	}
	wrote, err = kube.ApplyStatus(t.Context(), c, "test", after, &after.Status, status)
	if err != nil || wrote {
		t.Errorf("wrote the same again (%v): %v", wrote, err)
	}
	if got := get(t, c).ResourceVersion; got != after.ResourceVersion {
		t.Errorf("resource version %s became %s", after.ResourceVersion, got)
	}
}
