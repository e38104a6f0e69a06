package worker_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// stripe is a small list server for the cases that need scripting: throttling, revocation, vanished checkpoints. What
// a whole account looks like is tested against the simulator.
type stripe struct {
	*httptest.Server
	mu    sync.Mutex
	lists map[string][]map[string]any // newest first
	seen  []string                    // path and query of each request
	// before may answer instead, by the number of the request, counted from 1.
	before func(n int, w http.ResponseWriter, r *http.Request) bool
}

func newStripe(t *testing.T) *stripe {
	t.Helper()
	s := &stripe{lists: map[string][]map[string]any{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *stripe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen = append(s.seen, r.URL.RequestURI())
	n, before := len(s.seen), s.before
	s.mu.Unlock()
	if before != nil && before(n, w, r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	resource, id, single := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if single {
		s.one(w, resource, id)
		return
	}
	s.page(w, r, s.lists[resource])
}

func (s *stripe) one(w http.ResponseWriter, resource, id string) {
	for _, object := range s.lists[resource] {
		if object["id"] == id {
			answer(w, http.StatusOK, object)
			return
		}
	}
	refuse(w, http.StatusNotFound, "resource_missing")
}

func (s *stripe) page(w http.ResponseWriter, r *http.Request, all []map[string]any) {
	query := r.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "parameter_invalid_integer")
		return
	}
	bound := func(key string, otherwise int64) int64 {
		if at, err := strconv.ParseInt(query.Get(key), 10, 64); err == nil {
			return at
		}
		return otherwise
	}
	from, to := bound("created[gte]", 0), bound("created[lte]", math.MaxInt64)
	within := all[:0:0]
	for _, object := range all {
		if created, ok := object["created"].(int64); !ok || created >= from && created <= to {
			within = append(within, object)
		}
	}
	all = within
	if after := query.Get("starting_after"); after != "" {
		at := -1
		for i, object := range all {
			if object["id"] == after {
				at = i
			}
		}
		if at < 0 {
			refuse(w, http.StatusBadRequest, "resource_missing")
			return
		}
		all = all[at+1:]
	}
	more := len(all) > limit
	answer(w, http.StatusOK, map[string]any{"object": "list", "data": all[:min(limit, len(all))], "has_more": more})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a worker that was stopped has gone
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]any{"error": map[string]any{"type": "invalid_request_error", "code": code, "message": "secret words"}})
}

// addCustomers puts n customers in front of the list, the newest first.
func (s *stripe) addCustomers(n int, newest int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		s.lists["customers"] = append(s.lists["customers"], map[string]any{
			"object": "customer", "id": fmt.Sprintf("cus_%04d", i), "created": newest - int64(i)*3600, "email": fmt.Sprintf("c%d@example.org", i),
		})
	}
}

func (s *stripe) set(resource string, objects ...map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists[resource] = objects
}

func (s *stripe) script(before func(n int, w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

func (s *stripe) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}
