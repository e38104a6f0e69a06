package stripesim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault makes matching requests fail the way Stripe fails.
type Fault struct {
	// Match is "METHOD /path/prefix", such as "GET /v1/invoices"; a method of * matches all.
	Match string
	// Status, Type and Code of the answer, such as 429, invalid_request_error and rate_limit.
	Status     int
	Type, Code string
	RetryAfter time.Duration
	// Reason becomes Stripe-Rate-Limited-Reason.
	Reason string
	// Times is how many requests fail; 0 means all until ClearFaults.
	Times int
	hits  int
}

// SetFault adds a fault; the first that matches wins.
func (s *Server) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults makes everything work again.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	clear(s.hindered)
}

// DeliveryFault hinders the deliveries of one account's events. The zero value hinders nothing.
type DeliveryFault struct {
	// Drop loses every attempt on its way.
	Drop bool
	// Secret signs instead of the endpoint's.
	Secret string
	// Skew is how far the clock that signs is ahead of ours; negative when it is behind.
	Skew time.Duration
}

// HinderDeliveries replaces the fault of an account's deliveries, including those that are retried.
func (s *Server) HinderDeliveries(account string, f DeliveryFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hindered[account] = f
}

func (s *Server) takeFault(r *http.Request) *Fault {
	for _, f := range s.faults {
		method, path, _ := strings.Cut(f.Match, " ")
		if (method != "*" && method != r.Method) || !strings.HasPrefix(r.URL.Path, path) {
			continue
		}
		if f.Times != 0 && f.hits >= f.Times {
			continue
		}
		f.hits++
		return f
	}
	return nil
}

func (f *Fault) answer(w http.ResponseWriter) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
	}
	if f.Reason != "" {
		w.Header().Set("Stripe-Rate-Limited-Reason", f.Reason)
	}
	kind := f.Type
	if kind == "" {
		kind = "api_error"
	}
	refuse(w, apiError{status: f.Status, kind: kind, code: f.Code, message: "simulated fault"})
}
