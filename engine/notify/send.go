package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/kustiq/kustiq/internal/version"
)

const (
	// sendTime bounds one attempt, from the look-up of the name to the end of the answer.
	sendTime = 10 * time.Second
	// answerRead is how much of an answer is read, so that the connection can be used again.
	answerRead = 16 << 10
)

// Receiver is where events go, and what signs them.
type Receiver struct {
	URL string
	// Secrets are of the form whsec_…; each signs.
	Secrets []string
}

// failure is why an attempt failed, in one word for the log, the metrics and the API.
type failure string

const (
	failedNone       failure = ""
	failedNoReceiver failure = "no_receiver"
	failedURL        failure = "url"
	failedSecret     failure = "secret"
	failedAddress    failure = "address_refused"
	failedName       failure = "name_not_found"
	failedConnection failure = "connection"
	failedTLS        failure = "tls"
	failedTimeout    failure = "timeout"
	failedRedirect   failure = "redirect"
	failedStatus     failure = "status"
)

// sender makes single attempts.
type sender struct {
	// secure is for https, plain for http, which only leads to allowed networks.
	secure, plain *http.Client
}

func newSender(allowed []netip.Prefix, resolver *net.Resolver, roots *x509.CertPool) *sender {
	return &sender{
		secure: newClient(guard{allowed: allowed}, resolver, roots),
		plain:  newClient(guard{allowed: allowed, onlyAllowed: true}, resolver, roots),
	}
}

func newClient(g guard, resolver *net.Resolver, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: sendTime / 2, Control: g.control, Resolver: resolver}
	return &http.Client{
		Timeout: sendTime,
		Transport: &http.Transport{
			// No proxy: one would resolve and dial in our place, past the guard.
			Proxy:       nil,
			DialContext: dialer.DialContext, TLSHandshakeTimeout: sendTime / 2, ForceAttemptHTTP2: true,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			MaxIdleConnsPerHost: 2, MaxIdleConns: 100, IdleConnTimeout: time.Minute, DisableCompression: true,
			MaxResponseHeaderBytes: answerRead,
		},
		// A redirect is an answer like any other: where it leads was not agreed on.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// send makes one attempt. The code is 0 without an answer.
func (s *sender) send(ctx context.Context, to Receiver, messageID string, body []byte, now time.Time) (code int, why failure) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	target, err := url.Parse(to.URL)
	if err != nil || target.Host == "" || target.User != nil {
		return 0, failedURL
	}
	client := s.secure
	switch target.Scheme {
	case "https":
	case "http":
		client = s.plain
	default:
		return 0, failedURL
	}
	signatures, err := sign(to.Secrets, messageID, body, now)
	if err != nil {
		return 0, failedSecret
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return 0, failedURL
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Kustiq/"+version.Version)
	req.Header.Set(standardwebhooks.HeaderWebhookID, messageID)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(now.Unix()))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signatures)
	res, err := client.Do(req)
	if err != nil {
		return 0, classify(err)
	}
	defer res.Body.Close()
	// What the receiver says is not kept, and that the rest cannot be read makes the event no less accepted.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, answerRead))
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return res.StatusCode, failedNone
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return res.StatusCode, failedRedirect
	}
	return res.StatusCode, failedStatus
}

// sign signs with each secret, so that a receiver that knows one of them is content.
func sign(secrets []string, messageID string, body []byte, now time.Time) (string, error) {
	signatures := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		key, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return "", errors.New("a signing secret is not base64") // the cause could quote it
		}
		signature, err := key.Sign(messageID, now, body)
		if err != nil {
			return "", errors.New("an event cannot be signed")
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) == 0 {
		return "", errors.New("there is no signing secret")
	}
	return strings.Join(signatures, " "), nil
}

// classify puts an error into a word. The error itself quotes the URL and is not passed on.
func classify(err error) failure {
	var timeout net.Error
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.Is(err, errRefused):
		return failedAddress
	case errors.As(err, &timeout) && timeout.Timeout():
		return failedTimeout
	case errors.As(err, &name):
		return failedName
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert):
		return failedTLS
	}
	return failedConnection
}
