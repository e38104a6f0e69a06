package stripesim

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed authorize.html
var authorizePage string

var authorizeTemplate = template.Must(template.New("authorize").Parse(authorizePage))

// code is good once, for five minutes.
type code struct {
	platform *Platform
	account  *Account
	expires  int64
	used     bool
}

// token is an account's grant to a platform.
type token struct {
	access, refresh string
	platform        *Platform
	account         *Account
	// expires is 0 with Connect, whose tokens do not.
	expires int64
}

func (t *token) expired(now int64) bool { return t.expires != 0 && t.expires <= now }

// grantKey is one platform's grant of one account.
type grantKey struct {
	platform *Platform
	account  accountKey
}

const (
	codeAge = 5 * 60
	// appTokenAge and the rolling of refresh tokens are those of Stripe Apps.
	appTokenAge = 60 * 60
)

func (s *Server) routeOAuth(mux *http.ServeMux) {
	for _, page := range []string{connectPage, appPage} {
		mux.HandleFunc("GET "+page, s.authorize)
		mux.HandleFunc("POST "+page, s.consent)
	}
	mux.HandleFunc("POST /oauth/token", s.idempotent(s.exchange))
	mux.HandleFunc("POST /v1/oauth/token", s.idempotent(s.exchange))
	mux.HandleFunc("POST /oauth/deauthorize", s.deauthorize)
}

// The pages where an account's owner consents: to a Connect platform, and to a Stripe App.
const (
	connectPage = "/oauth/authorize"
	appPage     = "/oauth/v2/authorize"
)

// authorizeRequest is what a platform asks for.
type authorizeRequest struct {
	platform *Platform
	livemode bool
	redirect *url.URL
	scope    string
	state    string
}

func (s *Server) readAuthorize(page string, values url.Values) (req authorizeRequest, problem string) {
	for _, p := range s.platforms {
		switch id := values.Get("client_id"); {
		case id != "" && id == p.ClientIDLive:
			req.platform, req.livemode = p, true
		case id != "" && id == p.ClientIDTest:
			req.platform = p
		}
	}
	if req.platform == nil || req.platform.App != (page == appPage) {
		return req, "No application matches the supplied client identifier"
	}
	// An App's permissions are in its manifest: its link asks for nothing.
	if !req.platform.App && values.Get("response_type") != "code" {
		return req, "response_type must be code"
	}
	if req.scope = values.Get("scope"); !req.platform.App && req.scope != "read_only" && req.scope != "read_write" {
		return req, "scope must be read_only or read_write"
	}
	redirect := values.Get("redirect_uri")
	if redirect == "" && len(req.platform.RedirectURIs) > 0 {
		redirect = req.platform.RedirectURIs[0]
	}
	if !slices.Contains(req.platform.RedirectURIs, redirect) {
		return req, "redirect_uri is not one of the application's"
	}
	u, err := url.Parse(redirect)
	if err != nil {
		return req, "redirect_uri is no URL"
	}
	req.redirect, req.state = u, values.Get("state")
	return req, ""
}

