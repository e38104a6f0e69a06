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
	"github.com/kustiq/kustiq/internal/stripeapi"
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
	return r.judgeEvents(ctx, s, health)
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

// judgeEvents says whether the newest word of the receiver is good. A rejection counts until a genuine event comes.
//
// One for its age or mode carried a good signature. One for its signature proves nothing: anybody on the internet can
// post it and claim to be an account, so it counts only when Stripe knows the event that it claims to be, whose id nobody
// can guess. Once that was so, forged events beside the genuine ones change nothing.
func (r *Reconciler) judgeEvents(ctx context.Context, s *scope, health bus.Health) error {
	if health.LastRejectedAt > health.LastVerifiedAt {
		if err := rejected(health); err != nil {
			return err
		}
	}
	refused, err := r.refusesGenuine(ctx, s, health)
	if err != nil {
		return err
	}
	if refused {
		return step.UserAction(errcode.WebhookSig, explain(errcode.WebhookSig,
			"The newest event is one that Stripe knows, and its signature matches none of the endpoint's secrets."))
	}
	if health.LastVerifiedAt == 0 {
		s.conditions.True(v1alpha1.ConditionEventsVerified, v1alpha1.ReasonAwaitingFirstEvent, "No event has arrived yet; none has been rejected.")
		return nil
	}
	s.conditions.True(v1alpha1.ConditionEventsVerified, v1alpha1.ReasonVerified, "The newest event's signature and time are good.")
	return nil
}

// refusesGenuine says whether an event of Stripe's own was refused for its signature, and none has verified since.
func (r *Reconciler) refusesGenuine(ctx context.Context, s *scope, health bus.Health) (bool, error) {
	if standing := s.conditions.Before(v1alpha1.ConditionEventsVerified); standing != nil &&
		standing.Reason == v1alpha1.ReasonWebhookSig && health.LastVerifiedAt < standing.LastTransitionTime.Unix() {
		return true, nil
	}
	if health.LastUnprovenAt <= health.LastVerifiedAt {
		return false, nil
	}
	return r.known(ctx, s, health.LastUnprovenEvent)
}

// claimPace is how often Stripe may be asked for an event that a rejected request claimed to be, however many come.
const claimPace = 10 * time.Second

// known asks Stripe whether the account has an event. A grant that may not ask knows of none: what anybody can post must
// not have us ask again and again.
func (r *Reconciler) known(ctx context.Context, s *scope, event string) (bool, error) {
	if event == "" || s.token == nil {
		return false, nil
	}
	claim := r.memory.of(s.uid).claim
	switch {
	case claim.event == event:
		return claim.known, nil
	case s.now.Before(claim.at.Add(claimPace)):
		s.again(claim.at.Add(claimPace).Sub(s.now))
		return false, nil
	}
	_, err := r.api(s.platform).Account(s.token.Access).Event(ctx, event)
	var refused *stripeapi.Error
	mayNot := errors.As(err, &refused) && (refused.Code == errcode.ST401 || refused.Code == errcode.ST403)
	if err != nil && !mayNot && !errors.Is(err, stripeapi.ErrNotFound) {
		return false, fmt.Errorf("ask for a rejected event: %w", err)
	}
	r.memory.change(s.uid, func(m *remembered) { m.claim = claimedEvent{event: event, known: err == nil, at: s.now} })
	return err == nil, nil
}

// rejected is what a genuine event was rejected for; nil when that is nothing that is known here.
func rejected(health bus.Health) error {
	switch code := errcode.Code(health.LastRejectedCode); code {
	case errcode.WebhookStale:
		skew, direction := health.SkewSeconds, "behind"
		if skew < 0 {
			skew, direction = -skew, "ahead of"
		}
		return step.UserAction(code, explain(code, fmt.Sprintf(
			"The newest event was genuine, and its time was %d s %s ours.", skew, direction)))
	case errcode.ModeMismatch:
		return step.UserAction(code, explain(code, "The newest event came over the other mode's endpoint: the platform's keys or URLs of the two modes are swapped."))
	}
	return nil
}
