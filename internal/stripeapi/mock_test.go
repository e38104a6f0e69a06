package stripeapi_test

import (
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

func mockAPI(t *testing.T) *stripeapi.API {
	t.Helper()
	url, client := "http://127.0.0.1:12111", http.DefaultClient
	api, err := stripeapi.New(stripeapi.Config{
		APIURL: url, ConnectURL: url, HTTPClient: client, Metrics: prometheus.NewRegistry(), Clock: clocktesting.NewFakePassiveClock(now),
	})
	if err != nil {
		t.Fatal(err)
	}
	return api
}
