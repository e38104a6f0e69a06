package stripeapi_test

import (
	"testing"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

func TestNothingPrintsASecret(t *testing.T) {
	api, _ := apiFor(t, "http://127.0.0.1:1")
	secret := stripeapi.Secret("sk_live_" + canary)
	for name, v := range map[string]any{
		"secret":         secret,
		"pointer":        &secret,
		"platform":       platform(),
		"platform ptr":   new(platform()),
		"token":          stripeapi.Token{Access: secret, Refresh: secret, Account: "acct_1"},
		"endpoint":       stripeapi.Endpoint{ID: "we_1", Secret: secret},
		"endpoints":      api.Endpoints(platform()),
		"account client": api.Account(secret),
	} {
		t.Run(name, func(t *testing.T) { mustNotLeak(t, v) })
	}
	if secret.Reveal() != "sk_live_"+canary {
		t.Fatal("Reveal is the way out and must give the secret")
	}
}
