// Package credentials owns where a region's platform credentials lie: one Secret in the operator's namespace, with the
// keys client-id-live, secret-key-live, client-id-test, secret-key-test and, for a Stripe App, flavor. It must not know
// what they are used for.
package credentials

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

// secretPrefix begins the Secret's name; the region in lower case ends it.
const secretPrefix = "kustiq-platform-"

// SecretName is the name of a region's Secret.
func SecretName(region string) string { return secretPrefix + strings.ToLower(region) }

// Read returns one mode's ("live" or "test") credentials of a region, and names what is missing of them. A Secret that
// does not exist misses everything.
func Read(ctx context.Context, from client.Reader, namespace, region, mode string) (platform stripeapi.Platform, missing []string, err error) {
	var secret corev1.Secret
	err = from.Get(ctx, client.ObjectKey{Namespace: namespace, Name: SecretName(region)}, &secret)
	if client.IgnoreNotFound(err) != nil {
		return platform, nil, fmt.Errorf("read platform credentials: %w", err)
	}
	platform, missing = parse(&secret, mode)
	return platform, missing, nil
}

func parse(secret *corev1.Secret, mode string) (platform stripeapi.Platform, missing []string) {
	take := func(key string) string {
		value := strings.TrimSpace(string(secret.Data[key]))
		if value == "" {
			missing = append(missing, key)
		}
		return value
	}
	platform.ClientID = take("client-id-" + mode)
	platform.SecretKey = take("secret-key-" + mode)
	platform.Flavor = stripeapi.Flavor(strings.TrimSpace(string(secret.Data["flavor"])))
	return platform, missing
}
