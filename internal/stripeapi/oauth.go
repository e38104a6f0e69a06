package stripeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/oauth"
)

// appTokenLife is how long a Stripe App's access token lives; the answer does not say (Stripe Apps, OAuth page).
const appTokenLife = time.Hour

// Token is one grant of a connected account.
type Token struct {
	Access, Refresh Secret
	// Account is the connected account, acct_….
	Account string
	// Scope is read_only for Connect, stripe_apps for an App.
	Scope    string
	Livemode bool
	// ExpiresAt is when Access ends; zero when it does not.
	ExpiresAt time.Time
}

// AuthorizeURL is where an account's owner consents. The caller appends state and redirect_uri.
func (a *API) AuthorizeURL(p Platform) string {
	if p.flavor() == FlavorApp {
		// An App's permissions stand in its manifest, not in the link.
		return a.consentApp + "/oauth/v2/authorize?" + url.Values{"client_id": {p.ClientID}}.Encode()
	}
	q := url.Values{"client_id": {p.ClientID}, "response_type": {"code"}, "scope": {"read_only"}}
	return a.connect + "/oauth/authorize?" + q.Encode()
}

// Exchange turns an authorisation code into a token. A code works once: after any answer at all it is spent.
func (a *API) Exchange(ctx context.Context, p Platform, code string) (Token, error) {
	return a.token(ctx, "exchange authorisation code", p, &stripe.OAuthTokenParams{
		GrantType: stripe.String("authorization_code"),
		Code:      stripe.String(code),
	})
}

// Refresh asks for a new token. With FlavorApp the given refresh token is dead afterwards, so an answer that is lost
// would cost the grant: the key, up to 255 letters, makes Stripe repeat the very answer to a repeated request for 24
// hours (API reference, "Idempotent requests"). A refusal with a status of 500 or more is repeated as well, and asks
// for another key; one of 401, 403 or 429 is not, and neither is a request that Stripe never saw.
func (a *API) Refresh(ctx context.Context, p Platform, refreshToken Secret, key string) (Token, error) {
	params := &stripe.OAuthTokenParams{
		GrantType:    stripe.String("refresh_token"),
		RefreshToken: stripe.String(refreshToken.Reveal()),
	}
	params.SetIdempotencyKey(key)
	return a.token(ctx, "refresh token", p, params)
}

func (a *API) token(ctx context.Context, op string, p Platform, params *stripe.OAuthTokenParams) (Token, error) {
	params.Context = ctx
	var granted *stripe.OAuthToken
	var err error
	if p.flavor() == FlavorApp {
		granted = &stripe.OAuthToken{}
		backend := a.backend(stripe.APIBackend, a.api, true)
		err = backend.Call(http.MethodPost, "/v1/oauth/token", p.SecretKey, params, granted)
	} else {
		params.ClientSecret = stripe.String(p.SecretKey)
		client := oauth.Client{B: a.backend(stripe.ConnectBackend, a.connect, true), Key: p.SecretKey}
		granted, err = client.New(params)
	}
	if err != nil {
		return Token{}, failure(op, true, err)
	}
	if granted.AccessToken == "" || granted.StripeUserID == "" {
		return Token{}, &Error{Op: op, Platform: true, cause: fmt.Errorf("%w: no token or no account", ErrUnreadable)}
	}
	return Token{
		Access:    Secret(granted.AccessToken),
		Refresh:   Secret(granted.RefreshToken),
		Account:   granted.StripeUserID,
		Scope:     string(granted.Scope),
		Livemode:  granted.Livemode,
		ExpiresAt: a.expiry(p, granted),
	}, nil
}

// expiry believes expires_in where Stripe sends one, and otherwise what the flavour is known for.
func (a *API) expiry(p Platform, granted *stripe.OAuthToken) time.Time {
	var said struct {
		ExpiresIn int64 `json:"expires_in"`
	}
	if granted.LastResponse != nil {
		// Not readable means not said: the rest of this answer has been decoded already.
		_ = json.Unmarshal(granted.LastResponse.RawJSON, &said)
	}
	switch {
	case said.ExpiresIn > 0:
		return a.clock.Now().Add(time.Duration(said.ExpiresIn) * time.Second)
	case p.flavor() == FlavorApp:
		return a.clock.Now().Add(appTokenLife)
	}
	return time.Time{}
}

// Deauthorize gives the account's grant back. ErrNotGranted is no proof that it is gone (OAuth reference, errors of
// deauthorize): ask the account with its token, or Connected.
func (a *API) Deauthorize(ctx context.Context, p Platform, account string) error {
	client := oauth.Client{B: a.backend(stripe.ConnectBackend, a.connect, true), Key: p.SecretKey}
	_, err := client.Del(&stripe.DeauthorizeParams{
		Params:       stripe.Params{Context: ctx},
		ClientID:     stripe.String(p.ClientID),
		StripeUserID: stripe.String(account),
	})
	err = failure("deauthorise account", true, err)
	var refused *Error
	if errors.As(err, &refused) && refused.StripeCode == codeInvalidClient {
		refused.cause = ErrNotGranted
	}
	return err
}

// Connected says whether the platform's key still reaches an account, which it does as long as there is a grant.
func (a *API) Connected(ctx context.Context, p Platform, account string) (bool, error) {
	var answer struct {
		stripe.APIResource
		ID string `json:"id"`
	}
	err := a.backend(stripe.APIBackend, a.api, true).Call(
		http.MethodGet, stripe.FormatURLPath("/v1/accounts/%s", account), p.SecretKey, &stripe.Params{Context: ctx}, &answer)
	err = failure("get connected account", true, err)
	var refused *Error
	if errors.As(err, &refused) && refused.StripeCode == codeAccountInvalid {
		return false, nil
	}
	return err == nil, err
}
