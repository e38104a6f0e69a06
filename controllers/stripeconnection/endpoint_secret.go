package stripeconnection

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/internal/bus"
)

const (
	endpointPrefix  = "kustiq-endpoint-"
	endpointDataKey = "endpoint"
)

func (at slot) secretName() string {
	return endpointPrefix + strings.ToLower(at.region) + "-" + string(at.mode)
}

// load returns what is held; the zero value when that is nothing.
func (k *endpointKeeper) load(ctx context.Context, at slot) (heldEndpoint, error) {
	var secret corev1.Secret
	var held heldEndpoint
	err := k.Client.Get(ctx, client.ObjectKey{Namespace: k.OperatorNamespace, Name: at.secretName()}, &secret)
	if apierrors.IsNotFound(err) {
		return held, nil
	}
	if err != nil {
		return held, fmt.Errorf("read endpoint Secret: %w", err)
	}
	if json.Unmarshal(secret.Data[endpointDataKey], &held) != nil {
		// What cannot be read is as good as lost: another endpoint is made and this one's removed.
		return heldEndpoint{}, nil
	}
	return held, nil
}

// save keeps what is held. All of it but the ids is sealed.
func (k *endpointKeeper) save(ctx context.Context, at slot, held heldEndpoint) error {
	data, err := json.Marshal(held)
	if err != nil {
		return errors.New("encode endpoint Secret")
	}
	secret := coreapply.Secret(at.secretName(), k.OperatorNamespace).
		WithLabels(map[string]string{"app.kubernetes.io/managed-by": "kustiq", "app.kubernetes.io/component": "endpoint"}).
		WithType(corev1.SecretTypeOpaque).
		WithData(map[string][]byte{endpointDataKey: data})
	if err := k.Client.Apply(ctx, secret, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("write endpoint Secret: %w", err)
	}
	return nil
}

// drop forgets what is held; that there is nothing is no error.
func (k *endpointKeeper) drop(ctx context.Context, at slot) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.OperatorNamespace, Name: at.secretName()}}
	if err := k.Client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete endpoint Secret: %w", err)
	}
	return nil
}

// publish lets the receiver verify with what is held.
func (k *endpointKeeper) publish(ctx context.Context, at slot, held heldEndpoint) error {
	published, _, err := at.bus.Endpoints().Get(ctx, string(at.mode))
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("read published endpoint: %w", err)
	}
	if err == nil && sameEndpoint(published, held.Endpoint) {
		return nil
	}
	if _, err := at.bus.Endpoints().Put(ctx, string(at.mode), held.Endpoint); err != nil {
		return fmt.Errorf("publish endpoint: %w", err)
	}
	return nil
}

func sameEndpoint(a, b bus.Endpoint) bool {
	return a.ID == b.ID && a.ClientID == b.ClientID && a.Generation == b.Generation && slices.Equal(a.SecretIDs, b.SecretIDs) && slices.EqualFunc(a.Secrets, b.Secrets, bytes.Equal)
}

// endpointContext binds a sealed signing secret to its endpoint.
func endpointContext(id string) string { return "endpoint/" + id }
