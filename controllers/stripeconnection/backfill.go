package stripeconnection

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/step"
)

// initialSuffix names the Backfill that a connection creates of itself.
const initialSuffix = "-initial"

// backfill has the declared history read once, from when live events are accepted, and tells how far that is.
func (r *Reconciler) backfill(ctx context.Context, s *scope) error {
	list, err := r.backfills(ctx, s)
	if err != nil {
		return err
	}
	if len(list) == 0 && s.routed && neverRead(s.conditions.Before(v1alpha1.ConditionBackfillComplete)) {
		initial, err := r.createInitial(ctx, s)
		if err != nil {
			return err
		}
		list = append(list, *initial)
	}
	return judgeBackfills(s, list)
}

// backfills are those of the connection.
func (r *Reconciler) backfills(ctx context.Context, s *scope) ([]v1alpha1.Backfill, error) {
	var list v1alpha1.BackfillList
	err := r.Client.List(ctx, &list, client.InNamespace(s.conn.Namespace), client.MatchingFields{indexConnection: s.conn.Name})
	if err != nil {
		return nil, fmt.Errorf("list backfills: %w", err)
	}
	return list.Items, nil
}

// neverRead says whether no backfill was ever created. One that was may have been removed since, which is how somebody
// calls it off or tidies up: it does not come back by itself.
func neverRead(last *metav1.Condition) bool {
	return last == nil || last.Status == metav1.ConditionUnknown
}

func (r *Reconciler) createInitial(ctx context.Context, s *scope) (*v1alpha1.Backfill, error) {
	initial := &v1alpha1.Backfill{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.conn.Namespace, Name: s.conn.Name + initialSuffix},
		Spec: v1alpha1.BackfillSpec{
			ConnectionRef: v1alpha1.LocalRef{Name: s.conn.Name},
			Window:        s.conn.Spec.Backfill.Window,
		},
	}
	if err := controllerutil.SetControllerReference(s.conn, initial, r.Client.Scheme()); err != nil {
		return nil, fmt.Errorf("own backfill: %w", err)
	}
	err := r.Client.Create(ctx, initial)
	if apierrors.IsAlreadyExists(err) {
		return initial, nil
	}
	if err != nil {
		return nil, fmt.Errorf("create backfill: %w", err)
	}
	s.note(normal, "BackfillCreated", "Backfill", fmt.Sprintf("Backfill %s reads %s of history.", initial.Name, initial.Spec.Window))
	return initial, nil
}

// judgeBackfills sums up. Of the connection's own Backfills, the first and the catch-ups, each must succeed, or a later one
// that succeeded must reach as far back. While one has failed, a replay since then says how it goes on. Replays beyond that
// change nothing. Without one of the connection's own, any that succeeded is enough, else the newest decides.
func judgeBackfills(s *scope, list []v1alpha1.Backfill) error {
	if len(list) == 0 {
		return judgeNoBackfill(s)
	}
	own := func(b *v1alpha1.Backfill) bool { return metav1.IsControlledBy(b, s.conn) }
	slices.SortStableFunc(list, func(a, b v1alpha1.Backfill) int { // newest first; of one second, our own last
		if order := b.CreationTimestamp.Compare(a.CreationTimestamp.Time); order != 0 || own(&a) == own(&b) {
			return order
		}
		if own(&a) {
			return 1
		}
		return -1
	})
	var succeeded []*v1alpha1.Backfill
	open := &list[0]
	for i := range list {
		b := &list[i]
		switch {
		case b.Status.Phase == v1alpha1.BackfillSucceeded:
			succeeded = append(succeeded, b)
			continue
		case !own(b) || slices.ContainsFunc(succeeded, func(later *v1alpha1.Backfill) bool { return covers(later, b) }):
			continue
		case b.Status.Phase != v1alpha1.BackfillFailed || open.Status.Phase == v1alpha1.BackfillSucceeded:
			open = b
		}
		return judgeBackfill(open, s.now)
	}
	if len(succeeded) == 0 {
		return judgeBackfill(open, s.now)
	}
	s.conditions.True(v1alpha1.ConditionBackfillComplete, v1alpha1.ReasonComplete, fmt.Sprintf(
		"Backfill %s has read the declared history.", succeeded[0].Name))
	return nil
}

// covers says whether a later Backfill reads what an earlier one was to read: no smaller a window, or from no later a moment.
func covers(later, b *v1alpha1.Backfill) bool {
	switch {
	case b.Spec.Since == nil:
		return later.Spec.Since == nil && reach(later.Spec.Window) >= reach(b.Spec.Window)
	case later.Spec.Since != nil:
		return !later.Spec.Since.After(b.Spec.Since.Time)
	}
	return !later.CreationTimestamp.Add(-reach(later.Spec.Window)).After(b.Spec.Since.Time)
}

// reach is how far a window reaches back; for all time, further than Stripe is old.
func reach(w v1alpha1.Window) time.Duration {
	switch w {
	case v1alpha1.Window30d:
		return 30 * day
	case v1alpha1.Window90d:
		return 90 * day
	}
	return 100 * 365 * day
}

func judgeNoBackfill(s *scope) error {
	last := s.conditions.Before(v1alpha1.ConditionBackfillComplete)
	switch {
	case neverRead(last):
		s.conditions.Unknown(v1alpha1.ConditionBackfillComplete, v1alpha1.ReasonPending, "History is read once events are accepted.")
		return nil
	case last.Status == metav1.ConditionTrue:
		s.conditions.Keep(v1alpha1.ConditionBackfillComplete)
		return nil
	}
	return step.UserActionFor(v1alpha1.ReasonBackfillFailed, "The Backfill was removed before the history was read. Create another Backfill to read it.")
}

func judgeBackfill(b *v1alpha1.Backfill, now time.Time) error {
	if b.Status.Phase == v1alpha1.BackfillFailed {
		return step.UserActionFor(v1alpha1.ReasonBackfillFailed, fmt.Sprintf(
			"Backfill %s ended early and says why. Create another Backfill to read the history again.", b.Name))
	}
	if complete := meta.FindStatusCondition(b.Status.Conditions, v1alpha1.ConditionComplete); complete != nil && complete.Reason == v1alpha1.ReasonStripe429 {
		message := explain(errcode.ST429, fmt.Sprintf("Backfill %s is held back.", b.Name))
		if since := b.Status.ThrottledSince; since != nil && now.Sub(since.Time) > v1alpha1.ThrottledTooLong {
			return step.UserAction(errcode.ST429, message)
		}
		return step.Wait(v1alpha1.ReasonStripe429, 0, message)
	}
	if b.Status.Phase == v1alpha1.BackfillSuspended && !b.Spec.Suspend {
		return step.Wait(v1alpha1.ReasonInProgress, 0, fmt.Sprintf(
			"Backfill %s has stopped while the connection may not be read, and goes on by itself.", b.Name))
	}
	if b.Status.Phase == v1alpha1.BackfillSuspended {
		return step.Wait(v1alpha1.ReasonInProgress, 0, fmt.Sprintf("Backfill %s is suspended. Set its spec.suspend to false to go on.", b.Name))
	}
	return step.Wait(v1alpha1.ReasonInProgress, 0, fmt.Sprintf(
		"Backfill %s is reading history; live events are scored meanwhile. Nothing to do.", b.Name))
}
