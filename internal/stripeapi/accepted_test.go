package stripeapi_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

// Every request that this package can make, with every combination of parameters that the worker and the controllers
// use, is checked by Stripe's own mock server against Stripe's OpenAPI description. OAuth is not part of that
// description and is left out.
func TestEveryRequestIsAcceptedByStripeMock(t *testing.T) {
	api := mockAPI(t)
	ctx := context.Background()
	for name, params := range listsInUse() {
		t.Run(name, func(t *testing.T) {
			for _, p := range withPaging(params.ListParams) {
				page, err := api.Account("sk_test_123").List(ctx, params.resource, p)
				if err != nil {
					t.Fatalf("%+v: %v", p, err)
				}
				if len(page.Items) == 0 || page.LastID == "" {
					t.Errorf("%+v: an empty page", p)
				}
			}
		})
	}
	t.Run("single objects", func(t *testing.T) {
		client := api.Account("sk_test_123")
		if info, err := client.Get(ctx); err != nil || info.ID == "" || info.Country == "" {
			t.Errorf("account: %+v, %v", info, err)
		}
		if _, err := client.Charge(ctx, "ch_123"); err != nil {
			t.Errorf("charge: %v", err)
		}
		if raw, err := client.Event(ctx, "evt_123"); err != nil || len(raw) == 0 {
			t.Errorf("event: %v", err)
		}
	})
	t.Run("webhook endpoints", func(t *testing.T) { endpointsAreAccepted(ctx, t, api) })
	t.Run("the mock does check", func(t *testing.T) {
		_, err := api.Account("sk_test_123").List(ctx, "customers", stripeapi.ListParams{Types: []string{"a"}})
		var refused *stripeapi.Error
		if !errors.As(err, &refused) || refused.Status != 400 {
			t.Errorf("a parameter that customers do not have was accepted: %v", err)
		}
	})
}

func endpointsAreAccepted(ctx context.Context, t *testing.T, api *stripeapi.API) {
	endpoints := api.Endpoints(stripeapi.Platform{ClientID: "ca_123", SecretKey: "sk_test_123"})
	spec := stripeapi.EndpointSpec{
		URL: "https://in.example/webhooks/stripe/live", Events: eventNames(), Description: "Kustiq", Enabled: true,
		Metadata: map[string]string{"kustiq-installation": "a", "kustiq-region": "eu", "kustiq-mode": "live"},
	}
	if _, err := endpoints.List(ctx); err != nil {
		t.Errorf("list: %v", err)
	}
	created, err := endpoints.Create(ctx, spec)
	if err != nil || created.ID == "" {
		t.Errorf("create: %v", err)
	}
	for _, enabled := range []bool{true, false} {
		spec.Enabled = enabled
		if _, err := endpoints.Update(ctx, "we_123", spec); err != nil {
			t.Errorf("update: %v", err)
		}
	}
	if err := endpoints.Delete(ctx, "we_123"); err != nil {
		t.Errorf("delete: %v", err)
	}
}

type listInUse struct {
	resource string
	stripeapi.ListParams
}

// listsInUse are the worker's lists: see worker/plan.go.
func listsInUse() map[string]listInUse {
	const from, until = 1_690_000_000, 1_700_000_000
	all := map[string]listInUse{
		"events":                 {"events", stripeapi.ListParams{Types: eventNames(), CreatedGTE: from, CreatedLTE: until}},
		"customers":              {"customers", stripeapi.ListParams{CreatedLTE: until}},
		"subscriptions":          {"subscriptions", stripeapi.ListParams{Status: "all", CreatedLTE: until}},
		"customer subscriptions": {"subscriptions", stripeapi.ListParams{Status: "all", Customer: "cus_123"}},
	}
	for resource, expand := range map[string][]string{"invoices": nil, "charges": {"data.invoice"}, "disputes": {"data.charge"}} {
		for _, since := range []int64{0, from} {
			all[fmt.Sprintf("%s since %d", resource, since)] = listInUse{resource,
				stripeapi.ListParams{CreatedGTE: since, CreatedLTE: until, Expand: expand}}
		}
	}
	return all
}

func withPaging(p stripeapi.ListParams) []stripeapi.ListParams {
	next, previous, small := p, p, p
	next.StartingAfter, previous.EndingBefore, small.Limit = "obj_123", "obj_123", 1
	return []stripeapi.ListParams{p, next, previous, small}
}

// eventNames repeats the product's event names, since this package must not know what they mean.
func eventNames() []string {
	return []string{
		"customer.created", "customer.updated", "invoice.finalized", "invoice.payment_failed", "invoice.payment_succeeded",
		"customer.subscription.updated", "customer.subscription.paused", "customer.subscription.resumed",
		"customer.subscription.deleted", "charge.dispute.created", "account.application.deauthorized", "account.updated",
	}
}
