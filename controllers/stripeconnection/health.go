package stripeconnection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
)

// eventsPace is how often event counts may be written to the status, so that a busy account is no load on the
// Kubernetes API. The first event shows at once.
const eventsPace = 10 * time.Second

// hearOfEvents tells what the receiver sees of this connection's events.
func (r *Reconciler) hearOfEvents(ctx context.Context, s *scope) error {
	health, err := healthOf(ctx, s)
	if err != nil {
		return err
	}
	r.showEvents(s, health)
	return judgeEvents(s, health)
}

// healthOf reads what the receiver last said; the zero value when that is nothing.
func healthOf(ctx context.Context, s *scope) (bus.Health, error) {
	if s.bus == nil {
		return bus.Health{}, nil
	}
	if s.health == nil {
		health, _, err := s.bus.Health().Get(ctx, s.uid)
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			return bus.Health{}, fmt.Errorf("read health: %w", err)
		}
		s.health = &health
	}
	return *s.health, nil
}

// showEvents copies counts to the status, not more often than eventsPace.
func (r *Reconciler) showEvents(s *scope, health bus.Health) {
	seen := v1alpha1.EventStatus{
		Accepted:   health.Accepted,
		Duplicates: health.Duplicates,
		Rejected:   health.RejectedSignature + health.RejectedAge,
	}
	last := s.status.LastEventTime
	if seen == s.status.Events && (health.LastEventAt == 0 || (last != nil && last.Unix() == health.LastEventAt)) {
		return
	}
	due := r.memory.of(s.uid).eventsWritten.Add(eventsPace)
	if last != nil && s.now.Before(due) {
		s.again(due.Sub(s.now))
		return
	}
	r.memory.change(s.uid, func(m *remembered) { m.eventsWritten = s.now })
	s.status.Events = seen
	if health.LastEventAt > 0 {
		s.status.LastEventTime = timeOf(time.Unix(health.LastEventAt, 0))
	}
}

// signatureDoubt is how long after a genuine event a forged one is taken for what it most likely is: somebody else's.
// Anybody on the internet can post one and claim to be an account, so it must not stop a connection that works.
const signatureDoubt = time.Hour

// judgeEvents says whether the newest word of the receiver is good. A rejection counts until a genuine event comes; one
// for its signature proves nothing about its sender, so it has to come long after the last genuine event.
func judgeEvents(s *scope, health bus.Health) error {
	since := time.Duration(health.LastRejectedAt-health.LastVerifiedAt) * time.Second
	proven := health.LastRejectedCode == string(errcode.WebhookStale) || health.LastRejectedCode == string(errcode.ModeMismatch)
	if since > signatureDoubt || (proven && since > 0) || (health.LastVerifiedAt == 0 && since > 0) {
		return rejected(health)
	}
	if health.LastVerifiedAt == 0 {
		s.conditions.True(v1alpha1.ConditionEventsVerified, v1alpha1.ReasonAwaitingFirstEvent, "No event has arrived yet; none has been rejected.")
		return nil
	}
	s.conditions.True(v1alpha1.ConditionEventsVerified, v1alpha1.ReasonVerified, "The newest event's signature and time are good.")
	return nil
}

func rejected(health bus.Health) error {
	switch code := errcode.Code(health.LastRejectedCode); code {
	case errcode.WebhookStale:
		return step.UserAction(code, explain(code, fmt.Sprintf(
			"The newest event was genuine, and its time is %d s away from ours.", max(health.SkewSeconds, -health.SkewSeconds))))
	case errcode.ModeMismatch:
		return step.UserAction(code, explain(code, "The newest event is of the other mode."))
	}
	return step.UserAction(errcode.WebhookSig, explain(errcode.WebhookSig,
		"The newest event's signature matches none of the endpoint's secrets."))
}
