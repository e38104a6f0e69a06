package orphan

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/buswatch"
	"github.com/kustiq/kustiq/controllers/credentials"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// controllerName is the controller's.
const controllerName = "orphan"

// An orphan is tried again after a share of its age, between these bounds: soon while Stripe may only be restarting, and
// rarely when nobody has mended it for days.
const (
	retryFirst = 10 * time.Minute
	retryMost  = 6 * time.Hour
	retryShare = 4
)

// Config is what the controller works with. All of it is needed.
type Config struct {
	Client            client.Client
	OperatorNamespace string
	API               *stripeapi.API
	Clock             clock.PassiveClock
	Jitter            step.Jitter
}

// Reconciler gives orphaned grants back.
type Reconciler struct{ Config }

// New makes the reconciler.
func New(c Config) (*Reconciler, error) {
	if c.Client == nil || c.OperatorNamespace == "" || c.API == nil || c.Clock == nil || c.Jitter == nil {
		return nil, errors.New("orphan: client, operator namespace, API, clock and jitter are needed")
	}
	return &Reconciler{c}, nil
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named(controllerName).
		For(&corev1.ConfigMap{}, builder.WithPredicates(predicate.NewPredicateFuncs(isRecord))).
		WithOptions(buswatch.ControllerOptions(1)).
		Complete(r)
}

// Reconcile tries once more to give one grant back.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var record corev1.ConfigMap
	if err := r.Client.Get(ctx, req.NamespacedName, &record); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	grant, err := parse(&record)
	if err != nil {
		log.FromContext(ctx).Error(err, "an orphan cannot be read: give it back by hand and delete its ConfigMap")
		return ctrl.Result{}, nil
	}
	age := r.Clock.Since(grant.Since)
	if age < retryFirst { // it was tried until just now
		return ctrl.Result{RequeueAfter: retryFirst - age}, nil
	}
	if err := r.giveBack(ctx, grant); err != nil {
		log.FromContext(ctx).Error(err, "giving an orphaned grant back", "account", grant.Account)
		return ctrl.Result{RequeueAfter: r.Jitter.Shorten(min(retryMost, max(retryFirst, age/retryShare)))}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.Client.Delete(ctx, &record))
}

// giveBack deauthorises the account, unless it has been connected again meanwhile: then the grant is needed.
func (r *Reconciler) giveBack(ctx context.Context, g Grant) error {
	var connections v1alpha1.StripeConnectionList
	if err := r.Client.List(ctx, &connections, client.UnsafeDisableDeepCopy); err != nil { // read only
		return fmt.Errorf("list connections: %w", err)
	}
	for i := range connections.Items {
		c := &connections.Items[i]
		if c.Status.AccountID == g.Account && (c.Spec.Mode == v1alpha1.ModeLive) == g.Livemode {
			return nil
		}
	}
	mode := "test"
	if g.Livemode {
		mode = "live"
	}
	platform, missing, err := credentials.Read(ctx, r.Client, r.OperatorNamespace, g.Region, mode)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("platform credentials of region %s lack %v", g.Region, missing)
	}
	return r.API.Deauthorize(ctx, platform, g.Account)
}
