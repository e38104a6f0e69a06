package stripeapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

func apiError(code string) string {
	return fmt.Sprintf(`{"error":{"type":"invalid_request_error","code":%q,"message":"no access with sk_test_%s"}}`, code, canary)
}

func oauthError(code string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":"code ac_%s was used"}`, code, canary)
}

func TestRefusalsBecomeCodes(t *testing.T) {
	tests := []struct {
		name       string
		status     int
		header     http.Header
		body       string
		want       errcode.Code
		stripeCode string
		retryAfter time.Duration
		reason     string
	}{
		{name: "expired key", status: 401, body: apiError("api_key_expired"), want: errcode.ST401, stripeCode: "api_key_expired"},
		{name: "401 without a code", status: 401, body: `{"error":{"type":"invalid_request_error"}}`, want: errcode.ST401,
			stripeCode: "invalid_request_error"},
		{name: "access revoked", status: 403, body: apiError("account_invalid"), want: errcode.ST401, stripeCode: "account_invalid"},
		{name: "platform key expired", status: 401, body: apiError("platform_api_key_expired"), want: errcode.ST401,
			stripeCode: "platform_api_key_expired"},
		{name: "permission missing", status: 403, body: apiError("more_permissions_required_for_application"), want: errcode.ST403,
			stripeCode: "more_permissions_required_for_application"},
		{name: "oauth unsupported", status: 400, body: apiError("oauth_not_supported"), want: errcode.ST403, stripeCode: "oauth_not_supported"},
		{name: "throttled", status: 429, body: apiError("rate_limit"), want: errcode.ST429, stripeCode: "rate_limit",
			header:     http.Header{"Retry-After": {"7"}, "Stripe-Rate-Limited-Reason": {"endpoint-rate"}},
			retryAfter: 7 * time.Second, reason: "endpoint-rate"},
		{name: "throttled without a body", status: 429, want: errcode.ST429},
		{name: "absurd wait is capped", status: 429, header: http.Header{"Retry-After": {"99999999999999"}}, want: errcode.ST429, retryAfter: time.Hour},
		{name: "long wait is capped", status: 429, header: http.Header{"Retry-After": {"86400"}}, want: errcode.ST429, retryAfter: time.Hour},
		{name: "proxy page", status: 502, body: "<html>" + canary + "</html>"},
		{name: "a code that is no code", status: 400, body: apiError("ac_" + canary + " was used"), stripeCode: "invalid_request_error"},
		{name: "a reason that is no reason", status: 429, header: http.Header{"Stripe-Rate-Limited-Reason": {"Key " + canary}}, want: errcode.ST429},
		{name: "bad parameter", status: 400, body: apiError("parameter_unknown"), stripeCode: "parameter_unknown"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			server := serve(t, says(tc.status, tc.header, tc.body))
			_, err := account(t, server.URL).List(context.Background(), "invoices", stripeapi.ListParams{})
			var refused *stripeapi.Error
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			got := stripeapi.Error{Op: refused.Op, Code: refused.Code, Status: refused.Status, StripeCode: refused.StripeCode,
				RetryAfter: refused.RetryAfter, Reason: refused.Reason}
			want := stripeapi.Error{Op: "list invoices", Code: tc.want, Status: tc.status, StripeCode: tc.stripeCode,
				RetryAfter: tc.retryAfter, Reason: tc.reason}
			if got != want {
				t.Fatalf("got %+v\nwant %+v", got, want)
			}
			if n := len(server.requests()); n != 1 {
				t.Fatalf("%d requests: retries belong to the caller", n)
			}
			mustNotLeak(t, err)
		})
	}
}

func TestNotFoundIsRecognisable(t *testing.T) {
	server := serve(t, says(404, nil, apiError("resource_missing")))
	_, err := account(t, server.URL).Event(context.Background(), "evt_old")
	if !errors.Is(err, stripeapi.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	garbled := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("sk_" + canary + "\r\n\r\n"))
		_ = conn.Close()
	}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/?token="+canary, http.StatusFound)
	}
	tests := map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"not JSON":             {says(200, nil, "token "+canary), stripeapi.ErrUnreadable},
		"not a list":           {says(200, nil, `{"object":"customer","id":"`+canary+`"}`), stripeapi.ErrUnreadable},
		"object without id":    {says(200, nil, `{"object":"list","data":[{"email":"`+canary+`"}]}`), stripeapi.ErrUnreadable},
		"empty page with more": {says(200, nil, `{"object":"list","data":[],"has_more":true}`), stripeapi.ErrUnreadable},
		"garbled":              {garbled, stripeapi.ErrUnreachable},
		"redirect":             {redirect, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			server := serve(t, tc.answer)
			_, err := account(t, server.URL).List(context.Background(), "customers", stripeapi.ListParams{StartingAfter: canary})
			if err == nil || (tc.want != nil && !errors.Is(err, tc.want)) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			mustNotLeak(t, err)
		})
	}
}

func TestNobodyThere(t *testing.T) {
	server := serve(t, says(200, nil, ""))
	server.Close()
	_, err := account(t, server.URL).List(context.Background(), "customers", stripeapi.ListParams{StartingAfter: canary})
	var failed *stripeapi.Error
	if !errors.As(err, &failed) || failed.Code != "" || failed.Status != 0 {
		t.Fatalf("got %#v", err)
	}
	mustNotLeak(t, err)
}

func TestCancellationIsRecognisable(t *testing.T) {
	server := serve(t, says(200, nil, ""))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := account(t, server.URL).Get(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// mustNotLeak prints err in every way a program prints one.
func mustNotLeak(t *testing.T, v any) {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		_, _ = fmt.Fprintf(&out, verb+"\n", v)
		_, _ = fmt.Fprintf(&out, verb+"\n", []any{v, map[string]any{"v": v}, struct{ V any }{v}})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v, "nested", struct{ V any }{v})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v, "nested", struct{ V any }{v})
	if raw, err := json.Marshal(v); err == nil {
		out.Write(raw)
	}
	for e, ok := v.(error); ok && e != nil; e = errors.Unwrap(e) {
		_, _ = fmt.Fprintln(&out, e.Error())
	}
	text := out.String()
	if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) || strings.Contains(text, fmt.Sprintf("%X", canary)) {
		t.Errorf("leaks a secret: %s", text)
	}
}
