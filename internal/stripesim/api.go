package stripesim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// apiError is a refusal in Stripe's shape.
type apiError struct {
	status                     int
	kind, code, message, param string
}

func refuse(w http.ResponseWriter, e apiError) {
	body := obj{"type": e.kind, "message": e.message}
	if e.code != "" {
		body["code"] = e.code
	}
	if e.param != "" {
		body["param"] = e.param
	}
	reply(w, e.status, obj{"error": body})
}

func reply(w http.ResponseWriter, status int, body any) {
	if h, ok := w.(*held); ok {
		h.status, h.body = status, body
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if raw, ok := body.(*rawList); ok {
		_, _ = w.Write(raw.bytes())
		return
	}
	_ = json.NewEncoder(w).Encode(body) // the client has gone
}

// caller is who a request speaks for: a connected account, or a platform in one mode.
type caller struct {
	account  *Account
	platform *Platform
	livemode bool
}

// keyOf is the key that a request was sent with.
func keyOf(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok {
		return user
	}
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// platformOf finds whose key it is, and of which mode.
func (s *Server) platformOf(key string) (p *Platform, livemode, ok bool) {
	for _, p := range s.platforms {
		if key != "" && (key == p.SecretKeyLive || key == p.SecretKeyTest) {
			return p, key == p.SecretKeyLive, true
		}
	}
	return nil, false, false
}

// authenticate reads the key of a request; s.mu must be held.
func (s *Server) authenticate(r *http.Request) (caller, *apiError) {
	key := keyOf(r)
	message, code := "Invalid API Key provided", ""
	if t, ok := s.tokens[key]; ok {
		if !t.expired(s.now()) {
			return caller{account: t.account, platform: t.platform, livemode: t.account.Livemode}, nil
		}
		message, code = "Expired API Key provided", "api_key_expired"
	}
	if p, livemode, ok := s.platformOf(key); ok {
		return s.onBehalf(caller{platform: p, livemode: livemode}, r.Header.Get("Stripe-Account"))
	}
	if key == "" {
		message = "You did not provide an API key"
	}
	return caller{}, &apiError{status: http.StatusUnauthorized, kind: "invalid_request_error", code: code, message: message}
}

// onBehalf lets a platform act for an account that granted it access.
func (s *Server) onBehalf(c caller, account string) (caller, *apiError) {
	if account == "" {
		return c, nil
	}
	key := accountKey{account, c.livemode}
	if s.granted(c.platform, key) {
		c.account = s.byKey[key]
		return c, nil
	}
	return c, &apiError{status: http.StatusForbidden, kind: "invalid_request_error", code: "account_invalid",
		message: "The provided key does not have access to the account, or access was revoked"}
}

// note keeps a request for Requests or PlatformRequests.
func (s *Server) note(r *http.Request, c caller) {
	request := Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Platform: c.platform.Name, Livemode: c.livemode}
	if c.account == nil {
		s.platformRequests = append(s.platformRequests, request)
		return
	}
	request.Account = c.account.ID
	s.requests = append(s.requests, request)
}

func (s *Server) routeAPI(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/account", s.forAccount(func(w http.ResponseWriter, _ *http.Request, a *Account) {
		reply(w, http.StatusOK, a.render())
	}))
	mux.HandleFunc("GET /v1/accounts/{id}", s.forPlatform(s.getAccount))
	mux.HandleFunc("GET /v1/{resource}", s.forAccount(s.list))
	mux.HandleFunc("GET /v1/{resource}/{id}", s.forAccount(s.retrieve))
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c, refused := s.authenticate(r)
		switch {
		case refused != nil:
			refuse(w, *refused)
		case c.account != nil:
			s.note(r, c)
			refuse(w, apiError{status: http.StatusForbidden, kind: "invalid_request_error",
				code: "more_permissions_required_for_application", message: "The scope of this key is read_only"})
		default:
			refuse(w, unknownPath(r))
		}
	})
}

func unknownPath(r *http.Request) apiError {
	return apiError{status: http.StatusNotFound, kind: "invalid_request_error", message: "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + ")"}
}

// forAccount serves a request that reads a connected account, under the read lock, within its limits.
func (s *Server) forAccount(serve func(http.ResponseWriter, *http.Request, *Account)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, latency, refused := s.admit(w, r)
		if refused != nil {
			refuse(w, *refused)
			return
		}
		s.sleep(r, latency)
		answer := &held{ResponseWriter: w}
		s.mu.RLock()
		serve(answer, r, c.account)
		s.mu.RUnlock()
		reply(w, answer.status, answer.body)
	}
}

// admit tells whose account a request is about, and notes it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (caller, time.Duration, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, refused := s.authenticate(r)
	if refused == nil && c.account == nil {
		unknown := unknownPath(r)
		refused = &unknown
	}
	if refused == nil {
		s.note(r, c)
		refused = s.limit(w, r, c.account)
	}
	return c, s.limits.Latency, refused
}

// forPlatform serves a request about the platform's own account.
func (s *Server) forPlatform(serve func(http.ResponseWriter, *http.Request, caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c, refused := s.authenticate(r)
		if refused == nil && c.account != nil {
			s.note(r, c)
			refused = &apiError{status: http.StatusForbidden, kind: "invalid_request_error",
				code: "oauth_not_supported", message: "This application does not have the required permissions for this endpoint"}
		}
		if refused != nil {
			refuse(w, *refused)
			return
		}
		s.note(r, c)
		serve(w, r, c)
	}
}

func (s *Server) getAccount(w http.ResponseWriter, r *http.Request, c caller) {
	if key := (accountKey{r.PathValue("id"), c.livemode}); s.granted(c.platform, key) {
		reply(w, http.StatusOK, s.byKey[key].render())
		return
	}
	refuse(w, apiError{status: http.StatusForbidden, kind: "invalid_request_error", code: "account_invalid",
		message: "The provided key does not have access to the account"})
}
