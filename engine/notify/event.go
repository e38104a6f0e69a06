package notify

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/report"
)

// The types of events.
const (
	AtRisk       = "customer.at_risk"
	Recovered    = "customer.recovered"
	Churned      = "customer.churned"
	ScoreChanged = "score.changed"
)

// Types are all types of events.
func Types() []string { return []string{AtRisk, Recovered, Churned, ScoreChanged} }

// maxEvidence bounds how many events a message names.
const maxEvidence = 10

// Event is one message before it is encoded.
type Event struct {
	// ID is unique and the same however often the message is sent.
	ID   string
	Type string

	message message
}

// Body is what is sent. The profile is that which the customer is matched to; nil without one.
func (e Event) Body(profile *report.RowProfile) ([]byte, error) {
	e.message.Data.Profile = profile
	body, err := json.Marshal(e.message)
	if err != nil {
		return nil, fmt.Errorf("encode a churn event: %w", err)
	}
	return body, nil
}

// message is the body of an event: type, timestamp and data, as Standard Webhooks recommend. It names no person.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	Workspace string `json:"workspace"`
	Livemode  bool   `json:"livemode"`
	Customer  string `json:"customer"`
	// Profile is the merchant's own customer that it is; missing where no match is certain enough.
	Profile *report.RowProfile `json:"profile,omitempty"`
	Score   int                `json:"score"`
	Tier    string             `json:"tier"`
	// P30 is the probability of a cancellation within 30 days.
	P30    float64 `json:"p30"`
	AtRisk bool    `json:"at_risk"`
	// Previous is what the event before this one told; null for the first of a customer that was not known before.
	Previous *previous `json:"previous"`
	Reason   string    `json:"reason"`
	// MRRMinor is monthly revenue in the currency's minor unit.
	MRRMinor float64 `json:"mrr_minor"`
	Currency string  `json:"currency,omitempty"`
	Cause    cause   `json:"cause"`
	// Evidence names the Stripe events, or listed objects, that the score rests on.
	Evidence     []string  `json:"evidence"`
	ModelVersion string    `json:"model_version"`
	EvaluatedAt  time.Time `json:"evaluated_at"`
}

type previous struct {
	Score  int     `json:"score"`
	Tier   string  `json:"tier"`
	P30    float64 `json:"p30"`
	AtRisk bool    `json:"at_risk"`
}

// cause is what made the score change now.
type cause struct {
	// Kind is signal or time.
	Kind string `json:"kind"`
	// Signal is the kind of the newest signal, such as invoice.payment_failed; Event is its Stripe event.
	Signal string     `json:"signal,omitempty"`
	Event  string     `json:"event,omitempty"`
	At     *time.Time `json:"at,omitempty"`
}

// event is one of a change.
func (c Change) event(eventType string, told Told, n int) Event {
	e := c.After
	m := message{Type: eventType, Timestamp: c.Now.UTC(), Data: data{
		Workspace: c.Workspace, Livemode: c.Livemode, Customer: c.Customer,
		Score: e.Score, Tier: string(e.Tier), P30: e.P30, AtRisk: e.Segment, Reason: c.reason(eventType),
		MRRMinor: e.MRR, Currency: e.Currency, Cause: c.cause(), Evidence: evidence(e.Terms),
		ModelVersion: e.ModelVersion, EvaluatedAt: c.Now.UTC(),
	}}
	if told.known() {
		m.Data.Previous = &previous{Score: told.Score, Tier: told.Tier, P30: told.P30, AtRisk: told.AtRisk}
	}
	return Event{ID: c.messageID(n), Type: eventType, message: m}
}

// messageID names the n-th event of a customer.
func (c Change) messageID(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%t\x00%s\x00%d\x00%d", c.Workspace, c.Livemode, c.Customer, n, c.Now.UnixNano()))
	return "msg_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

func (c Change) cause() cause {
	last, ok := c.newest()
	if !ok {
		return cause{Kind: "time"}
	}
	at := time.Unix(last.Created, 0).UTC()
	return cause{Kind: "signal", Signal: string(last.Kind), Event: last.EventID, At: &at}
}

// newest is the newest signal of the change.
func (c Change) newest() (last signal.Signal, ok bool) {
	for _, s := range c.Signals {
		if !ok || s.Created >= last.Created {
			last, ok = s, true
		}
	}
	return last, ok
}

// reason says in words why: the strongest term in force, or what ended the risk.
func (c Change) reason(eventType string) string {
	if c.TopReason != "" && eventType != Recovered {
		return c.TopReason
	}
	if last, ok := c.newest(); ok {
		return report.SignalWords(string(last.Kind))
	}
	return "The risk has faded with time"
}

// evidence is what the terms rest on that raise the score, the heaviest first.
func evidence(terms []scoring.Term) []string {
	ids := []string{}
	for _, t := range terms {
		for _, id := range t.Evidence {
			if t.LogOdds > 0 && len(ids) < maxEvidence && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
