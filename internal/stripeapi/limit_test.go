package stripeapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

// hurried is a client whose requests may last a tenth of a second.
func hurried(t *testing.T, base string) *stripeapi.AccountClient {
	t.Helper()
	api, err := stripeapi.New(stripeapi.Config{
		APIURL: base, ConnectURL: base, Metrics: prometheus.NewRegistry(), Clock: clocktesting.NewFakePassiveClock(now),
		HTTPClient: &http.Client{Timeout: 100 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	return api.Account("rk_test_" + canary)
}

func TestAnAnswerThatDoesNotComeIsGivenUp(t *testing.T) {
	for name, begin := range map[string]func(w http.ResponseWriter){
		"no head": func(http.ResponseWriter) {},
		"no body": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		"half of it": func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"object":`)
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) { begin(w); <-r.Context().Done() })
			_, err := hurried(t, server.URL).List(context.Background(), "customers", stripeapi.ListParams{})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestWaitingForRoomIsNotStripesTime(t *testing.T) {
	server := serve(t, says(200, nil, `{"object":"list","has_more":false,"data":[{"id":"cus_1"}]}`))
	wait := func(ctx context.Context) error {
		room := time.NewTimer(300 * time.Millisecond)
		defer room.Stop()
		select {
		case <-room.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	page, err := hurried(t, server.URL).List(context.Background(), "customers", stripeapi.ListParams{Received: wait})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("got %+v, %v", page, err)
	}
}
