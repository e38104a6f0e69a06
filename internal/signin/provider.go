package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/access"
)

// Errors of a sign-in. None holds anything that the provider sent but an error code of OAuth.
var (
	// ErrUnavailable says that the provider cannot be reached or does not answer as one.
	ErrUnavailable = errors.New("the identity provider does not answer")
	// ErrRefused says that the provider did not vouch for the browser that asks.
	ErrRefused = errors.New("the identity provider's answer does not prove who signs in")
	// ErrNoName says that the provider vouched for somebody whom the claims give no usable name.
	ErrNoName = errors.New("the identity provider's claims give no name that Kubernetes could know")
)

// Options of a Provider.
type Options struct {
	// Issuer is the provider's address, exactly as its tokens have it in iss.
	Issuer       string
	ClientID     string
	ClientSecret string
	// RedirectURL is where the provider sends browsers back to.
	RedirectURL string
	// Scopes asked for beside openid.
	Scopes []string
	Claims Claims
	// HTTP reaches the provider; it needs a timeout.
	HTTP  *http.Client
	Clock clock.PassiveClock
}

// Provider is safe for concurrent use.
type Provider struct {
	opts Options

	// asking is held by the one who asks for the addresses; found is nil until the provider has told them.
	asking sync.Mutex
	found  atomic.Pointer[found]
}

type found struct {
	provider *oidc.Provider
	oauth    *oauth2.Config
	// endSession is where somebody can sign out of the provider; empty when it has no such page.
	endSession string
}

// New returns a provider, which is asked for its addresses at the first sign-in.
func New(opts Options) (*Provider, error) {
	issuer, err := url.Parse(opts.Issuer)
	switch {
	case opts.HTTP == nil || opts.HTTP.Timeout == 0 || opts.Clock == nil:
		return nil, errors.New("sign-in: an HTTP client with a timeout and a clock are needed")
	case err != nil || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "" || issuer.User != nil:
		return nil, errors.New("sign-in: the issuer must be a URL such as https://login.example.com")
	case issuer.Scheme != "https" && !(issuer.Scheme == "http" && isLoopback(issuer.Hostname())):
		return nil, errors.New("sign-in: the issuer must be reached by https")
	case opts.ClientID == "" || opts.RedirectURL == "":
		return nil, errors.New("sign-in: a client id and an address to come back to are needed")
	}
	opts.Claims = opts.Claims.withDefaults(opts.Issuer)
	return &Provider{opts: opts}, nil
}

func isLoopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// Attempt is one sign-in under way. The browser keeps it, sealed, until it comes back.
type Attempt struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// Begin returns where to send the browser, and what it has to bring back. It fails with ErrUnavailable.
func (p *Provider) Begin(ctx context.Context) (address string, attempt Attempt, err error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", attempt, err
	}
	attempt = Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return found.oauth.AuthCodeURL(attempt.State, oidc.Nonce(attempt.Nonce), oauth2.S256ChallengeOption(attempt.Verifier)), attempt, nil
}

// Finish takes what the provider sent the browser back with. It fails with ErrUnavailable, ErrRefused or ErrNoName.
func (p *Provider) Finish(ctx context.Context, attempt Attempt, state, code string) (access.User, error) {
	if attempt.State == "" || subtle.ConstantTimeCompare([]byte(attempt.State), []byte(state)) != 1 || code == "" {
		return access.User{}, fmt.Errorf("%w: it belongs to another attempt", ErrRefused)
	}
	found, err := p.discover(ctx)
	if err != nil {
		return access.User{}, err
	}
	ctx = oidc.ClientContext(ctx, p.opts.HTTP)
	tokens, err := found.oauth.Exchange(ctx, code, oauth2.VerifierOption(attempt.Verifier))
	if err != nil {
		return access.User{}, exchangeError(err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return access.User{}, fmt.Errorf("%w: there is no ID token in it", ErrRefused)
	}
	token, err := found.provider.Verifier(&oidc.Config{ClientID: p.opts.ClientID, Now: p.opts.Clock.Now}).Verify(ctx, raw)
	if err != nil {
		return access.User{}, verifyError(err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(attempt.Nonce)) != 1 {
		return access.User{}, fmt.Errorf("%w: the ID token was made for another attempt", ErrRefused)
	}
	if token.AccessTokenHash != "" && token.VerifyAccessToken(tokens.AccessToken) != nil {
		return access.User{}, fmt.Errorf("%w: the ID token belongs to another access token", ErrRefused)
	}
	return p.opts.Claims.user(token)
}

// EndSession is where somebody can sign out of the provider, if that is known.
func (p *Provider) EndSession() string {
	if found := p.found.Load(); found != nil {
		return found.endSession
	}
	return ""
}

// discover asks the provider for its addresses until it has told them once. Its keys are fetched when needed.
func (p *Provider) discover(ctx context.Context) (*found, error) {
	if known := p.found.Load(); known != nil {
		return known, nil
	}
	p.asking.Lock()
	defer p.asking.Unlock()
	if known := p.found.Load(); known != nil {
		return known, nil
	}
	// The keys are fetched in this context long after the request has ended; the client has a timeout of its own.
	lasting := oidc.ClientContext(context.WithoutCancel(ctx), p.opts.HTTP)
	provider, err := oidc.NewProvider(lasting, p.opts.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: its configuration (%s/.well-known/openid-configuration) cannot be read, or is of another issuer",
			ErrUnavailable, strings.TrimSuffix(p.opts.Issuer, "/"))
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: its configuration cannot be read", ErrUnavailable)
	}
	if end, err := url.Parse(more.EndSession); err != nil || (end.Scheme != "https" && end.Scheme != "http") {
		more.EndSession = ""
	}
	told := &found{
		provider: provider, endSession: more.EndSession,
		oauth: &oauth2.Config{
			ClientID: p.opts.ClientID, ClientSecret: p.opts.ClientSecret, Endpoint: provider.Endpoint(), RedirectURL: p.opts.RedirectURL,
			Scopes: append([]string{oidc.ScopeOpenID}, p.opts.Scopes...),
		},
	}
	p.found.Store(told)
	return told, nil
}

// exchangeError keeps the error code of OAuth, which is one of a few words, and nothing else: a provider may repeat the
// code that it was sent.
func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return fmt.Errorf("%w: the code could not be exchanged", ErrUnavailable)
	}
	switch refused.ErrorCode {
	case "invalid_client", "unauthorized_client":
		return fmt.Errorf("%w: it does not accept this dashboard's client id and secret (%s)", ErrUnavailable, refused.ErrorCode)
	case "invalid_grant", "invalid_request":
		return fmt.Errorf("%w: it did not take the code (%s)", ErrRefused, refused.ErrorCode)
	}
	if refused.Response != nil && refused.Response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%w: status %d", ErrUnavailable, refused.Response.StatusCode)
	}
	return fmt.Errorf("%w: it did not take the code", ErrRefused)
}

func verifyError(err error) error {
	var expired *oidc.TokenExpiredError
	if errors.As(err, &expired) {
		return fmt.Errorf("%w: the ID token has expired; is the clock right?", ErrRefused)
	}
	return fmt.Errorf("%w: the ID token is not signed by the provider for this dashboard", ErrRefused)
}
