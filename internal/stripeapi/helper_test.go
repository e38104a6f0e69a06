package stripeapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

// canary is in every credential and in everything the test servers say; it must come out nowhere.
const canary = "canary7f3a"

var now = time.Unix(1_700_000_000, 0)

// request is what reached the test server.
type request struct {
	Method, Path string
	Query, Form  url.Values
	Header       http.Header
}

// stripeServer answers every request in the same way and remembers them.
type stripeServer struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
}

func (s *stripeServer) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.seen...)
}

func serve(t *testing.T, answer http.HandlerFunc) *stripeServer {
	t.Helper()
	s := &stripeServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			t.Errorf("parse form: %v", err)
		}
		s.mu.Lock()
		s.seen = append(s.seen, request{r.Method, r.URL.Path, r.URL.Query(), form, r.Header.Clone()})
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func says(status int, header http.Header, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header()[k] = v
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

func apiFor(t *testing.T, base string) (*stripeapi.API, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	api, err := stripeapi.New(stripeapi.Config{
		APIURL: base, ConnectURL: base, Metrics: registry, Clock: clocktesting.NewFakePassiveClock(now),
	})
	if err != nil {
		t.Fatal(err)
	}
	return api, registry
}

func platform() stripeapi.Platform {
	return stripeapi.Platform{ClientID: "ca_1", SecretKey: "sk_test_" + canary}
}

func account(t *testing.T, base string) *stripeapi.AccountClient {
	t.Helper()
	api, _ := apiFor(t, base)
	return api.Account("rk_test_" + canary)
}
