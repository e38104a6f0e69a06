package stripeconnection

import (
	"context"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/step"
)

// suspend stops a connection that is declared suspended: no events are accepted and nothing is asked of Stripe.
func (r *Reconciler) suspend(_ context.Context, s *scope) error {
	if !s.conn.Spec.Suspend {
		return nil
	}
	s.withdraw = true
	return step.Wait(v1alpha1.ReasonSuspended, 0, "Events are not accepted and the grant is kept. Set spec.suspend to false to resume.")
}
