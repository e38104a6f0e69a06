package stripeapi_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/test/stripemock"
)

func mockAPI(t *testing.T) *stripeapi.API {
	t.Helper()
	url, client := stripemock.Start(t)
	api, err := stripeapi.New(stripeapi.Config{
		APIURL: url, ConnectURL: url, HTTPClient: client, Metrics: prometheus.NewRegistry(), Clock: clocktesting.NewFakePassiveClock(now),
	})
	if err != nil {
		t.Fatal(err)
	}
	return api
}
