package backfill

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
)

// locate finds the connection and the bus of its region.
func (r *Reconciler) locate(ctx context.Context, s *scope) error {
	var connection v1alpha1.StripeConnection
	name := s.backfill.Spec.ConnectionRef.Name
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.backfill.Namespace, Name: name}, &connection)
	if apierrors.IsNotFound(err) {
		s.pending()
		return step.UserActionFor(v1alpha1.ReasonConnectionNotFound, fmt.Sprintf("There is no StripeConnection %q in this namespace. Create it.", name))
	}
	if err != nil {
		return fmt.Errorf("read connection: %w", err)
	}
	s.connection, s.bus = &connection, r.Buses[string(connection.Status.Region)]
	if s.bus == nil {
		s.pending()
		return notReady(name)
	}
	return nil
}

// submit hands the backfill to the workers, once. The progress is created first, which tells a second attempt from the
// first; the task has the Backfill's uid for its id, so that repeating it after a crash changes nothing.
func (r *Reconciler) submit(ctx context.Context, s *scope) error {
	progress, _, err := s.bus.Progress().Get(ctx, s.uid)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("read progress: %w", err)
	}
	created := err == nil
	if s.progress = progress; created {
		if err := hold(ctx, s); err != nil {
			return err
		}
	}
	if created && (over(s.progress.Phase) || submitted(s)) {
		return nil
	}
	if !created {
		if err := admit(s); err != nil {
			return err
		}
		s.progress = bus.Progress{Phase: bus.PhasePending, Connection: string(s.connection.UID), Until: until(s)}
		if _, err := s.bus.Progress().Create(ctx, s.uid, s.progress); err != nil && !errors.Is(err, bus.ErrExists) {
			return fmt.Errorf("create progress: %w", err)
		}
	}
	if err := s.bus.PublishTask(ctx, taskID(s), taskFor(s)); err != nil {
		return fmt.Errorf("publish task: %w", err)
	}
	return nil
}

// taskID is another one each time that the reading is resumed: the bus takes each once.
func taskID(s *scope) string {
	if s.progress.Resumes == 0 {
		return s.uid
	}
	return fmt.Sprintf("%s/%d", s.uid, s.progress.Resumes)
}

// submitted says whether the status tells of an earlier reconcile that has published the task.
func submitted(s *scope) bool {
	last := s.conditions.Before(v1alpha1.ConditionComplete)
	return last != nil && (last.Reason == v1alpha1.ReasonInProgress || last.Reason == v1alpha1.ReasonStripe429)
}

// admit says whether reading may begin now.
func admit(s *scope) error {
	if s.backfill.Spec.Suspend {
		s.status.Phase = v1alpha1.BackfillSuspended
		return step.Wait(v1alpha1.ReasonSuspended, 0, "Reading has not begun. Set spec.suspend to false to begin.")
	}
	if !readable(s.connection) {
		s.pending()
		return notReady(s.connection.Name)
	}
	return nil
}

// readable says whether a connection's history may be read: everything that its events are accepted by is known to hold.
func readable(c *v1alpha1.StripeConnection) bool {
	is := func(condition string) bool { return meta.IsStatusConditionTrue(c.Status.Conditions, condition) }
	return c.Status.AccountID != "" && !barred(c) &&
		is(v1alpha1.ConditionEntitled) && is(v1alpha1.ConditionRegionPinned) && is(v1alpha1.ConditionAuthorized)
}

// barred says whether a connection must not be read, as its events are not accepted. What is unknown bars nothing that
// has begun, and a grant that is lost ends a reading at Stripe.
func barred(c *v1alpha1.StripeConnection) bool {
	no := func(condition string) bool { return meta.IsStatusConditionFalse(c.Status.Conditions, condition) }
	return c.Spec.Suspend || !c.DeletionTimestamp.IsZero() || no(v1alpha1.ConditionEntitled) || no(v1alpha1.ConditionRegionPinned)
}

func notReady(connection string) error {
	return step.Wait(v1alpha1.ReasonConnectionNotReady, 0, fmt.Sprintf(
		"StripeConnection %q cannot be read yet; its conditions say why. Reading begins by itself.", connection))
}

// pending marks a Backfill that has not begun.
func (s *scope) pending() {
	if s.status.Phase != v1alpha1.BackfillRunning {
		s.status.Phase = v1alpha1.BackfillPending
	}
}

// until is where the reading ends: where live events begin. A Backfill may be older than the consent, and a connection's
// events are accepted by the time that it can be read. What a catch-up is for has ended when it was created.
func until(s *scope) int64 {
	if s.backfill.Spec.Since != nil {
		return s.backfill.CreationTimestamp.Unix()
	}
	return s.now.Unix()
}

// taskFor describes the reading.
func taskFor(s *scope) bus.Task {
	c, since := s.connection, int64(0)
	if s.backfill.Spec.Since != nil {
		since = s.backfill.Spec.Since.Unix()
	}
	return bus.Task{Kind: bus.TaskBackfill, Backfill: &bus.BackfillTask{
		UID:        s.uid,
		Namespace:  s.backfill.Namespace,
		Name:       s.backfill.Name,
		Connection: string(c.UID),
		Workspace:  c.Namespace + "/" + c.Spec.WorkspaceRef.Name,
		Account:    c.Status.AccountID,
		Livemode:   c.Spec.Mode == v1alpha1.ModeLive,
		Window:     string(s.backfill.Spec.Window),
		Since:      since,
		Until:      cmp.Or(s.progress.Until, s.backfill.CreationTimestamp.Unix()),
	}}
}
