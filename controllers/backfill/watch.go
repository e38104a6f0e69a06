package backfill

import (
	"context"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/buswatch"
	"github.com/kustiq/kustiq/internal/bus"
)

const (
	indexUID = "metadata.uid"

	concurrency = 2
	// progressDelay gathers the workers' reports, one a page, into at most two looks a second.
	progressDelay = 500 * time.Millisecond
)

// SetupWithManager registers the controller: every object that a step reads is watched.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Backfill{}, indexUID, func(o client.Object) []string {
		return []string{string(o.GetUID())}
	})
	if err != nil {
		return fmt.Errorf("index backfills: %w", err)
	}
	builder := ctrl.NewControllerManagedBy(mgr).
		Named(Name).
		For(&v1alpha1.Backfill{}).
		Watches(&v1alpha1.StripeConnection{}, handler.EnqueueRequestsFromMapFunc(r.ofConnection)).
		WithOptions(buswatch.ControllerOptions(concurrency))
	for name, region := range r.Buses {
		builder = builder.WatchesRawSource(buswatch.Source("progress/"+name, region.Progress(), r.Clock, progressDelay, r.ofProgress))
	}
	return builder.Complete(r)
}

// ofConnection maps a connection to its Backfills that have not ended.
func (r *Reconciler) ofConnection(ctx context.Context, connection client.Object) []reconcile.Request {
	var list v1alpha1.BackfillList
	if err := r.Client.List(ctx, &list, client.InNamespace(connection.GetNamespace())); err != nil {
		log.FromContext(ctx).Error(err, "mapping a connection to its backfills")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		b := &list.Items[i]
		if b.Spec.ConnectionRef.Name == connection.GetName() && !finished(b.Status.Phase) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(b)})
		}
	}
	return requests
}

// ofProgress maps a key of the bus to its Backfill.
func (r *Reconciler) ofProgress(ctx context.Context, uid string, _ *bus.Progress) []reconcile.Request {
	var found v1alpha1.BackfillList
	if err := r.Client.List(ctx, &found, client.MatchingFields{indexUID: uid}); err != nil {
		log.FromContext(ctx).Error(err, "mapping progress to its backfill")
		return nil
	}
	if len(found.Items) == 0 {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(&found.Items[0])}}
}
