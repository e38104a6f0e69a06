package dashboard

import (
	"context"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// NewServer is the HTTP server that a dashboard is served by. Streams and exports lift its limit of writing for
// themselves.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}

// Kinds are the resources that the dashboard reads. Its client may read them from a cache.
func Kinds() []client.Object {
	return []client.Object{&v1alpha1.Workspace{}, &v1alpha1.StripeConnection{}, &v1alpha1.Backfill{}}
}

// Ready says whether pages can be made: the store answers.
func (d *Dashboard) Ready(ctx context.Context) bool { return d.Store.Ping(ctx) == nil }
