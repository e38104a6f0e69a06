package kube

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// EnsureFinalizer persists the finalizer before it returns, so that what is done outside afterwards is always undone.
// obj is brought up to date.
func EnsureFinalizer(ctx context.Context, c client.Client, obj client.Object, name string) error {
	if controllerutil.ContainsFinalizer(obj, name) {
		return nil
	}
	return patchFinalizers(ctx, c, obj, "add", func(o client.Object) { controllerutil.AddFinalizer(o, name) })
}

// RemoveFinalizer lets go of an object that is being deleted. That it is gone already is no error.
func RemoveFinalizer(ctx context.Context, c client.Client, obj client.Object, name string) error {
	if !controllerutil.ContainsFinalizer(obj, name) {
		return nil
	}
	err := patchFinalizers(ctx, c, obj, "remove", func(o client.Object) { controllerutil.RemoveFinalizer(o, name) })
	return client.IgnoreNotFound(err)
}

// patchFinalizers sends the list with the resource version it was read at: another controller's finalizer that came
// in between is a conflict, never lost.
func patchFinalizers(ctx context.Context, c client.Client, obj client.Object, verb string, change func(client.Object)) error {
	base, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%s finalizer: %T is no object", verb, obj)
	}
	change(obj)
	if err := c.Patch(ctx, obj, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("%s finalizer: %w", verb, err)
	}
	return nil
}
