package stripeconnection

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// platformPrefix begins the name of the Secret with a region's platform credentials.
const platformPrefix = "kustiq-platform-"

func platformSecretName(region string) string { return platformPrefix + strings.ToLower(region) }

// readCredentials reads the platform's own credentials for the connection's region and mode. Their Secret is watched:
// putting it there is enough.
func (r *Reconciler) readCredentials(ctx context.Context, s *scope) error {
	var secret corev1.Secret
	key := client.ObjectKey{Namespace: r.OperatorNamespace, Name: platformSecretName(s.regionName)}
	err := r.Client.Get(ctx, key, &secret)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read platform credentials: %w", err)
	}
	platform, missing := platformFrom(&secret, s.mode)
	if apierrors.IsNotFound(err) || len(missing) > 0 {
		return step.UserActionFor(v1alpha1.ReasonPlatformCredentialsMissing, fmt.Sprintf(
			"Stripe's platform credentials for region %s are incomplete. Put %s into Secret %s.",
			s.regionName, strings.Join(missing, " and "), key))
	}
	s.platform = platform
	return nil
}

// platformFrom reads one mode's credentials and names the keys that are missing.
func platformFrom(secret *corev1.Secret, m mode) (platform stripeapi.Platform, missing []string) {
	take := func(key string) string {
		value := strings.TrimSpace(string(secret.Data[key]))
		if value == "" {
			missing = append(missing, key)
		}
		return value
	}
	platform.ClientID = take("client-id-" + string(m))
	platform.SecretKey = take("secret-key-" + string(m))
	platform.Flavor = stripeapi.Flavor(strings.TrimSpace(string(secret.Data["flavor"])))
	return platform, missing
}
