package webhookreceiver

import (
	"encoding/json"
	"net/http"

	"github.com/kustiq/kustiq/api/errcode"
)

// outcome is what became of a request; it is also a metric label.
type outcome string

const (
	accepted      outcome = "accepted"
	duplicate     outcome = "duplicate"
	ignoredType   outcome = "ignored_type"
	ignoredMode   outcome = "ignored_mode"
	unrouted      outcome = "unrouted"
	noSignal      outcome = "no_signal"
	control       outcome = "control"
	undecodable   outcome = "undecodable"
	badSignature  outcome = "bad_signature"
	stale         outcome = "stale"
	tooLarge      outcome = "too_large"
	unreadable    outcome = "unreadable"
	limited       outcome = "limited"
	unavailable   outcome = "unavailable"
	notStripesWay outcome = "unknown_path"
)

// answer is what a request gets back.
type answer struct {
	outcome    outcome
	status     int
	code       errcode.Code
	message    string
	retryAfter string
}

func received(o outcome) answer { return answer{outcome: o, status: http.StatusOK} }

type receipt struct {
	Received  bool    `json:"received"`
	Duplicate bool    `json:"duplicate,omitempty"`
	Outcome   outcome `json:"outcome"`
}

type refusal struct {
	Error refusalDetail `json:"error"`
}

type refusalDetail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	w.WriteHeader(a.status)
	var body any = receipt{Received: true, Duplicate: a.outcome == duplicate, Outcome: a.outcome}
	if a.status != http.StatusOK {
		code := string(a.code)
		if code == "" {
			code = string(a.outcome)
		}
		body = refusal{refusalDetail{Code: code, Message: a.message}}
	}
	_ = json.NewEncoder(w).Encode(body) // the sender has gone: there is nobody left to tell
}
