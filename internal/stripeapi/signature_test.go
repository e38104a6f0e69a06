package stripeapi_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76/webhook"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

const (
	secretA = "whsec_test_a"
	secretB = "whsec_test_b"
)

var (
	signed = time.Unix(1_700_000_000, 0)
	body   = []byte(`{"id":"evt_1"}`)
)

func v1(secret string) string {
	return "v1=" + hex.EncodeToString(webhook.ComputeSignature(signed, body, secret))
}

func TestVerifySignature(t *testing.T) {
	stamp := fmt.Sprintf("t=%d", signed.Unix())
	wrong := "v1=" + strings.Repeat("00", 32)
	good := stamp + "," + v1(secretA)
	tests := []struct {
		name    string
		header  string
		secrets []string
		after   time.Duration
		want    error
		skew    time.Duration
	}{
		{name: "good", header: good, secrets: []string{secretA}},
		{name: "spaces after commas", header: stamp + ", " + v1(secretA), secrets: []string{secretA}},
		{name: "second secret during a rotation", header: good, secrets: []string{secretB, secretA}},
		{name: "second v1 during a rotation", header: stamp + "," + wrong + "," + v1(secretA), secrets: []string{secretA}},
		{name: "order of the fields is free", header: v1(secretA) + "," + stamp, secrets: []string{secretA}},
		{name: "v0 beside v1", header: good + ",v0=ab", secrets: []string{secretA}},
		{name: "no header", secrets: []string{secretA}, want: stripeapi.ErrNoSignature},
		{name: "no secret known", header: good, want: stripeapi.ErrSignature},
		{name: "another secret", header: good, secrets: []string{secretB}, want: stripeapi.ErrSignature},
		{name: "empty secret signs nothing", header: stamp + "," + v1(""), secrets: []string{""}, want: stripeapi.ErrSignature},
		{name: "v0 alone", header: strings.ReplaceAll(good, "v1=", "v0="), secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "truncated signature", header: good[:len(good)-2], secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "no time", header: v1(secretA), secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "two times", header: good + "," + stamp, secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "time with a plus", header: "t=+1700000000," + v1(secretA), secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "negative time", header: "t=-1," + v1(secretA), secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "time beyond reason", header: "t=9223372036854775807," + v1(secretA), secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "not pairs", header: "nonsense", secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "header too long", header: good + "," + strings.Repeat("x=y,", 2000) + "x=y", secrets: []string{secretA}, want: stripeapi.ErrSignature},
		{name: "300 s late is in time", header: good, secrets: []string{secretA}, after: 300 * time.Second},
		{name: "300 s early is in time", header: good, secrets: []string{secretA}, after: -300 * time.Second},
		{name: "301 s late", header: good, secrets: []string{secretA}, after: 301 * time.Second, skew: 301 * time.Second},
		{name: "301 s early", header: good, secrets: []string{secretA}, after: -301 * time.Second, skew: -301 * time.Second},
		{name: "a false signature is false before it is late", header: stamp + "," + wrong, secrets: []string{secretA},
			after: time.Hour, want: stripeapi.ErrSignature},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			at, err := stripeapi.VerifySignature(tc.header, body, tc.secrets, signed.Add(tc.after))
			var stale *stripeapi.StaleError
			switch {
			case tc.skew != 0:
				if !errors.As(err, &stale) || stale.Skew != tc.skew {
					t.Fatalf("got %v, want a skew of %s", err, tc.skew)
				}
				if !at.Equal(signed) {
					t.Fatalf("a stale signature's time is %s, want %s", at, signed)
				}
			case !errors.Is(err, tc.want):
				t.Fatalf("got %v, want %v", err, tc.want)
			case err == nil && !at.Equal(signed):
				t.Fatalf("time %s, want %s", at, signed)
			}
		})
	}
}

func TestVerifySignatureCoversTheBody(t *testing.T) {
	header := fmt.Sprintf("t=%d,%s", signed.Unix(), v1(secretA))
	if _, err := stripeapi.VerifySignature(header, append(body, ' '), []string{secretA}, signed); !errors.Is(err, stripeapi.ErrSignature) {
		t.Fatalf("a changed body passed: %v", err)
	}
}

func FuzzVerifySignature(f *testing.F) {
	f.Add(fmt.Sprintf("t=%d,%s", signed.Unix(), v1(secretA)), body)
	f.Add("t=1,v1=00", []byte{})
	f.Add("t=,v1=,,=", []byte("{}"))
	f.Add("t=9223372036854775807,v1="+strings.Repeat("ff", 32), []byte("{}"))
	f.Fuzz(func(t *testing.T, header string, payload []byte) {
		at, err := stripeapi.VerifySignature(header, payload, []string{secretA}, signed)
		if err != nil {
			return
		}
		// Whatever was let through carries our own signature over exactly this body and time, and is fresh.
		want := hex.EncodeToString(webhook.ComputeSignature(at, payload, secretA))
		if !strings.Contains(strings.ToLower(header), want) {
			t.Fatalf("accepted a header without the right signature: %q", header)
		}
		if age := signed.Sub(at).Abs(); age > stripeapi.MaxSignatureAge {
			t.Fatalf("accepted an age of %s", age)
		}
	})
}
