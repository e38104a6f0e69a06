package stripeapi

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"
)

// MaxSignatureAge is how far a signature's time may lie from ours, before or after (Stripe's own tolerance).
const MaxSignatureAge = 300 * time.Second

// Bounds of a header worth reading. Stripe sends one v1 for each active secret, two during a rotation.
const (
	maxHeader     = 4096
	maxSignatures = 16
	// maxTimestamp keeps time arithmetic from overflowing: the year 36812.
	maxTimestamp = int64(1) << 40
)

// Why a delivery was not believed.
var (
	// ErrNoSignature says that the Stripe-Signature header is missing or empty.
	ErrNoSignature = errors.New("no Stripe-Signature header")
	// ErrSignature says that the header is malformed or signed with none of the secrets.
	ErrSignature = errors.New("no signature matches a known secret")
)

// StaleError says that a genuine signature is too far from now. The delivery is real; a clock or the way is off.
type StaleError struct {
	// Skew is our clock minus the signature's time: positive when it came late, negative when it is ahead of us.
	Skew time.Duration
}

// Error names the measured skew.
func (e *StaleError) Error() string {
	if e.Skew < 0 {
		return fmt.Sprintf("signed %s in the future", (-e.Skew).Round(time.Second))
	}
	return fmt.Sprintf("signed %s ago", e.Skew.Round(time.Second))
}

// VerifySignature checks a delivery: first that one of the header's v1 signatures is that of one of the secrets, then
// that its time is within MaxSignatureAge of now, either way. It returns the signed time, with a *StaleError too.
//
// stripe-go's own verifier looks at the age first and lets future times pass, so only its ComputeSignature is used.
func VerifySignature(header string, body []byte, secrets []string, now time.Time) (at time.Time, err error) {
	if header == "" {
		return time.Time{}, ErrNoSignature
	}
	stamp, signatures, ok := parseSignature(header)
	if !ok {
		return time.Time{}, ErrSignature
	}
	at = time.Unix(stamp, 0)
	if !matchesAny(at, body, secrets, signatures) {
		return time.Time{}, ErrSignature
	}
	if skew := now.Sub(at); skew.Abs() > MaxSignatureAge {
		return at, &StaleError{Skew: skew}
	}
	return at, nil
}

// matchesAny compares every signature with every secret in constant time, without leaving early.
func matchesAny(at time.Time, body []byte, secrets []string, signatures [][]byte) bool {
	found := false
	for _, secret := range secrets {
		if secret == "" {
			continue // anybody can sign with the empty key
		}
		expected := webhook.ComputeSignature(at, body, secret)
		for _, signature := range signatures {
			if hmac.Equal(expected, signature) {
				found = true
			}
		}
	}
	return found
}

// parseSignature reads "t=1492774577,v1=5257a8…,v1=…,v0=…". Other schemes are passed over; a v1 that is not hex of
// the right length cannot match and is passed over too.
func parseSignature(header string) (stamp int64, signatures [][]byte, ok bool) {
	if len(header) > maxHeader {
		return 0, nil, false
	}
	stamped := false
	for _, pair := range strings.Split(header, ",") {
		key, value, found := strings.Cut(strings.TrimSpace(pair), "=")
		if !found {
			return 0, nil, false
		}
		switch key {
		case "t":
			// Two times would leave open which of them was signed.
			if stamped || !parseStamp(value, &stamp) {
				return 0, nil, false
			}
			stamped = true
		case "v1":
			if raw, err := hex.DecodeString(value); err == nil && len(raw) == 32 && len(signatures) < maxSignatures {
				signatures = append(signatures, raw)
			}
		}
	}
	return stamp, signatures, stamped && len(signatures) > 0
}

// parseStamp accepts only what Stripe writes: digits without sign or leading zero, so that what is hashed is what was sent.
func parseStamp(value string, into *int64) bool {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > maxTimestamp || strconv.FormatInt(n, 10) != value {
		return false
	}
	*into = n
	return true
}
