package stripeconnection

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
)

const (
	// interruptMargin goes back from the moment of an interruption, for what was on its way then.
	interruptMargin = time.Minute
	// repeatedLive and repeatedTest are for how long Stripe surely repeats an event that is refused (Stripe's documentation of
	// webhook retries: up to three days live, three times within a few hours in test mode).
	repeatedLive = 60 * time.Hour
	repeatedTest = time.Hour
	// catchUpTTL is how long a finished catch-up is kept for people to see.
	catchUpTTL = 7 * 24 * time.Hour
	day        = 24 * time.Hour
)

// interrupt remembers in the status since when events may have been missed, and has the gap read once they are accepted
// again. It runs after route, whatever that came to.
func (r *Reconciler) interrupt(ctx context.Context, s *scope) error {
	if s.status.ConnectedAt == nil || neverRead(s.conditions.Before(v1alpha1.ConditionBackfillComplete)) {
		// What there is was never read: the first backfill reads all that is declared.
		s.status.InterruptedSince = nil
		return nil
	}
	if s.status.InterruptedSince == nil {
		health, err := healthOf(ctx, s)
		if err != nil {
			return err
		}
		s.status.InterruptedSince = interruptedSince(s, health)
	}
	since := s.status.InterruptedSince
	if since == nil || !s.routed {
		return nil
	}
	if err := r.catchUp(ctx, s, since.Time); err != nil {
		return err
	}
	s.status.InterruptedSince = nil
	return nil
}

// interruptedSince is nil when nothing speaks against events arriving: a failure that may pass leaves them accepted.
func interruptedSince(s *scope, health bus.Health) *metav1.Time {
	var since time.Time
	switch {
	case s.routed:
		since = refusedSince(s, health)
	case s.withdraw:
		since = s.now.Add(-interruptMargin)
	case s.lost:
		since = s.now.Add(-s.unnoticed())
		if said := time.Unix(health.DeauthorizedAt, 0).Add(-interruptMargin); health.DeauthorizedAt > 0 && said.Before(since) {
			since = said
		}
	}
	if since.IsZero() {
		return nil
	}
	if connected := s.status.ConnectedAt.Time; since.Before(connected) {
		since = connected
	}
	return timeOf(since)
}

// unnoticed goes back from the moment in which a loss was noticed: the pace of probes, twice.
func (s *scope) unnoticed() time.Duration { return 2 * s.look() }

// refusedSince is since when events were refused for longer than Stripe repeats them, once one is accepted again; else zero.
func refusedSince(s *scope, health bus.Health) time.Time {
	last := s.conditions.Before(v1alpha1.ConditionEventsVerified)
	if last == nil || last.Status != metav1.ConditionFalse || health.LastVerifiedAt <= last.LastTransitionTime.Unix() {
		return time.Time{}
	}
	repeated := repeatedLive
	if s.conn.Spec.Mode == v1alpha1.ModeTest {
		repeated = repeatedTest
	}
	if s.now.Sub(last.LastTransitionTime.Time) < repeated {
		return time.Time{}
	}
	return last.LastTransitionTime.Add(-s.unnoticed())
}

// catchUp has what happened since a moment read, once: its name tells the moment.
func (r *Reconciler) catchUp(ctx context.Context, s *scope, since time.Time) error {
	name := fmt.Sprintf("%s-catchup-%d", s.conn.Name, since.Unix())
	unread, err := r.historyUnread(ctx, s)
	if err != nil {
		return err
	}
	b := &v1alpha1.Backfill{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.conn.Namespace, Name: name},
		Spec: v1alpha1.BackfillSpec{
			ConnectionRef:    v1alpha1.LocalRef{Name: s.conn.Name},
			Window:           windowFor(s.now.Sub(since)),
			Since:            timeOf(since),
			TTLAfterFinished: &metav1.Duration{Duration: catchUpTTL},
		},
	}
	reads := "reads what happened meanwhile"
	if unread {
		b.Spec.Window, b.Spec.Since = s.conn.Spec.Backfill.Window, nil
		reads = "reads that and the declared history, which had failed"
	}
	if err := controllerutil.SetControllerReference(s.conn, b, r.Client.Scheme()); err != nil {
		return fmt.Errorf("own backfill: %w", err)
	}
	err = r.Client.Create(ctx, b)
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create catch-up: %w", err)
	}
	s.note(normal, "CatchUpCreated", "Backfill", fmt.Sprintf(
		"Events were not accepted since %s; Backfill %s %s.", since.UTC().Format(time.RFC3339), name, reads))
	return nil
}

// historyUnread says whether the first Backfill has failed, as it does when the grant goes, and no other read what it was to.
func (r *Reconciler) historyUnread(ctx context.Context, s *scope) (bool, error) {
	list, err := r.backfills(ctx, s)
	if err != nil {
		return false, err
	}
	first := slices.IndexFunc(list, func(b v1alpha1.Backfill) bool {
		return b.Name == s.conn.Name+initialSuffix && b.Status.Phase == v1alpha1.BackfillFailed
	})
	return first >= 0 && !slices.ContainsFunc(list, func(b v1alpha1.Backfill) bool {
		return b.Status.Phase == v1alpha1.BackfillSucceeded && covers(&b, &list[first])
	}), nil
}

// windowFor is the smallest window that holds a gap, with a day to spare for the time until it is read.
func windowFor(gap time.Duration) v1alpha1.Window {
	for _, w := range []v1alpha1.Window{v1alpha1.Window30d, v1alpha1.Window90d} {
		if gap <= reach(w)-day {
			return w
		}
	}
	return v1alpha1.WindowAllTime
}
