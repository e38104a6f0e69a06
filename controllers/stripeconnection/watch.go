package stripeconnection

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/buswatch"
	"github.com/kustiq/kustiq/controllers/credentials"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// Index fields of the cache.
const (
	indexUID        = "metadata.uid"
	indexAccount    = "status.accountID"
	indexWorkspace  = "spec.workspaceRef.name"
	indexConnection = "spec.connectionRef.name"
)

// concurrency is how many connections are reconciled at once: most of a reconcile is waiting for Stripe.
const concurrency = 8

// SetupWithManager registers the controller: every object that a step reads is watched.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	if err := index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	control := ctrl.NewControllerManagedBy(mgr).
		Named(Name).
		For(&v1alpha1.StripeConnection{}).
		// A Workspace's status counts its connections: looking at all of them for each new one would grow with the square.
		Watches(&v1alpha1.Workspace{}, handler.EnqueueRequestsFromMapFunc(r.ofWorkspace), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.Backfill{}, handler.EnqueueRequestsFromMapFunc(ofBackfill)).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.ofSecret)).
		WithOptions(buswatch.ControllerOptions(concurrency))
	for name, region := range r.Regions {
		control = control.
			WatchesRawSource(buswatch.Source("grants/"+name, region.Bus.Grants(), r.Clock, 0, r.ofGrant)).
			WatchesRawSource(buswatch.Source("health/"+name, region.Bus.Health(), r.Clock, 0, r.ofHealth)).
			WatchesRawSource(buswatch.Source("matches/"+name, region.Bus.Matches(), r.Clock, 0, r.ofMatches)).
			WatchesRawSource(buswatch.Source("erasures/"+name, region.Bus.Erasures(), r.Clock, 0, r.ofErasure(region.Bus.Erasures())))
	}
	return control.Complete(r)
}

func index(ctx context.Context, indexer client.FieldIndexer) error {
	connection, backfill := &v1alpha1.StripeConnection{}, &v1alpha1.Backfill{}
	for _, entry := range []struct {
		of    client.Object
		field string
		value func(client.Object) string
	}{
		{connection, indexUID, func(o client.Object) string { return string(o.GetUID()) }},
		{connection, indexAccount, func(o client.Object) string { return o.(*v1alpha1.StripeConnection).Status.AccountID }},
		{connection, indexWorkspace, func(o client.Object) string { return o.(*v1alpha1.StripeConnection).Spec.WorkspaceRef.Name }},
		{backfill, indexConnection, func(o client.Object) string { return o.(*v1alpha1.Backfill).Spec.ConnectionRef.Name }},
	} {
		err := indexer.IndexField(ctx, entry.of, entry.field, func(o client.Object) []string {
			if value := entry.value(o); value != "" {
				return []string{value}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("index %s: %w", entry.field, err)
		}
	}
	return nil
}

// byUID finds the connection with a uid; nil when there is none.
func (r *Reconciler) byUID(ctx context.Context, uid string) (*v1alpha1.StripeConnection, error) {
	var found v1alpha1.StripeConnectionList
	if err := r.Client.List(ctx, &found, client.MatchingFields{indexUID: uid}); err != nil {
		return nil, fmt.Errorf("find connection: %w", err)
	}
	if len(found.Items) == 0 {
		return nil, nil
	}
	return &found.Items[0], nil
}

// ofUID maps a key of the bus to its connection.
func (r *Reconciler) ofUID(ctx context.Context, uid string) []reconcile.Request {
	found, err := r.byUID(ctx, uid)
	if err != nil {
		log.FromContext(ctx).Error(err, "mapping a change on the bus")
	}
	if found == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(found)}}
}

func (r *Reconciler) ofGrant(ctx context.Context, uid string, grant *bus.Grant) []reconcile.Request {
	if grant == nil || grant.Claimed { // by us: nothing to do
		return nil
	}
	return r.ofUID(ctx, uid)
}

// ofMatches maps an account's match counts to its connection.
func (r *Reconciler) ofMatches(ctx context.Context, key string, _ *bus.Matches) []reconcile.Request {
	account, _, _ := strings.Cut(key, ".")
	return r.list(ctx, client.MatchingFields{indexAccount: account})
}

func (r *Reconciler) ofErasure(erasures *bus.Bucket[bus.Erasure]) buswatch.Map[bus.Erasure] {
	return func(ctx context.Context, uid string, erasure *bus.Erasure) []reconcile.Request {
		requests := r.ofUID(ctx, uid)
		if erasure != nil && len(requests) == 0 && r.answered(*erasure) {
			if err := erasures.Delete(ctx, uid); err != nil {
				log.FromContext(ctx).Error(err, "forgetting an answered erasure")
			}
		}
		return requests
	}
}

// answered says whether an erasure is done and its connection long gone.
func (r *Reconciler) answered(e bus.Erasure) bool {
	return e.DoneAt > 0 && r.Clock.Now().Unix()-e.DoneAt > int64(windDownDeadline.Seconds())
}

func (r *Reconciler) ofHealth(ctx context.Context, uid string, _ *bus.Health) []reconcile.Request {
	return r.ofUID(ctx, uid)
}

func (r *Reconciler) ofWorkspace(ctx context.Context, workspace client.Object) []reconcile.Request {
	return r.list(ctx, client.InNamespace(workspace.GetNamespace()), client.MatchingFields{indexWorkspace: workspace.GetName()})
}

func ofBackfill(_ context.Context, backfill client.Object) []reconcile.Request {
	b, ok := backfill.(*v1alpha1.Backfill)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.ConnectionRef.Name}}}
}

// ofSecret maps the operator's Secrets: a token's to its connection, platform credentials and endpoint secrets to all
// connections of the region.
func (r *Reconciler) ofSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	name := secret.GetName()
	if uid, ok := tokenstore.UIDOf(name); ok {
		return r.ofUID(ctx, uid)
	}
	for region := range r.Regions {
		if name == credentials.SecretName(region) || strings.HasPrefix(name, endpointPrefix+strings.ToLower(region)+"-") {
			return r.list(ctx)
		}
	}
	return nil
}

// list maps to every connection that matches.
func (r *Reconciler) list(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var found v1alpha1.StripeConnectionList
	opts = append(opts, client.UnsafeDisableDeepCopy) // read only
	if err := r.Client.List(ctx, &found, opts...); err != nil {
		log.FromContext(ctx).Error(err, "mapping a change to connections")
		return nil
	}
	requests := make([]reconcile.Request, 0, len(found.Items))
	for i := range found.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&found.Items[i])})
	}
	return requests
}
