package stripeconnection

import (
	"context"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// registerEndpoint sees to it that Stripe posts this region's and mode's events to the receiver, and that the receiver
// can verify them. The endpoint is shared by all connections of the region and mode.
func (r *Reconciler) registerEndpoint(ctx context.Context, s *scope) error {
	kept, err := r.endpoints.ensure(ctx, slotFor(s), s.now, want{insist: s.forced(), rotation: s.rotationAsked()})
	if err != nil {
		return err
	}
	s.noteEndpoint(kept)
	s.status.Endpoint = v1alpha1.EndpointStatus{
		ID:               kept.ID,
		URL:              s.endpointURL(),
		APIVersion:       kept.APIVersion,
		SecretGeneration: kept.Generation,
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
