package stripeconnection

import (
	"context"
	"fmt"
	"strings"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/credentials"
	"github.com/kustiq/kustiq/internal/step"
)

// readCredentials reads the platform's own credentials for the connection's region and mode. Their Secret is watched:
// putting it there is enough.
func (r *Reconciler) readCredentials(ctx context.Context, s *scope) error {
	platform, missing, err := credentials.Read(ctx, r.Client, r.OperatorNamespace, s.regionName, string(s.mode))
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return step.UserActionFor(v1alpha1.ReasonPlatformCredentialsMissing, fmt.Sprintf(
			"Stripe's platform credentials for region %s are incomplete. Put %s into Secret %s/%s.",
			s.regionName, strings.Join(missing, " and "), r.OperatorNamespace, credentials.SecretName(s.regionName)))
	}
	s.platform = platform
	return nil
}
