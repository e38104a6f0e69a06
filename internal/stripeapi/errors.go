package stripeapi

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
)

// Errors that can be matched with errors.Is on whatever a call of this package returned.
var (
	// ErrWriteRefused says that a request would have written where Kustiq only reads; it never left the process.
	ErrWriteRefused = errors.New("stripeapi: refused to write to Stripe")
	// ErrUnreadable says that Stripe's answer was not what the API promises. The answer itself is not repeated.
	ErrUnreadable = errors.New("stripeapi: unreadable answer")
	// ErrUnreachable says that there was no answer, for a reason whose text might quote the request.
	ErrUnreachable = errors.New("stripeapi: no answer")
	// ErrNotGranted says that the platform has no grant of the account, or that its client id and key do not belong
	// together: Stripe has one answer for both.
	ErrNotGranted = errors.New("stripeapi: no grant of the account for these credentials")
	// ErrNotFound says that Stripe knows no such object, or does not show it to this token.
	ErrNotFound = errors.New("stripeapi: no such object")
)

// Error is every failure of a call to Stripe. It carries what a caller decides by and nothing of what Stripe wrote:
// Stripe's own texts echo authorisation codes, tokens and keys.
type Error struct {
	// Op is what was being done, such as "list invoices".
	Op string
	// Code is the product's error code; empty when there is none, and plain backoff is right.
	Code errcode.Code
	// Status is the HTTP status; 0 when there was no answer.
	Status int
	// StripeCode is Stripe's machine-readable code, such as "rate_limit" or "invalid_grant"; empty when it gave none.
	StripeCode string
	// RetryAfter is how long Stripe asked to wait; 0 when it did not say.
	RetryAfter time.Duration
	// Reason is Stripe-Rate-Limited-Reason: which limit was hit, such as "global-rate" or "endpoint-rate".
	Reason string
	// Platform says that the call was made with the platform's own credentials: nobody who owns a connected account
	// can mend a refusal of those.
	Platform bool

	cause error
}

// Error says what failed, in our words.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("stripe")
	if e.Op != "" {
		b.WriteString(": " + e.Op)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.StripeCode != "" {
		b.WriteString(": " + e.StripeCode)
	}
	if e.Reason != "" {
		b.WriteString(" (" + e.Reason + ")")
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap gives the cause that is safe to show: a context's error, one of this package's, or the network's.
func (e *Error) Unwrap() error { return e.cause }

// Stripe's codes that mean something to the product. Sources: the API's error codes page, the OAuth reference.
const (
	codeInvalidGrant    = "invalid_grant"
	codeInvalidClient   = "invalid_client"
	codeAccountInvalid  = "account_invalid"
	codeKeyExpired      = "api_key_expired"
	codePlatformExpired = "platform_api_key_expired"
	codeMorePermissions = "more_permissions_required_for_application"
	codeOAuthUnsupport  = "oauth_not_supported"
)

// classify maps an HTTP status and Stripe's code to a code of ours; empty when it is none of the ten.
func classify(status int, stripeCode string) errcode.Code {
	switch stripeCode {
	case codeInvalidGrant, codeAccountInvalid, codeKeyExpired, codePlatformExpired:
		return errcode.ST401
	case codeMorePermissions, codeOAuthUnsupport:
		return errcode.ST403
	}
	switch status {
	case 401:
		return errcode.ST401
	case 403:
		return errcode.ST403
	case 429:
		return errcode.ST429
	}
	return ""
}
