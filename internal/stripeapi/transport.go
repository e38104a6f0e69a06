package stripeapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxAnswer bounds one answer. A page of 100 expanded objects is about one MiB.
const maxAnswer = 32 << 20

var errRedirected = errors.New("stripeapi: redirected; Stripe's API never does")

// policy says which requests may leave.
type policy func(method, path string) bool

// readOnly is the policy when acting for a connected account.
func readOnly(method, _ string) bool { return method == http.MethodGet }

// platformOnly is the policy for the platform's own credentials: reading and keeping its webhook endpoints, the OAuth
// calls, and looking whether an account is still connected. Nothing that moves money or changes a connected account.
func platformOnly(method, path string) bool {
	endpoints := path == "/v1/webhook_endpoints" || strings.HasPrefix(path, "/v1/webhook_endpoints/")
	switch method {
	case http.MethodGet:
		account, found := strings.CutPrefix(path, "/v1/accounts/")
		return endpoints || (found && !strings.Contains(account, "/"))
	case http.MethodDelete:
		return strings.HasPrefix(path, "/v1/webhook_endpoints/")
	case http.MethodPost:
		return endpoints || path == "/oauth/token" || path == "/oauth/deauthorize" || path == "/v1/oauth/token"
	}
	return false
}

// guard is the transport under every client of this package: it refuses what the policy does not allow, strips what
// would tell Stripe about this machine, counts, keeps the time limit, and turns refusals into *Error before stripe-go can
// quote them.
type guard struct {
	base     http.RoundTripper
	allow    policy
	platform bool
	metrics  *metrics
	// wait may be nil.
	wait    Wait
	timeout time.Duration
}

// RoundTrip implements http.RoundTripper, but for one promise: an answer of 400 or more comes back as an *Error.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.allow(req.Method, req.URL.Path) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		g.metrics.refused.Inc()
		return nil, &Error{Platform: g.platform, cause: ErrWriteRefused}
	}
	if err := g.turn(req.Context()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	limit, ctx := limited(req.Context(), g.timeout)
	out := req.Clone(ctx)
	// stripe-go puts the output of uname, and so the pod's name and kernel, in here.
	out.Header.Del("X-Stripe-Client-User-Agent")
	resource := resourceOf(req.URL.Path)
	resp, err := g.base.RoundTrip(out)
	if err != nil {
		g.metrics.requests.WithLabelValues(resource, req.Method, "error").Inc()
		return nil, limit.end(err)
	}
	g.metrics.requests.WithLabelValues(resource, req.Method, statusClass(resp.StatusCode)).Inc()
	if resp.StatusCode >= 400 {
		return nil, limit.end(refusal(resp, g.platform))
	}
	if wait, ok := req.Context().Value(received{}).(Wait); ok {
		limit.stop()
		if err := wait(req.Context()); err != nil {
			_ = resp.Body.Close()
			return nil, limit.end(err)
		}
		limit.start()
	}
	resp.Body = &bounded{Reader: io.LimitReader(resp.Body, maxAnswer), body: resp.Body, limit: limit}
	return resp, nil
}

// turn waits until the request may leave.
func (g *guard) turn(ctx context.Context) error {
	if g.wait == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	return g.wait(ctx)
}

// bounded cuts an answer that is too long; what is left no longer parses, which is the error then. Its end is the request's.
type bounded struct {
	io.Reader
	body  io.Closer
	limit *limit
}

func (b *bounded) Close() error {
	err := b.body.Close()
	_ = b.limit.end(nil)
	return err
}

// refuseRedirect keeps tokens from following a Location header.
func refuseRedirect(*http.Request, []*http.Request) error { return errRedirected }

// resourceOf gives the bounded label of a path: never an id.
func resourceOf(path string) string {
	switch name, _, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/"); name {
	case "account", "accounts", "customers", "subscriptions", "invoices", "charges", "disputes", "events", "webhook_endpoints":
		return name
	}
	switch path {
	case "/oauth/token", "/v1/oauth/token":
		return "oauth_token"
	case "/oauth/deauthorize":
		return "oauth_deauthorize"
	}
	return "other"
}

func statusClass(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "429"
	case status >= 500:
		return "5xx"
	case status >= 400:
		return "4xx"
	case status >= 300:
		return "3xx"
	}
	return "2xx"
}

// metrics are shared by all clients of one registry.
type metrics struct {
	requests *prometheus.CounterVec
	refused  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "kustiq_stripe_requests_total",
		Help: "Requests to Stripe by resource, method and class of the answer's status (error: no answer).",
	}, []string{"resource", "method", "status_class"})
	refused := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "kustiq_stripe_refused_writes_total",
		Help: "Requests that the read-only guard refused before they left. Anything but zero is a bug.",
	})
	var err error
	if requests, err = register(reg, requests); err != nil {
		return nil, err
	}
	if refused, err = register(reg, refused); err != nil {
		return nil, err
	}
	return &metrics{requests: requests, refused: refused}, nil
}

// register adds a collector, or takes the one that another role of the same process has added.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) (C, error) {
	err := reg.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return c, err
}
