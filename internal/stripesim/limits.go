package stripesim

import (
	"net/http"
	"strings"
	"time"
)

// Limits are what Stripe allows an account, in requests a second, however they are spread over it: any second has no
// more. 0 allows everything.
type Limits struct {
	Live, Test int
	// Path is for each endpoint path of an account.
	Path int
	// Latency is how long an answer takes.
	Latency time.Duration
}

// StripeLimits are Stripe's documented limits ("Rate limits": 100 a second in live mode, 25 in test mode and for each
// endpoint).
func StripeLimits() Limits { return Limits{Live: 100, Test: 25, Path: 25} }

// SetLimits applies to every account from now on.
func (s *Server) SetLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

// Traffic is what was asked of one account.
type Traffic struct {
	// Allowed holds when each request was let in, by endpoint path; Refused how many were not.
	Allowed map[string][]time.Time
	Refused int
}

// Traffic returns what was asked of an account since the start.
func (s *Server) Traffic(account string, livemode bool) Traffic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := Traffic{Allowed: map[string][]time.Time{}}
	if t := s.traffic[accountKey{account, livemode}]; t != nil {
		out.Refused = t.Refused
		for path, times := range t.Allowed {
			out.Allowed[path] = append([]time.Time(nil), times...)
		}
	}
	return out
}

// endpointOf is a path without the id in it.
func endpointOf(path string) string {
	name, id, _ := strings.Cut(strings.TrimPrefix(path, "/v1/"), "/")
	if id != "" {
		return name + "/id"
	}
	return name
}

// limit lets a request in, or refuses it; s.mu must be held.
func (s *Server) limit(w http.ResponseWriter, r *http.Request, a *Account) *apiError {
	key, path, now := a.key(), endpointOf(r.URL.Path), s.clock.Now()
	t := s.traffic[key]
	if t == nil {
		t = &Traffic{Allowed: map[string][]time.Time{}}
		s.traffic[key] = t
	}
	all, most := 0, s.limits.Test
	if a.Livemode {
		most = s.limits.Live
	}
	for _, times := range t.Allowed {
		all += lately(times, now)
	}
	reason := ""
	switch {
	case most > 0 && all >= most:
		reason = "global-rate"
	case s.limits.Path > 0 && lately(t.Allowed[path], now) >= s.limits.Path:
		reason = "endpoint-rate"
	default:
		t.Allowed[path] = append(t.Allowed[path], now)
		return nil
	}
	t.Refused++
	w.Header().Set("Stripe-Rate-Limited-Reason", reason)
	return &apiError{status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "rate_limit", message: "Request rate limit exceeded."}
}

// lately is how many of the times, in order, lie within the last second.
func lately(times []time.Time, now time.Time) (n int) {
	for i := len(times) - 1; i >= 0 && now.Sub(times[i]) < time.Second; i-- {
		n++
	}
	return n
}

// held keeps an answer, so that it is written when no lock is held.
type held struct {
	http.ResponseWriter
	status int
	body   any
}

// sleep takes as long as an answer of Stripe does.
func (s *Server) sleep(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-r.Context().Done():
	}
}

// Grant gives a platform access to an account without anybody's consent, and returns the access token.
func (s *Server) Grant(platform, account string, livemode bool) (token string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.byKey[accountKey{account, livemode}]
	for _, p := range s.platforms {
		if p.Name == platform && a != nil {
			return s.grant(p, a, "").access, true
		}
	}
	return "", false
}
