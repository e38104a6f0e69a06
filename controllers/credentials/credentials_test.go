package credentials

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

func TestRead(t *testing.T) {
	c := fake.NewClientBuilder().WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "operator", Name: "kustiq-platform-eu"},
		Data: map[string][]byte{
			"client-id-live": []byte("ca_live\n"), "secret-key-live": []byte(" sk_live "),
			"client-id-test": []byte("ca_test"), "secret-key-test": []byte("  "), "flavor": []byte("app\n"),
		},
	}).Build()
	for _, tc := range []struct {
		region, mode string
		want         stripeapi.Platform
		missing      []string
	}{
		{"EU", "live", stripeapi.Platform{ClientID: "ca_live", SecretKey: "sk_live", Flavor: stripeapi.FlavorApp}, nil},
		{"EU", "test", stripeapi.Platform{ClientID: "ca_test", Flavor: stripeapi.FlavorApp}, []string{"secret-key-test"}},
		{"US", "test", stripeapi.Platform{}, []string{"client-id-test", "secret-key-test"}},
	} {
		got, missing, err := Read(t.Context(), c, "operator", tc.region, tc.mode)
		if err != nil || got != tc.want || !slices.Equal(missing, tc.missing) {
			t.Errorf("%s %s: %v, missing %v, %v", tc.region, tc.mode, got, missing, err)
		}
	}
}
