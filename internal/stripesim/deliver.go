package stripesim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

const (
	maxDeliveries = 16
	// maxSent bounds the delivery log.
	maxSent = 10_000
)

// backoff is the pause after each failed attempt, about three days in all, as Stripe's documentation describes for live
// mode.
var backoff = []time.Duration{
	5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
	12 * time.Hour, 12 * time.Hour, 12 * time.Hour, 12 * time.Hour,
}

// Delivery is one attempt to deliver an event.
type Delivery struct {
	Event    string `json:"event"`
	Type     string `json:"type"`
	Endpoint string `json:"endpoint"`
	Attempt  int    `json:"attempt"`
	// Status is the HTTP status, 0 when there was no answer.
	Status int   `json:"status"`
	At     int64 `json:"at"`
}

type delivery struct {
	event    *event
	account  string
	endpoint *endpoint
	body     []byte
}

// emit records an event of an account and queues it for every endpoint that wants it; s.mu must be held.
func (s *Server) emit(a *Account, kind string, object, previous obj) *event {
	e := a.record(kind, s.now(), object, previous)
	s.enqueue(a, e)
	return e
}

// record keeps an event without delivering it.
func (a *Account) record(kind string, at int64, object, previous obj) *event {
	data := obj{"object": object}
	if previous != nil {
		data["previous_attributes"] = previous
	}
	e := &event{id: a.newID("evt_"), kind: kind, created: at}
	e.body = obj{
		"id": e.id, "object": "event", "account": a.ID, "api_version": APIVersion, "created": at, "data": data,
		"livemode": a.Livemode, "pending_webhooks": 1, "request": obj{"id": nil, "idempotency_key": nil}, "type": kind,
	}
	a.events.add(e.id, e)
	return e
}

// enqueue queues an event for the connect endpoints of every platform that holds a grant, or just lost it.
func (s *Server) enqueue(a *Account, e *event) {
	body, err := json.Marshal(e.body)
	if err != nil {
		s.log.Error("stripesim: an event cannot be rendered", "event", e.id)
		return
	}
	for _, target := range s.endpoints.all {
		wanted := slices.Contains(target.events, e.kind) || slices.Contains(target.events, "*")
		if target.deleted || target.disabled || !target.connect || !wanted || !s.connected(target.platform, a) {
			continue
		}
		// A live connect endpoint receives the test events of accounts connected in live mode too.
		if target.livemode != a.Livemode && !target.livemode {
			continue
		}
		s.outbox = append(s.outbox, &delivery{event: e, account: a.ID, endpoint: target, body: body})
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Server) connected(p *Platform, a *Account) bool {
	return s.granted(p, accountKey{a.ID, true}) || s.granted(p, accountKey{a.ID, false})
}

// deliver posts an event until it is taken, given up or ctx ends.
func (s *Server) deliver(ctx context.Context, d *delivery, slots chan struct{}) {
	for attempt := 1; ; attempt++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		status := s.post(ctx, d)
		<-slots
		s.mu.Lock()
		if len(s.sent) >= maxSent {
			s.sent = s.sent[maxSent/2:]
		}
		s.sent = append(s.sent, Delivery{Event: d.event.id, Type: d.event.kind, Endpoint: d.endpoint.id, Attempt: attempt, Status: status, At: s.now()})
		gone := d.endpoint.deleted || d.endpoint.disabled
		s.mu.Unlock()
		if status/100 == 2 || gone || attempt > len(backoff) {
			return
		}
		select {
		case <-s.clock.After(backoff[attempt-1]):
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) post(ctx context.Context, d *delivery) (status int) {
	s.mu.RLock()
	target, secret, fault := d.endpoint.url, d.endpoint.secret, s.hindered[d.account]
	s.mu.RUnlock()
	if fault.Drop {
		return 0
	}
	if fault.Secret != "" {
		secret = fault.Secret
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(d.body))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	req.Header.Set("Stripe-Signature", Sign(d.body, secret, s.now()+int64(fault.Skew.Seconds())))
	resp, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	return resp.StatusCode
}

// Sign returns the Stripe-Signature header of a body at a time in unix seconds.
func Sign(body []byte, secret string, at int64) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.", at)
	mac.Write(body)
	return fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(mac.Sum(nil)))
}

// Deliveries returns the attempts so far, oldest first; the oldest are forgotten.
func (s *Server) Deliveries() []Delivery {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]Delivery(nil), s.sent...)
}

// Resend delivers an event once more, as the button on Stripe's pages does.
func (s *Server) Resend(account, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if e, ok := a.events.get(id); ok && (account == "" || a.ID == account) {
			s.enqueue(a, e)
			return nil
		}
	}
	return fmt.Errorf("stripesim: no event %s", id)
}
