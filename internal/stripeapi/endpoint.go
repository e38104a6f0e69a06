package stripeapi

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/webhookendpoint"
)

// Endpoint is a webhook endpoint on the platform's own account.
type Endpoint struct {
	ID, URL string
	// Status is "enabled" or "disabled".
	Status     string
	APIVersion string
	Events     []string
	Metadata   map[string]string
	Livemode   bool
	// Secret signs its deliveries; only Create's answer has it.
	Secret Secret
}

// EndpointSpec is what an endpoint should be.
type EndpointSpec struct {
	URL         string
	Events      []string
	Metadata    map[string]string
	Description string
	// Enabled is for Update; Stripe creates every endpoint enabled.
	Enabled bool
}

// Endpoints keeps a platform's webhook endpoints, in the mode of its key. Each listens to the connected accounts
// (connect=true) and speaks APIVersion.
type Endpoints struct {
	client webhookendpoint.Client
}

// Endpoints returns the client of one platform's endpoints.
func (a *API) Endpoints(p Platform) *Endpoints {
	return &Endpoints{client: webhookendpoint.Client{B: a.backend(stripe.APIBackend, a.api, true), Key: p.SecretKey}}
}

// Format redacts the key under every verb: fmt would print an unexported field as it is.
func (e *Endpoints) Format(f fmt.State, _ rune) { redact(f) }

// List returns all endpoints of the platform, those of others included.
func (e *Endpoints) List(ctx context.Context) ([]Endpoint, error) {
	params := &stripe.WebhookEndpointListParams{}
	params.Context = ctx
	params.Limit = stripe.Int64(maxPage)
	var all []Endpoint
	it := e.client.List(params)
	for it.Next() {
		all = append(all, endpointFrom(it.WebhookEndpoint()))
	}
	if err := it.Err(); err != nil {
		return nil, failure("list webhook endpoints", true, err)
	}
	return all, nil
}

// Create makes an endpoint. Its Secret is in this answer and in no other.
func (e *Endpoints) Create(ctx context.Context, spec EndpointSpec) (Endpoint, error) {
	params := paramsFrom(ctx, spec)
	params.Connect = stripe.Bool(true)
	params.APIVersion = stripe.String(APIVersion)
	created, err := e.client.New(params)
	if err != nil {
		return Endpoint{}, failure("create webhook endpoint", true, err)
	}
	return endpointFrom(created), nil
}

// Update brings an endpoint to spec. API version and connect cannot be changed after creation.
func (e *Endpoints) Update(ctx context.Context, id string, spec EndpointSpec) (Endpoint, error) {
	params := paramsFrom(ctx, spec)
	params.Disabled = stripe.Bool(!spec.Enabled)
	updated, err := e.client.Update(id, params)
	if err != nil {
		return Endpoint{}, failure("update webhook endpoint", true, err)
	}
	return endpointFrom(updated), nil
}

// Delete removes an endpoint; errors.Is(err, ErrNotFound) when it is gone already.
func (e *Endpoints) Delete(ctx context.Context, id string) error {
	params := &stripe.WebhookEndpointParams{}
	params.Context = ctx
	_, err := e.client.Del(id, params)
	return failure("delete webhook endpoint", true, err)
}

func paramsFrom(ctx context.Context, spec EndpointSpec) *stripe.WebhookEndpointParams {
	params := &stripe.WebhookEndpointParams{
		URL:           stripe.String(spec.URL),
		EnabledEvents: stripe.StringSlice(spec.Events),
		Metadata:      spec.Metadata,
	}
	params.Context = ctx
	if spec.Description != "" {
		params.Description = stripe.String(spec.Description)
	}
	return params
}

func endpointFrom(w *stripe.WebhookEndpoint) Endpoint {
	return Endpoint{
		ID:         w.ID,
		URL:        w.URL,
		Status:     w.Status,
		APIVersion: w.APIVersion,
		Events:     w.EnabledEvents,
		Metadata:   w.Metadata,
		Livemode:   w.Livemode,
		Secret:     Secret(w.Secret),
	}
}
