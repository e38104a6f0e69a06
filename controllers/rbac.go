package controllers

// What the operator may do. No Secret outside its own namespace; nothing may be created on a tenant's behalf but the
// Backfills that a connection needs: the first, and those that catch up.
//
// +kubebuilder:rbac:groups=integrations.kustiq.io,resources=workspaces;stripeconnections;backfills,verbs=get;list;watch
// +kubebuilder:rbac:groups=integrations.kustiq.io,resources=workspaces/status;stripeconnections/status;backfills/status,verbs=get;patch
// +kubebuilder:rbac:groups=integrations.kustiq.io,resources=stripeconnections,verbs=patch
// +kubebuilder:rbac:groups=integrations.kustiq.io,resources=stripeconnections/finalizers;backfills/finalizers,verbs=update
// +kubebuilder:rbac:groups=integrations.kustiq.io,resources=backfills,verbs=create;patch;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch;delete,namespace=kustiq-system
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=kustiq-keys,verbs=update,namespace=kustiq-system
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;delete,namespace=kustiq-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update,namespace=kustiq-system
