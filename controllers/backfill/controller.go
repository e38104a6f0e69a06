package backfill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
)

const (
	// Name of the controller.
	Name = "backfill"

	fieldOwner = client.FieldOwner("kustiq-" + Name)

	// regularPace is how often an unfinished Backfill is looked at when nothing is heard of it.
	regularPace = 5 * time.Minute
)

// Config is what the controller works with. All of it is needed.
type Config struct {
	Client   client.Client
	Recorder events.EventRecorder
	// Buses by the region's name.
	Buses  map[string]*bus.Bus
	Clock  clock.Clock
	Jitter step.Jitter
}

// Reconciler reconciles Backfills.
type Reconciler struct {
	Config

	steps []step.Step[*scope]
}

// New makes the reconciler.
func New(c Config) (*Reconciler, error) {
	if c.Client == nil || c.Recorder == nil || c.Clock == nil || c.Jitter == nil {
		return nil, errors.New("backfill: client, recorder, clock and jitter are needed")
	}
	r := &Reconciler{Config: c}
	r.steps = []step.Step[*scope]{
		{Name: "locate connection", Condition: v1alpha1.ConditionComplete, Run: r.locate},
		{Name: "submit", Condition: v1alpha1.ConditionComplete, Run: r.submit},
		{Name: "follow", Condition: v1alpha1.ConditionComplete, Run: r.follow},
	}
	return r, nil
}

// Reconcile brings one Backfill closer to its end.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var b v1alpha1.Backfill
	if err := r.Client.Get(ctx, req.NamespacedName, &b); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !b.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.callOff(ctx, &b)
	}
	if finished(b.Status.Phase) {
		return r.expire(ctx, &b)
	}
	if err := kube.EnsureFinalizer(ctx, r.Client, &b, v1alpha1.Finalizer); err != nil {
		return ctrl.Result{}, err
	}
	s := r.newScope(&b)
	stops := step.Run(ctx, s, r.steps)
	written := r.conclude(ctx, s, stops)
	result, err := step.Schedule(stops, regularPace, r.Jitter)
	if err = errors.Join(err, written); err != nil {
		return ctrl.Result{}, err
	}
	return result, nil
}

func finished(phase v1alpha1.BackfillPhase) bool {
	return phase == v1alpha1.BackfillSucceeded || phase == v1alpha1.BackfillFailed
}

// callOff removes the progress, by which a worker knows that nobody wants the rest, and lets go of the object.
func (r *Reconciler) callOff(ctx context.Context, b *v1alpha1.Backfill) error {
	// The connection, and with it the region, may be gone already.
	for name, region := range r.Buses {
		if err := region.Progress().Delete(ctx, string(b.UID)); err != nil {
			return fmt.Errorf("remove progress in region %s: %w", name, err)
		}
		if err := region.RemoveBackfill(ctx, string(b.UID)); err != nil {
			return fmt.Errorf("remove checkpoints in region %s: %w", name, err)
		}
	}
	return kube.RemoveFinalizer(ctx, r.Client, b, v1alpha1.Finalizer)
}

// expire deletes a finished Backfill whose time to be kept is over.
func (r *Reconciler) expire(ctx context.Context, b *v1alpha1.Backfill) (ctrl.Result, error) {
	if b.Spec.TTLAfterFinished == nil || b.Status.CompletionTime == nil {
		return ctrl.Result{}, nil
	}
	left := b.Status.CompletionTime.Add(b.Spec.TTLAfterFinished.Duration).Sub(r.Clock.Now())
	if left > 0 {
		return ctrl.Result{RequeueAfter: left}, nil
	}
	err := r.Client.Delete(ctx, b, client.Preconditions{UID: &b.UID})
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("delete expired backfill: %w", err)
	}
	return ctrl.Result{}, nil
}
