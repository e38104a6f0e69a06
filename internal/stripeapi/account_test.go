package stripeapi_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

func TestListSendsItsParameters(t *testing.T) {
	server := serve(t, says(200, nil, `{"object":"list","has_more":true,"data":[{"id":"in_2","x":1},{"id":"in_1"}]}`))
	page, err := account(t, server.URL).List(context.Background(), "invoices", stripeapi.ListParams{
		Limit: 2, StartingAfter: "in_9", EndingBefore: "in_0", CreatedGTE: 10, CreatedLTE: 20, Status: "all",
		Types: []string{"a", "b"}, Expand: []string{"data.charge"}, Customer: "cus_1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if !page.HasMore || page.LastID != "in_1" || len(page.Items) != 2 || string(page.Items[0]) != `{"id":"in_2","x":1}` {
		t.Fatalf("got %+v", page)
	}
	want := url.Values{"limit": {"2"}, "starting_after": {"in_9"}, "ending_before": {"in_0"}, "created[gte]": {"10"},
		"created[lte]": {"20"}, "status": {"all"}, "types[]": {"a", "b"}, "expand[]": {"data.charge"}, "customer": {"cus_1"}}
	sent := server.requests()[0]
	if sent.Method != "GET" || sent.Path != "/v1/invoices" || !reflect.DeepEqual(sent.Query, want) {
		t.Fatalf("sent %s %s %v", sent.Method, sent.Path, sent.Query)
	}
}

func TestListDefaultsAndRefusals(t *testing.T) {
	server := serve(t, says(200, nil, `{"object":"list","has_more":false,"data":[]}`))
	client := account(t, server.URL)
	for _, limit := range []int{0, 100, 500} {
		page, err := client.List(context.Background(), "customers", stripeapi.ListParams{Limit: limit})
		if err != nil || page.LastID != "" || page.HasMore {
			t.Fatalf("got %+v, %v", page, err)
		}
	}
	for _, sent := range server.requests() {
		if !reflect.DeepEqual(sent.Query, url.Values{"limit": {"100"}}) {
			t.Fatalf("sent %v", sent.Query)
		}
	}
	if _, err := client.List(context.Background(), "payment_methods", stripeapi.ListParams{}); err == nil {
		t.Fatal("listed something Kustiq has no business with")
	}
}

func TestRequestsSayOnlyWhatTheyMust(t *testing.T) {
	server := serve(t, says(200, nil, `{"id":"acct_1"}`))
	if _, err := account(t, server.URL).Get(context.Background()); err != nil {
		t.Fatal(err)
	}
	header := server.requests()[0].Header
	if header.Get("Stripe-Version") != stripeapi.APIVersion || header.Get("Authorization") != "Bearer rk_test_"+canary {
		t.Fatalf("sent version %q", header.Get("Stripe-Version"))
	}
	for name := range header {
		if strings.HasPrefix(name, "X-Stripe-Client") || name == "Stripe-Account" {
			t.Errorf("sent %s", name)
		}
	}
}

func TestAccount(t *testing.T) {
	server := serve(t, says(200, nil, `{"id":"acct_1","country":"DE","charges_enabled":true,"details_submitted":true,
		"requirements":{"disabled_reason":"requirements.past_due"}}`))
	got, err := account(t, server.URL).Get(context.Background())
	want := stripeapi.AccountInfo{ID: "acct_1", Country: "DE", ChargesEnabled: true, DetailsSubmitted: true, DisabledReason: "requirements.past_due"}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestChargeGivesItsCustomer(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":"ch_1","customer":"cus_1","billing_details":{"email":"a@example.org"}}`: "cus_1",
		`{"id":"ch_1","customer":{"id":"cus_2","object":"customer"}}`:                  "cus_2",
		`{"id":"ch_1","customer":null}`:                                                "",
		`{"id":"ch_1"}`:                                                                "",
	} {
		got, err := account(t, serve(t, says(200, nil, text)).URL).Charge(context.Background(), "ch_1")
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
}

func TestAnEmptyIDIsNeverAList(t *testing.T) {
	server := serve(t, says(200, nil, `{"object":"list","data":[]}`))
	client := account(t, server.URL)
	if _, err := client.Charge(context.Background(), ""); !errors.Is(err, stripeapi.ErrNotFound) {
		t.Errorf("charge: %v", err)
	}
	if _, err := client.Event(context.Background(), ""); !errors.Is(err, stripeapi.ErrNotFound) {
		t.Errorf("event: %v", err)
	}
	if n := len(server.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/charges/ch_1" {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		_, _ = w.Write([]byte(`{"id":"x"}`))
	})
	api, registry := apiFor(t, server.URL)
	client := api.Account("rk_test_x")
	if _, err := client.Get(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Charge(context.Background(), "ch_1"); err == nil {
		t.Fatal("429 is an error")
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			key := family.GetName()
			for _, label := range series.GetLabel() {
				key += " " + label.GetValue()
			}
			got[key] = series.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"kustiq_stripe_requests_total GET account 2xx": 1,
		"kustiq_stripe_requests_total GET charges 429": 1,
		"kustiq_stripe_refused_writes_total":           0,
	}
	if !maps.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
}
