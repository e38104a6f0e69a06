package stripeapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"
	clocktesting "k8s.io/utils/clock/testing"
)

// These tests go below the exported API on purpose: no exported call can write, and the guard must hold should one
// ever be added.

func guarded(t *testing.T) (*API, *prometheus.Registry, *atomic.Int64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	var arrived atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Add(1)
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(server.Close)
	a, err := New(Config{APIURL: server.URL, ConnectURL: server.URL, Metrics: registry, Clock: &clocktesting.FakePassiveClock{}})
	if err != nil {
		t.Fatal(err)
	}
	return a, registry, &arrived
}

func TestAConnectedAccountIsOnlyRead(t *testing.T) {
	a, registry, arrived := guarded(t)
	client := a.Account("sk_test_x")
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get", "GET "} {
		body := &form.Values{}
		body.Add("name", "x")
		err := client.backend.CallRaw(method, "/v1/customers/cus_1", "sk_test_x", body, &stripe.Params{Context: context.Background()}, &rawAnswer{})
		if err = failure("write", false, err); err == nil {
			t.Errorf("%s went through", method)
		} else if method != "GET " && !errors.Is(err, ErrWriteRefused) {
			t.Errorf("%s: %v", method, err)
		}
	}
	if n := arrived.Load(); n != 0 {
		t.Fatalf("%d requests reached Stripe", n)
	}
	// "GET " is no method at all; net/http refuses it before the guard sees it.
	if n := refusedWrites(t, registry); n != 7 {
		t.Fatalf("counted %v refused writes, want 7", n)
	}
	if _, err := client.Event(context.Background(), "evt_1"); err != nil || arrived.Load() != 1 {
		t.Fatalf("reading: %v", err)
	}
}

func TestThePlatformWritesOnlyWhatItMust(t *testing.T) {
	tests := []struct {
		method, path string
		allowed      bool
	}{
		{"POST", "/oauth/token", true},
		{"POST", "/v1/oauth/token", true},
		{"POST", "/oauth/deauthorize", true},
		{"GET", "/v1/webhook_endpoints", true},
		{"POST", "/v1/webhook_endpoints", true},
		{"GET", "/v1/webhook_endpoints/we_1", true},
		{"POST", "/v1/webhook_endpoints/we_1", true},
		{"DELETE", "/v1/webhook_endpoints/we_1", true},
		{"DELETE", "/v1/webhook_endpoints", false},
		{"PUT", "/v1/webhook_endpoints/we_1", false},
		{"POST", "/v1/webhook_endpoints_more", false},
		{"POST", "/v1/charges", false},
		{"POST", "/v1/refunds", false},
		{"GET", "/v1/customers", false},
		{"GET", "/v1/accounts/acct_1", true},
		{"GET", "/v1/accounts", false},
		{"GET", "/v1/accounts/acct_1/persons", false},
		{"POST", "/v1/accounts/acct_1", false},
		{"DELETE", "/v1/accounts/acct_1", false},
		{"DELETE", "/oauth/token", false},
		{"POST", "/oauth/token/../../v1/charges", false},
	}
	a, _, arrived := guarded(t)
	backend := a.backend(stripe.APIBackend, a.api, true)
	for _, tc := range tests {
		before := arrived.Load()
		err := backend.CallRaw(tc.method, tc.path, "sk_test_x", nil, &stripe.Params{Context: context.Background()}, &rawAnswer{})
		refused := errors.Is(failure("call", true, err), ErrWriteRefused)
		if refused == tc.allowed || (arrived.Load() == before) == tc.allowed {
			t.Errorf("%s %s: refused %v, arrived %v", tc.method, tc.path, refused, arrived.Load() > before)
		}
	}
}

func TestTwoRolesShareOneRegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	for range 2 {
		a, err := New(Config{Metrics: registry, Clock: &clocktesting.FakePassiveClock{}})
		if err != nil {
			t.Fatal(err)
		}
		a.metrics.refused.Inc()
	}
	if n := refusedWrites(t, registry); n != 2 {
		t.Fatalf("counted %v, want both roles' writes", n)
	}
}

func TestNewRefuses(t *testing.T) {
	clock, registry := &clocktesting.FakePassiveClock{}, prometheus.NewRegistry()
	for name, c := range map[string]Config{
		"no clock":    {Metrics: registry},
		"no metrics":  {Clock: clock},
		"path":        {Clock: clock, Metrics: registry, APIURL: "http://stripe.test/prefix"},
		"query":       {Clock: clock, Metrics: registry, ConnectURL: "http://stripe.test?x=1"},
		"credentials": {Clock: clock, Metrics: registry, APIURL: "http://user:pass@stripe.test"},
		"scheme":      {Clock: clock, Metrics: registry, APIURL: "ftp://stripe.test"},
		"no host":     {Clock: clock, Metrics: registry, APIURL: "stripe.test"},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func refusedWrites(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "kustiq_stripe_refused_writes_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatal("kustiq_stripe_refused_writes_total is not registered")
	return 0
}

// rawAnswer takes any answer.
type rawAnswer struct {
	stripe.APIResource
}
