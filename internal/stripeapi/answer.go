package stripeapi

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

// maxErrorBody bounds what is read of a refusal; Stripe's are a few hundred bytes.
const maxErrorBody = 64 << 10

// safeToken is the shape of Stripe's machine-readable codes and reasons. Whatever else stands in those fields is
// dropped, since it would end up in logs and conditions.
var safeToken = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// refusal turns an answer of status 400 or more into an *Error and closes its body.
func refusal(resp *http.Response, platform bool) *Error {
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		body = nil // the status alone decides then
	}
	e := &Error{
		Status:     resp.StatusCode,
		StripeCode: stripeCode(body),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After")),
		Reason:     onlySafe(resp.Header.Get("Stripe-Rate-Limited-Reason")),
		Platform:   platform,
	}
	e.Code = classify(e.Status, e.StripeCode)
	if e.Status == http.StatusNotFound {
		e.cause = ErrNotFound
	}
	return e
}

// stripeCode reads the machine-readable code of either error shape: the API's {"error":{"code","type"}} and OAuth's
// {"error":"invalid_grant"}. An error without a code gives its type.
func stripeCode(body []byte) string {
	var outer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return ""
	}
	var oauth string
	if json.Unmarshal(outer.Error, &oauth) == nil {
		return onlySafe(oauth)
	}
	var inner struct {
		Code string `json:"code"`
		Type string `json:"type"`
	}
	if json.Unmarshal(outer.Error, &inner) != nil {
		return ""
	}
	if code := onlySafe(inner.Code); code != "" {
		return code
	}
	return onlySafe(inner.Type)
}

func onlySafe(s string) string {
	if safeToken.MatchString(s) {
		return s
	}
	return ""
}

// maxRetryAfter caps what a server may ask for, so that one odd answer cannot park a task for good.
const maxRetryAfter = time.Hour

// retryAfter reads the header's seconds form, the only one Stripe sends. Anything else is 0.
func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
}

// failure gives any error of stripe-go the shape of this package. What is not known to be safe is replaced: stripe-go
// quotes bodies, and net/http quotes whole URLs.
func failure(op string, platform bool, err error) error {
	if err == nil {
		return nil
	}
	var ours *Error
	if errors.As(err, &ours) {
		named := *ours
		named.Op = op
		return &named
	}
	return &Error{Op: op, Platform: platform, cause: safeCause(err)}
}

// safeCause keeps only causes whose text is known to hold addresses and certificate names, and nothing that was sent.
func safeCause(err error) error {
	var (
		dial      *net.OpError
		lookup    *net.DNSError
		untrusted *tls.CertificateVerificationError
		request   *url.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, errRedirected):
		return errRedirected
	case errors.As(err, &dial):
		return dial
	case errors.As(err, &lookup):
		return lookup
	case errors.As(err, &untrusted):
		return untrusted
	case errors.As(err, &request):
		return ErrUnreachable
	}
	return ErrUnreadable
}
