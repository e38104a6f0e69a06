package kube

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// statusApply is the apply configuration of any kind's status: identity and status, and nothing that others own.
type statusApply struct {
	metaapply.TypeMetaApplyConfiguration    `json:",inline"`
	*metaapply.ObjectMetaApplyConfiguration `json:"metadata,omitempty"`

	Status any `json:"status"`
}

// IsApplyConfiguration implements runtime.ApplyConfiguration.
func (*statusApply) IsApplyConfiguration() {}

// ApplyStatus writes the whole status of obj by server-side apply, as owner, unless it equals before: the caller's
// copy of what was last read. The status must be a pointer to a struct whose empty fields are left out of its JSON.
// It reports whether it wrote.
func ApplyStatus[S any](ctx context.Context, c client.Client, owner client.FieldOwner, obj client.Object, before, status *S) (bool, error) {
	if equality.Semantic.DeepEqual(before, status) {
		return false, nil
	}
	gvk, err := apiutil.GVKForObject(obj, c.Scheme())
	if err != nil {
		return false, fmt.Errorf("apply status: %w", err)
	}
	version, kind := gvk.ToAPIVersionAndKind()
	name, namespace := obj.GetName(), obj.GetNamespace()
	sent := *status
	apply := &statusApply{
		TypeMetaApplyConfiguration: metaapply.TypeMetaApplyConfiguration{Kind: &kind, APIVersion: &version},
		// No resource version: a status has one writer, and what it found must not be lost to somebody else's label.
		ObjectMetaApplyConfiguration: &metaapply.ObjectMetaApplyConfiguration{Name: &name, Namespace: &namespace},
		Status:                       &sent,
	}
	if err := c.Status().Apply(ctx, apply, owner, client.ForceOwnership); err != nil {
		return false, fmt.Errorf("apply status of %s %s/%s: %w", kind, namespace, name, err)
	}
	return true, nil
}
