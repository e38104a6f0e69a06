package stripeconnection

import (
	"context"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// match tells how customers match profiles. Without imported profiles there is nothing to match, and scores stand
// under Stripe's own customers.
func (r *Reconciler) match(_ context.Context, s *scope) error {
	s.conditions.Unknown(v1alpha1.ConditionCustomersMatched, v1alpha1.ReasonNoProfiles,
		"No profiles are imported: scores stand under Stripe's customers.")
	return nil
}
