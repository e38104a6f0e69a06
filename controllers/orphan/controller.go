package orphan

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kustiq/kustiq/controllers/buswatch"
	"github.com/kustiq/kustiq/internal/step"
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
	Client client.Client
	// Undo takes an orphan away at Stripe. That it is gone already, or needed again, is no error.
	Undo   func(context.Context, Orphan) error
	Clock  clock.PassiveClock
	Jitter step.Jitter
}

// Reconciler undoes what orphans tell of.
type Reconciler struct{ Config }

// New makes the reconciler.
func New(c Config) (*Reconciler, error) {
	if c.Client == nil || c.Undo == nil || c.Clock == nil || c.Jitter == nil {
		return nil, errors.New("orphan: client, a way to undo, clock and jitter are needed")
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

// Reconcile tries once more to take one orphan away.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var record corev1.ConfigMap
	if err := r.Client.Get(ctx, req.NamespacedName, &record); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	left, err := parse(&record)
	if err != nil {
		log.FromContext(ctx).Error(err, "an orphan cannot be read: undo by hand what it tells and delete its ConfigMap")
		return ctrl.Result{}, nil
	}
	age := r.Clock.Since(left.Since)
	if age < retryFirst { // it was tried until just now
		return ctrl.Result{RequeueAfter: retryFirst - age}, nil
	}
	if err := r.Undo(ctx, left); err != nil {
		log.FromContext(ctx).Error(err, "taking an orphan away", "account", left.Account, "region", left.Region)
		return ctrl.Result{RequeueAfter: r.Jitter.Shorten(min(retryMost, max(retryFirst, age/retryShare)))}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.Client.Delete(ctx, &record))
}