func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	req, problem := s.readAuthorize(r.URL.Path, r.URL.Query())
	if problem != "" {
		reply(w, http.StatusBadRequest, obj{"error": obj{"message": problem, "type": "invalid_request_error"}})
		return
	}
	var accounts []*Account
	for _, a := range s.accounts {
		if a.Livemode == req.livemode {
			accounts = append(accounts, a)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = authorizeTemplate.Execute(w, map[string]any{
		"Page": r.URL.Path, "Platform": req.platform.Name, "Accounts": accounts, "Live": req.livemode,
		"Fields": map[string]string{
			"client_id": r.URL.Query().Get("client_id"), "response_type": "code", "scope": r.URL.Query().Get("scope"),
			"redirect_uri": r.URL.Query().Get("redirect_uri"), "state": req.state,
		},
	})
}

// consent takes the answer given on the page back to the platform.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		reply(w, http.StatusBadRequest, obj{"error": obj{"message": "unreadable form", "type": "invalid_request_error"}})
		return
	}
	req, problem := s.readAuthorize(r.URL.Path, r.PostForm)
	if problem != "" {
		reply(w, http.StatusBadRequest, obj{"error": obj{"message": problem, "type": "invalid_request_error"}})
		return
	}
	account := r.PostForm.Get("account")
	if r.PostForm.Get("action") != "connect" {
		account = ""
	}
	target := *req.redirect
	target.RawQuery = s.decide(req, account).Encode()
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// Consent does what an account's owner does on the page behind authorizeURL, whose host does not matter: agree for that
// account, or decline with one that is not there. A redirectURI of "" is the one of the URL, or the platform's first.
// It returns the query that the owner brings back to the platform: a code, or an error.
func (s *Server) Consent(authorizeURL, redirectURI, account string) (url.Values, error) {
	page, err := url.Parse(authorizeURL)
	if err != nil {
		return nil, fmt.Errorf("stripesim: consent: %w", err)
	}
	asked := page.Query()
	if redirectURI != "" {
		asked.Set("redirect_uri", redirectURI)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	req, problem := s.readAuthorize(page.Path, asked)
	if problem != "" {
		return nil, errors.New("stripesim: consent: " + problem)
	}
	return s.decide(req, account), nil
}

// decide answers a platform's request for an account; s.mu must be held.
func (s *Server) decide(req authorizeRequest, accountID string) url.Values {
	answer := req.redirect.Query()
	if req.state != "" {
		answer.Set("state", req.state)
	}
	account, ok := s.byKey[accountKey{accountID, req.livemode}]
	if !ok {
		answer.Set("error", "access_denied")
		answer.Set("error_description", "The user denied your request")
		return answer
	}
	id := newID(s.rng, "ac_", 32)
	s.codes[id] = &code{platform: req.platform, account: account, expires: s.now() + codeAge}
	answer.Set("code", id)
	if !req.platform.App {
		answer.Set("scope", req.scope)
	}
	return answer
}

func oauthError(w http.ResponseWriter, status int, code, description string) {
	reply(w, status, obj{"error": code, "error_description": description})
}

// clientOf authenticates a platform by client_secret or Authorization.
func (s *Server) clientOf(r *http.Request) (p *Platform, livemode, ok bool) {
	key := r.PostFormValue("client_secret")
	if key == "" {
		key = keyOf(r)
	}
	return s.platformOf(key)
}

// exchange turns a code, or a refresh token, into an access token; s.mu must be held.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	platform, livemode, ok := s.clientOf(r)
	if !ok || platform.App != strings.HasPrefix(r.URL.Path, "/v1/") {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "No such API key")
		return
	}
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		id := r.PostFormValue("code")
		c, ok := s.codes[id]
		switch {
		case !ok || c.platform != platform:
			oauthError(w, http.StatusBadRequest, "invalid_grant", "Authorization code does not exist: "+id)
		case c.account.Livemode != livemode:
			oauthError(w, http.StatusBadRequest, "invalid_grant", "This authorization code was issued in another mode: "+id)
		case c.used || c.expires < s.now():
			oauthError(w, http.StatusBadRequest, "invalid_grant", "This authorization code has already been used or has expired: "+id)
		default:
			c.used = true
			t := s.grant(platform, c.account, newID(s.rng, "rt_", 40))
			s.emit(c.account, "account.application.authorized", obj{"id": clientID(platform, livemode), "object": "application", "name": platform.Name}, nil)
			reply(w, http.StatusOK, t.render())
		}
	case "refresh_token":
		t, ok := s.refreshes[r.PostFormValue("refresh_token")]
		if !ok || t.platform != platform || t.account.Livemode != livemode {
			oauthError(w, http.StatusBadRequest, "invalid_grant", "Grant does not exist for this refresh token")
			return
		}
		refresh := t.refresh
		if platform.App {
			delete(s.refreshes, refresh)
			refresh = newID(s.rng, "rt_", 40)
		}
		reply(w, http.StatusOK, s.grant(platform, t.account, refresh).render())
	default:
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
	}
}

// grant makes a new access token; older ones of the account go on working, with an App until they expire.
func (s *Server) grant(p *Platform, a *Account, refresh string) *token {
	mode := "test"
	if a.Livemode {
		mode = "live"
	}
	t := &token{access: newID(s.rng, "sk_"+mode+"_", 48), refresh: refresh, platform: p, account: a}
	if p.App {
		t.expires = s.now() + appTokenAge
	}
	key := grantKey{p, a.key()}
	s.tokens[t.access], s.refreshes[t.refresh] = t, t
	s.grants[key] = append(s.grants[key], t)
	return t
}

// granted says whether a platform holds a grant of an account.
func (s *Server) granted(p *Platform, account accountKey) bool {
	return len(s.grants[grantKey{p, account}]) > 0
}

func (t *token) render() obj {
	scope := "read_only"
	if t.platform.App {
		scope = "stripe_apps"
	}
	return obj{
		"access_token": t.access, "refresh_token": t.refresh, "livemode": t.account.Livemode, "scope": scope,
		"stripe_user_id": t.account.ID, "stripe_publishable_key": "pk_" + t.access[3:20], "token_type": "bearer",
	}
}

func clientID(p *Platform, livemode bool) string {
	if livemode {
		return p.ClientIDLive
	}
	return p.ClientIDTest
}

// deauthorize ends a grant, as a platform asks for it.
func (s *Server) deauthorize(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	platform, livemode, ok := s.clientOf(r)
	if !ok || r.PostFormValue("client_id") != clientID(platform, livemode) {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "No such application")
		return
	}
	account := r.PostFormValue("stripe_user_id")
	if !s.revoke(platform, accountKey{account, livemode}) {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "This application is not connected to stripe account "+account)
		return
	}
	reply(w, http.StatusOK, obj{"stripe_user_id": account})
}

// Revoke ends every platform's grant of an account, as its owner does on Stripe's own pages.
func (s *Server) Revoke(account string, livemode bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.platforms {
		s.revoke(p, accountKey{account, livemode})
	}
}

func (s *Server) revoke(p *Platform, account accountKey) bool {
	key := grantKey{p, account}
	tokens := s.grants[key]
	if len(tokens) == 0 {
		return false
	}
	// The platform still hears of the end.
	s.emit(tokens[0].account, "account.application.deauthorized",
		obj{"id": clientID(p, account.livemode), "object": "application", "name": p.Name}, nil)
	for _, t := range tokens {
		delete(s.tokens, t.access)
		delete(s.refreshes, t.refresh)
	}
	delete(s.grants, key)
	return true
}
