package stripeapi

import (
	"fmt"
	"log/slog"
)

// Flavor says how a platform's OAuth behaves.
type Flavor string

const (
	// FlavorConnect is a Connect platform: scope read_only, an access token without expiry.
	FlavorConnect Flavor = "connect"
	// FlavorApp is a Stripe App: an access token of one hour, a refresh token replaced on every exchange.
	FlavorApp Flavor = "app"
)

// Platform is one mode's credentials of one region's platform account. An empty Flavor means FlavorConnect.
type Platform struct {
	// ClientID is the ca_ id; public, it is part of every consent link.
	ClientID string
	// SecretKey is the platform's own sk_ key.
	SecretKey string
	Flavor    Flavor
}

func (p Platform) flavor() Flavor {
	if p.Flavor == "" {
		return FlavorConnect
	}
	return p.Flavor
}

// String names the platform without its key.
func (p Platform) String() string {
	return fmt.Sprintf("platform %s (%s, key %s)", p.ClientID, p.flavor(), redacted)
}

// GoString redacts the key.
func (p Platform) GoString() string { return p.String() }

// Format redacts the key under every verb.
func (p Platform) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, p.String()) }

// LogValue redacts the key.
func (p Platform) LogValue() slog.Value {
	return slog.GroupValue(slog.String("client_id", p.ClientID), slog.String("flavor", string(p.flavor())))
}

// MarshalText redacts the key.
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
