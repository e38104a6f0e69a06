package stripeconnection

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
)

// registerEndpoint sees to it that Stripe posts this region's and mode's events to the receiver, and that the receiver
// can verify them. The endpoint is shared by all connections of the region and mode.
func (r *Reconciler) registerEndpoint(ctx context.Context, s *scope) error {
	kept, err := r.endpoints.ensure(ctx, slotFor(s), s.now, want{insist: s.forced(), rotation: s.rotationAsked()})
	if err != nil {
		return err
	}
	s.noteEndpoint(kept)
	mendedAt, err := r.hearOfOutage(ctx, s, kept.Mended)
	if err != nil {
		return err
	}
	s.status.Endpoint = v1alpha1.EndpointStatus{
		ID:               kept.ID,
		URL:              s.endpointURL(),
		APIVersion:       kept.APIVersion,
		SecretGeneration: kept.Generation,
		MendedAt:         mendedAt,
	}
	if old := kept.Retiring; old != nil && !old.Removed {
		s.status.Endpoint.RetiringID, s.status.Endpoint.RetiringUntil = old.ID, timeOf(old.Until)
		s.again(old.Until.Sub(s.now))
	}
	s.conditions.True(v1alpha1.ConditionEndpointRegistered, v1alpha1.ReasonRegistered, fmt.Sprintf(
		"Stripe posts %s events to region %s by endpoint %s.", s.mode, s.regionName, kept.ID))
	s.receiving = true
	return nil
}

// hearOfOutage remembers since when events may have been missed, once for each time that the endpoint was put right.
func (r *Reconciler) hearOfOutage(ctx context.Context, s *scope, o *outage) (mendedAt *metav1.Time, err error) {
	last := s.status.Endpoint.MendedAt
	if o == nil || s.status.ConnectedAt == nil || !o.Until.After(s.status.ConnectedAt.Time) ||
		(last != nil && !o.Until.Truncate(time.Second).After(last.Time)) {
		return last, nil
	}
	health, err := healthOf(ctx, s)
	if err != nil {
		return nil, err
	}
	since := outageSince(*o, health, s.status.ConnectedAt.Time)
	if before := s.status.InterruptedSince; before == nil || since.Before(before.Time) {
		s.status.InterruptedSince = timeOf(since)
	}
	return timeOf(o.Until), nil
}

// outageSince is when the last event of the account arrived before an outage, or when the endpoint was last seen to be well:
// all before the later of the two has arrived. When neither is known, nothing is known to have arrived since the consent.
func outageSince(o outage, health bus.Health, connected time.Time) time.Time {
	since := o.Since
	if event := time.Unix(health.LastVerifiedAt, 0); event.Before(o.Until) && event.After(since) {
		since = event
	}
	if since = since.Add(-interruptMargin); since.Before(connected) {
		return connected
	}
	return since
}

// rotationAsked names a request for a new signing secret that has not been acted on; "" is none. The endpoint is shared,
// so the name tells whose request it was.
func (s *scope) rotationAsked() string {
	asked := s.asked(v1alpha1.RotateSecretAtAnnotation)
	if asked == "" || asked == s.conn.Status.Handled.RotateSecretAt {
		return ""
	}
	return s.uid + "/" + asked
}

// noteEndpoint tells in Events what was done to the endpoint, and marks a request for a new secret as handled.
func (s *scope) noteEndpoint(k kept) {
	if k.repaired != "" {
		s.note(warning, k.repaired, "RegisterEndpoint", fmt.Sprintf("Webhook endpoint %s was not as declared and has been repaired.", k.ID))
	}
	switch {
	case k.rotated:
		s.note(normal, "SecretRotated", "RotateSecret", fmt.Sprintf(
			"Webhook endpoint %s was made with a new signing secret; the one before it is accepted too until %s.", k.ID, k.Retiring.Until.UTC().Format(time.RFC3339)))
	case k.crowded:
		s.note(warning, v1alpha1.ReasonEndpointQuota, "RotateSecret", fmt.Sprintf(
			"The signing secret cannot be replaced: the platform account has %d webhook endpoints already, the most that Stripe allows. Remove one that is not needed.", endpointQuota))
		return // until it is handled, it is tried again
	}
	s.status.Handled.RotateSecretAt = s.asked(v1alpha1.RotateSecretAtAnnotation)
}

// endpointURL is where the region's receiver takes this mode's events.
func (s *scope) endpointURL() string {
	return s.region.ReceiverURL + "/webhooks/stripe/" + string(s.mode)
}

func slotFor(s *scope) slot {
	return slot{region: s.regionName, mode: s.mode, url: s.endpointURL(), platform: s.platform, bus: s.bus}
}
