package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// EnsureFinalizer persists the finalizer before it returns, so that what is done outside afterwards is always undone.
// obj is brought up to date. The list is sent with the resource version it was read at: another controller's finalizer
// that came in between is a conflict, never lost.
func EnsureFinalizer(ctx context.Context, c client.Client, obj client.Object, name string) error {
	if controllerutil.ContainsFinalizer(obj, name) {
		return nil
	}
	base, ok := obj.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("add finalizer: %T is no object", obj)
	}
	controllerutil.AddFinalizer(obj, name)
	if err := c.Patch(ctx, obj, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("add finalizer: %w", err)
	}
	return nil
}

// RemoveFinalizer lets go of an object that is being deleted. That it is gone already is no error. Labels or a status
// that changed since it was read do not matter; where the finalizer stands does, and is tested by the API server.
func RemoveFinalizer(ctx context.Context, c client.Client, obj client.Object, name string) error {
	at := slices.Index(obj.GetFinalizers(), name)
	if at < 0 {
		return nil
	}
	path := fmt.Sprintf("/metadata/finalizers/%d", at)
	patch, err := json.Marshal([]map[string]string{
		{"op": "test", "path": path, "value": name},
		{"op": "remove", "path": path},
	})
	if err != nil {
		return fmt.Errorf("remove finalizer: %w", err)
	}
	if err := c.Patch(ctx, obj, client.RawPatch(types.JSONPatchType, patch)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove finalizer: %w", err)
	}
	return nil
}
