package stripeconnection

import (
	"context"
	"fmt"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// registerEndpoint sees to it that Stripe posts this region's and mode's events to the receiver, and that the receiver
// can verify them. The endpoint is shared by all connections of the region and mode.
func (r *Reconciler) registerEndpoint(ctx context.Context, s *scope) error {
	insist := r.memory.of(s.uid).endpointForced != s.forced()
	kept, repaired, err := r.endpoints.ensure(ctx, slotFor(s), s.now, insist)
	if err != nil {
		return err
	}
	r.memory.change(s.uid, func(m *remembered) { m.endpointForced = s.forced() })
	if repaired != "" {
		s.note(warning, repaired, "RegisterEndpoint", fmt.Sprintf("Webhook endpoint %s was not as declared and has been repaired.", kept.ID))
	}
	s.status.Endpoint = v1alpha1.EndpointStatus{
		ID:               kept.ID,
		URL:              s.endpointURL(),
		APIVersion:       kept.APIVersion,
		SecretGeneration: kept.Generation,
	}
	s.conditions.True(v1alpha1.ConditionEndpointRegistered, v1alpha1.ReasonRegistered, fmt.Sprintf(
		"Stripe posts %s events to region %s by endpoint %s.", s.mode, s.regionName, kept.ID))
	s.receiving = true
	return nil
}

// endpointURL is where the region's receiver takes this mode's events.
func (s *scope) endpointURL() string {
	return s.region.ReceiverURL + "/webhooks/stripe/" + string(s.mode)
}

func slotFor(s *scope) slot {
	return slot{region: s.regionName, mode: s.mode, url: s.endpointURL(), platform: s.platform, bus: s.bus}
}
