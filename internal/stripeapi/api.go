package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stripe/stripe-go/v76"
	"k8s.io/utils/clock"
)

// APIVersion is the version of Stripe's API that every request and every webhook endpoint asks for.
const APIVersion = "2023-10-16"

// requestTimeout bounds one request, its connection and body included. When an answer waits for room between its head and its
// body, that does not count, and it bounds each of the two.
const requestTimeout = 10 * time.Second

// maxIdle is how many connections are kept for the next request: a worker has so many under way at most.
const maxIdle = 400

// Where Stripe is. A Stripe App's consent page is not on the Connect host.
const (
	stripeAPI         = "https://api.stripe.com"
	stripeConnect     = "https://connect.stripe.com"
	stripeMarketplace = "https://marketplace.stripe.com"
)

// Config says where Stripe is and what to measure with.
type Config struct {
	// APIURL and ConnectURL are base URLs without a path; "" means Stripe's own.
	APIURL, ConnectURL string
	// HTTPClient lends its transport and its timeout when it has one; nil means a fresh transport and 10 s.
	HTTPClient *http.Client
	Clock      clock.PassiveClock
	Metrics    prometheus.Registerer
}

// API makes the clients. It is safe for concurrent use and holds no credential.
type API struct {
	api, connect, consentApp string
	transport                http.RoundTripper
	timeout                  time.Duration
	clock                    clock.PassiveClock
	metrics                  *metrics
	wait                     Wait
}

// Wait blocks until the next request may leave, or returns the context's error.
type Wait func(ctx context.Context) error

// Paced returns an API like this one whose requests wait for their turn first, such as on a rate limiter that several
// callers share. The wait may last as long as a request.
func (a *API) Paced(wait Wait) *API {
	paced := *a
	paced.wait = wait
	return &paced
}

// New checks the configuration and registers the metrics.
func New(c Config) (*API, error) {
	if c.Clock == nil || c.Metrics == nil {
		return nil, errors.New("stripeapi: New needs a clock and a metrics registerer")
	}
	a := &API{clock: c.Clock, timeout: requestTimeout}
	var err error
	if a.api, err = baseURL(c.APIURL, stripeAPI); err != nil {
		return nil, fmt.Errorf("stripeapi: API URL: %w", err)
	}
	if a.connect, err = baseURL(c.ConnectURL, stripeConnect); err != nil {
		return nil, fmt.Errorf("stripeapi: Connect URL: %w", err)
	}
	a.consentApp = stripeMarketplace
	if a.connect != stripeConnect {
		a.consentApp = a.connect
	}
	if a.metrics, err = newMetrics(c.Metrics); err != nil {
		return nil, fmt.Errorf("stripeapi: register metrics: %w", err)
	}
	if c.HTTPClient != nil {
		a.transport = c.HTTPClient.Transport
		if c.HTTPClient.Timeout > 0 {
			a.timeout = c.HTTPClient.Timeout
		}
	}
	if a.transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		// All requests go to one host, some hundred at a time while history is read.
		own.MaxIdleConns, own.MaxIdleConnsPerHost = maxIdle, maxIdle
		a.transport = own
	}
	return a, nil
}

// baseURL accepts scheme and host only: the guard decides by path, so a prefix would blind it.
func baseURL(given, fallback string) (string, error) {
	if given == "" {
		return fallback, nil
	}
	u, err := url.Parse(given)
	if err != nil {
		return "", errors.New("not a URL")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" ||
		u.RawQuery != "" || u.User != nil {
		return "", errors.New("want scheme and host, nothing else")
	}
	return u.Scheme + "://" + u.Host, nil
}

// backend builds a stripe-go backend of its own, bound to one URL and one policy. Nothing of stripe-go's package
// state is used: no global key, no shared client, no retries, no telemetry, no log.
func (a *API) backend(kind stripe.SupportedBackend, base string, platform bool) *stripe.BackendImplementation {
	allow := readOnly
	if platform {
		allow = platformOnly
	}
	backend := stripe.GetBackendWithConfig(kind, &stripe.BackendConfig{
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull},
		MaxNetworkRetries: stripe.Int64(0),
		URL:               stripe.String(base),
		HTTPClient: &http.Client{
			CheckRedirect: refuseRedirect,
			Transport:     &guard{base: a.transport, allow: allow, platform: platform, metrics: a.metrics, wait: a.wait, timeout: a.timeout},
		},
	})
	return backend.(*stripe.BackendImplementation) // it has no other
}
