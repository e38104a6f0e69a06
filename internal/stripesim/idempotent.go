package stripesim

import (
	"bytes"
	"net/http"
	"net/http/httptest"
)

// keptAnswers is how long an answer is repeated to a repeated request (API reference, "Idempotent requests").
const keptAnswers = 24 * 60 * 60

// answer is what a request with an Idempotency-Key got.
type answer struct {
	request string
	status  int
	body    []byte
	at      int64
}

// idempotent repeats the answer of a POST to one that repeats its Idempotency-Key. Refusals that came before the work
// are not kept. The wrapped handler runs under s.mu.
func (s *Server) idempotent(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		key := r.Header.Get("Idempotency-Key")
		if key == "" {
			serve(w, r)
			return
		}
		if err := r.ParseForm(); err != nil {
			refuse(w, *badParam("", "unreadable form"))
			return
		}
		key, request := keyOf(r)+" "+key, r.URL.Path+"?"+r.PostForm.Encode()
		kept, known := s.answers[key]
		switch {
		case known && kept.at+keptAnswers <= s.now():
			known = false
		case known && kept.request != request:
			refuse(w, apiError{status: http.StatusBadRequest, kind: "idempotency_error",
				message: "Keys for idempotent requests can only be used with the same parameters they were first used with."})
			return
		}
		if !known {
			recorder := httptest.NewRecorder()
			serve(recorder, r)
			kept = answer{request: request, status: recorder.Code, body: bytes.Clone(recorder.Body.Bytes()), at: s.now()}
			if kept.status != http.StatusUnauthorized && kept.status != http.StatusForbidden && kept.status != http.StatusTooManyRequests {
				s.answers[key] = kept
			}
		} else {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(kept.status)
		_, _ = w.Write(kept.body)
	}
}
