// Package v1alpha1 owns Kustiq's custom resources: Workspace, StripeConnection and Backfill, with their conditions and
// reasons. It must not know how any of them is reconciled.
// +kubebuilder:object:generate=true
// +groupName=integrations.kustiq.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion of all kinds in this package.
	GroupVersion = schema.GroupVersion{Group: "integrations.kustiq.io", Version: "v1alpha1"}
	// SchemeBuilder collects what AddToScheme registers.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme registers the kinds of this package.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Workspace{}, &WorkspaceList{},
		&StripeConnection{}, &StripeConnectionList{},
		&Backfill{}, &BackfillList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
