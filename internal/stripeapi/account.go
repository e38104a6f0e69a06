package stripeapi

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"
)

// AccountClient reads one connected account with that account's own token. It can do nothing but GET.
type AccountClient struct {
	backend *stripe.BackendImplementation
	access  Secret
}

// Account returns the client that acts with the given access token.
func (a *API) Account(access Secret) *AccountClient {
	return &AccountClient{backend: a.backend(stripe.APIBackend, a.api, false), access: access}
}

// Format redacts the token under every verb: fmt would print an unexported field as it is.
func (c *AccountClient) Format(f fmt.State, _ rune) { redact(f) }

// AccountInfo is what a connection needs to know of an account.
type AccountInfo struct {
	ID string
	// Country is the ISO 3166-1 alpha-2 code.
	Country                          string
	ChargesEnabled, DetailsSubmitted bool
	// DisabledReason is Stripe's machine-readable reason for a restriction; empty when there is none.
	DisabledReason string
}

// Get reads the account itself.
func (c *AccountClient) Get(ctx context.Context) (AccountInfo, error) {
	const op = "get account"
	raw, err := c.get(ctx, op, "/v1/account", nil)
	if err != nil {
		return AccountInfo{}, err
	}
	var account struct {
		ID               string `json:"id"`
		Country          string `json:"country"`
		ChargesEnabled   bool   `json:"charges_enabled"`
		DetailsSubmitted bool   `json:"details_submitted"`
		Requirements     struct {
			DisabledReason string `json:"disabled_reason"`
		} `json:"requirements"`
	}
	if json.Unmarshal(raw, &account) != nil || account.ID == "" {
		return AccountInfo{}, &Error{Op: op, Status: http.StatusOK, cause: ErrUnreadable}
	}
	return AccountInfo{
		ID:               account.ID,
		Country:          account.Country,
		ChargesEnabled:   account.ChargesEnabled,
		DetailsSubmitted: account.DetailsSubmitted,
		DisabledReason:   account.Requirements.DisabledReason,
	}, nil
}

// Charge returns the customer of a charge, "" when it has none. Nothing else of the charge is kept.
func (c *AccountClient) Charge(ctx context.Context, id string) (customer string, err error) {
	const op = "get charge"
	if id == "" {
		return "", &Error{Op: op, cause: ErrNotFound}
	}
	raw, err := c.get(ctx, op, stripe.FormatURLPath("/v1/charges/%s", id), nil)
	if err != nil {
		return "", err
	}
	var charge struct {
		Customer json.RawMessage `json:"customer"`
	}
	if json.Unmarshal(raw, &charge) != nil {
		return "", &Error{Op: op, Status: http.StatusOK, cause: ErrUnreadable}
	}
	return idOf(charge.Customer), nil
}

// Event returns one event as Stripe has it now. Events are kept for 30 days; older ones give ErrNotFound.
func (c *AccountClient) Event(ctx context.Context, id string) (json.RawMessage, error) {
	const op = "get event"
	if id == "" {
		return nil, &Error{Op: op, cause: ErrNotFound}
	}
	return c.get(ctx, op, stripe.FormatURLPath("/v1/events/%s", id), nil)
}

// idOf reads a reference that is either an id or the expanded object; "" for null.
func idOf(ref json.RawMessage) string {
	var id string
	if json.Unmarshal(ref, &id) == nil {
		return id
	}
	var object struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(ref, &object) == nil {
		return object.ID
	}
	return ""
}

// get asks through a backend of stripe-go, but reads the answer itself: stripe-go would go over each page four times.
func (c *AccountClient) get(ctx context.Context, op, path string, query *form.Values) (json.RawMessage, error) {
	if query != nil {
		path += "?" + query.Encode()
	}
	req, err := c.backend.NewRequest(http.MethodGet, path, c.access.Reveal(), "application/x-www-form-urlencoded", &stripe.Params{Context: ctx})
	if err != nil {
		return nil, failure(op, false, err)
	}
	resp, err := c.backend.HTTPClient.Do(req)
	if err != nil {
		return nil, failure(op, false, err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, failure(op, false, err)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, &Error{Op: op, Status: resp.StatusCode, cause: ErrUnreadable}
	}
	return raw, nil
}
