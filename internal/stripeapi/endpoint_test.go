package stripeapi_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"testing"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

const endpointJSON = `{"id":"we_1","object":"webhook_endpoint","url":"https://in.example/x","status":"enabled",
	"api_version":"2023-10-16","enabled_events":["customer.created"],"metadata":{"a":"b"},"livemode":true,"secret":"whsec_1"}`

var endpoint = stripeapi.Endpoint{ID: "we_1", URL: "https://in.example/x", Status: "enabled", APIVersion: "2023-10-16",
	Events: []string{"customer.created"}, Metadata: map[string]string{"a": "b"}, Livemode: true, Secret: "whsec_1"}

var spec = stripeapi.EndpointSpec{URL: "https://in.example/x", Events: []string{"customer.created"},
	Metadata: map[string]string{"a": "b"}, Description: "d", Enabled: true}

func endpointsOf(t *testing.T, answer http.HandlerFunc) (*stripeapi.Endpoints, *stripeServer) {
	t.Helper()
	server := serve(t, answer)
	api, _ := apiFor(t, server.URL)
	return api.Endpoints(platform()), server
}

func TestCreateEndpoint(t *testing.T) {
	endpoints, server := endpointsOf(t, says(200, nil, endpointJSON))
	got, err := endpoints.Create(context.Background(), spec)
	if err != nil || !reflect.DeepEqual(got, endpoint) {
		t.Fatalf("got %+v, %v", got, err)
	}
	sent := server.requests()[0]
	form := sent.Form
	if sent.Path != "/v1/webhook_endpoints" || form.Get("connect") != "true" || form.Get("api_version") != "2023-10-16" ||
		form.Get("enabled_events[0]") != "customer.created" || form.Get("metadata[a]") != "b" || form.Has("disabled") {
		t.Fatalf("sent %s with %v", sent.Path, form)
	}
}

func TestUpdateEndpoint(t *testing.T) {
	endpoints, server := endpointsOf(t, says(200, nil, endpointJSON))
	off := spec
	off.Enabled = false
	for _, s := range []stripeapi.EndpointSpec{spec, off} {
		if _, err := endpoints.Update(context.Background(), "we_1", s); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"false", "true"} {
		sent := server.requests()[i]
		if sent.Path != "/v1/webhook_endpoints/we_1" || sent.Form.Get("disabled") != want || sent.Form.Has("connect") || sent.Form.Has("api_version") {
			t.Errorf("sent %s with %v", sent.Path, sent.Form)
		}
	}
}

func TestListEndpointsReadsAllPages(t *testing.T) {
	endpoints, server := endpointsOf(t, func(w http.ResponseWriter, r *http.Request) {
		more := "true"
		if r.URL.Query().Get("starting_after") == "we_1" {
			more = "false"
		}
		_, _ = w.Write([]byte(`{"object":"list","has_more":` + more + `,"data":[` + endpointJSON + `]}`))
	})
	all, err := endpoints.List(context.Background())
	if err != nil || len(all) != 2 || len(server.requests()) != 2 {
		t.Fatalf("got %d, %v", len(all), err)
	}
}

func TestListEndpointsFailsOnALaterPage(t *testing.T) {
	endpoints, _ := endpointsOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("starting_after") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"object":"list","has_more":true,"data":[` + endpointJSON + `]}`))
	})
	var failed *stripeapi.Error
	if all, err := endpoints.List(context.Background()); !errors.As(err, &failed) || failed.Status != 503 || all != nil {
		t.Fatalf("got %d, %v", len(all), err)
	}
}

func TestDeleteEndpoint(t *testing.T) {
	endpoints, server := endpointsOf(t, says(200, nil, `{"id":"we_1","deleted":true}`))
	if err := endpoints.Delete(context.Background(), "we_1"); err != nil || server.requests()[0].Method != http.MethodDelete {
		t.Fatal(err)
	}
	gone, _ := endpointsOf(t, says(404, nil, apiError("resource_missing")))
	if err := gone.Delete(context.Background(), "we_1"); !errors.Is(err, stripeapi.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
}
