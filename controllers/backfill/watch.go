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
	// indexUnfinished finds the Backfills of a connection that have not ended.
	indexUnfinished = "unfinishedOf"

	concurrency = 2
	// progressDelay gathers the workers' reports, one a page, into at most two looks a second.
	progressDelay = 500 * time.Millisecond
)

// SetupWithManager registers the controller: every object that a step reads is watched.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	for field, value := range map[string]client.IndexerFunc{
		indexUID:        func(o client.Object) []string { return []string{string(o.GetUID())} },
		indexUnfinished: unfinishedOf,
	} {
		if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Backfill{}, field, value); err != nil {
			return fmt.Errorf("index backfills: %w", err)
		}
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

func unfinishedOf(o client.Object) []string {
	if b, ok := o.(*v1alpha1.Backfill); ok && !finished(b.Status.Phase) {
		return []string{b.Spec.ConnectionRef.Name}
	}
	return nil
}

// ofConnection maps a connection to its Backfills that have not ended.
func (r *Reconciler) ofConnection(ctx context.Context, connection client.Object) []reconcile.Request {
	return r.list(ctx, client.InNamespace(connection.GetNamespace()), client.MatchingFields{indexUnfinished: connection.GetName()})
}

// ofProgress maps a key of the bus to its Backfill.
func (r *Reconciler) ofProgress(ctx context.Context, uid string, _ *bus.Progress) []reconcile.Request {
	return r.list(ctx, client.MatchingFields{indexUID: uid})
}

// list maps to every Backfill that matches.
func (r *Reconciler) list(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var found v1alpha1.BackfillList
	opts = append(opts, client.UnsafeDisableDeepCopy) // read only
	if err := r.Client.List(ctx, &found, opts...); err != nil {
		log.FromContext(ctx).Error(err, "mapping a change to backfills")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(found.Items))
	for i := range found.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&found.Items[i])})
	}
	return requests
}
