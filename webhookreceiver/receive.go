package webhookreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tracing"
)

// receive answers one request from Stripe.
func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	began := r.clock.Now()
	mode := req.PathValue("mode")
	var span *tracing.Span
	if r.tracer != nil {
		var ctx context.Context
		ctx, span = r.tracer.Begin(req.Context(), "receive")
		defer span.End()
		req = req.WithContext(ctx)
	}
	a := r.handle(w, req, mode)
	span.Text("kustiq.outcome", string(a.outcome))
	if mode == "" || a.outcome == notStripesWay {
		mode = "any"
	}
	r.metrics.events.WithLabelValues(string(a.outcome), mode).Inc()
	r.metrics.latency.Observe(r.clock.Since(began).Seconds())
	a.write(w)
}

func (r *Receiver) handle(w http.ResponseWriter, req *http.Request, mode string) answer {
	if mode != "" && mode != "live" && mode != "test" {
		return answer{outcome: notStripesWay, status: http.StatusNotFound, message: "post to /webhooks/stripe/live or /webhooks/stripe/test"}
	}
	if !r.table.loaded() {
		return unavailableFor("the receiver is starting")
	}
	body, done, err := r.bodies.read(w, req, r.maxBody)
	defer done()
	if tooBig := new(http.MaxBytesError); errors.As(err, &tooBig) {
		return answer{outcome: tooLarge, status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("the body is larger than %d bytes", r.maxBody)}
	}
	if errors.Is(err, errCrowded) {
		return unavailableFor("there are too many large requests at once")
	}
	if err != nil {
		return answer{outcome: unreadable, status: http.StatusBadRequest, message: "the body ended early"}
	}
	signedBy, err := r.verify(req.Context(), req.Header.Get("Stripe-Signature"), body, mode)
	if err != nil {
		return r.refuse(body, err)
	}
	event, err := signal.DecodeEvent(body)
	if event == nil {
		// Refusing would make Stripe send it for three days and then disable the endpoint.
		r.log.Error("a genuine event cannot be decoded", "error", err)
		return received(undecodable)
	}
	return r.take(req.Context(), event, err, signedBy)
}

// verify returns the mode whose secret signed the body, or why none did. A secret may be newer than what this replica
// has heard of: the bus is asked before a body is refused, as often as a flood of forged ones leaves room for.
func (r *Receiver) verify(ctx context.Context, header string, body []byte, mode string) (signedBy string, err error) {
	modes := []string{mode}
	if mode == "" {
		modes = []string{"live", "test"}
	}
	if signedBy, err = r.verifyBy(header, body, modes); !errors.Is(err, stripeapi.ErrSignature) {
		return signedBy, err
	}
	if !r.asking.AllowN(r.clock.Now(), 1) {
		return "", err
	}
	r.table.reload(ctx, r.bus, modes)
	return r.verifyBy(header, body, modes)
}

func (r *Receiver) verifyBy(header string, body []byte, modes []string) (signedBy string, err error) {
	for _, m := range modes {
		_, err = stripeapi.VerifySignature(header, body, r.table.secretsOf(m), r.clock.Now())
		if late := new(stripeapi.StaleError); err == nil || errors.As(err, &late) {
			return m, err // it is genuine: no other secret would say more
		}
	}
	return "", err
}

// refuse notes a failed verification with the connection that the body claims to be for. The claim is unproven: the
// operator weighs it against genuine events.
func (r *Receiver) refuse(body []byte, failure error) answer {
	late := new(stripeapi.StaleError)
	isStale := errors.As(failure, &late)
	if event, err := signal.DecodeEvent(body); err == nil {
		if route, ok := r.table.route(event.Account, event.Livemode); ok {
			now := r.clock.Now().Unix()
			r.health.note(route.Connection, func(h *bus.Health) {
				if isStale {
					h.RejectedAge++
					h.LastRejectedAt, h.LastRejectedCode, h.SkewSeconds = now, string(errcode.WebhookStale), int64(late.Skew/time.Second)
					return
				}
				h.RejectedSignature++
				if claimed := claimedID(event.ID); claimed != "" { // what names no event cannot be asked for
					h.LastUnprovenAt, h.LastUnprovenEvent = now, claimed
				}
			})
		}
	}
	if isStale {
		return answer{
			outcome: stale, status: http.StatusBadRequest, code: errcode.WebhookStale,
			message: fmt.Sprintf("the signature is genuine, but %s; at most %s is accepted: check the clocks and any proxy that delays requests", late, stripeapi.MaxSignatureAge),
		}
	}
	return answer{
		outcome: badSignature, status: http.StatusBadRequest, code: errcode.WebhookSig,
		message: failure.Error() + ": sign the unaltered body with the endpoint's own secret",
	}
}

// take routes a genuine event and makes its signals durable, or that it cannot be read.
func (r *Receiver) take(ctx context.Context, event *signal.Event, unread error, signedBy string) answer {
	route, ok, err := r.route(ctx, event)
	if err != nil {
		return unavailableFor("it cannot be told whose event this is")
	}
	if event.Livemode && signedBy == "test" {
		// Only the live endpoint's secret may speak for live data. Stripe never does this by itself: the platform's
		// keys or URLs of the two modes were swapped.
		if ok {
			r.noteSwapped(route, event)
		}
		return received(ignoredMode)
	}
	if !ok {
		if _, other := r.table.route(event.Account, !event.Livemode); other {
			return received(ignoredMode)
		}
		return received(unrouted)
	}
	if !r.limits.allow(route.Connection, r.clock.Now()) {
		return answer{outcome: limited, status: http.StatusTooManyRequests, retryAfter: "1", message: "too many events of this account at once"}
	}
	a := r.publish(ctx, event, unread, route)
	r.note(route, event, a.outcome)
	return a
}

// route finds the connection of a genuine event. A connection may be newer than what this replica has heard of, and whoever
// answers 2xx drops the event: the bus is asked first, as often as a platform full of strangers leaves room for. What it says is
// not kept, as the watch may have told of a later end already.
func (r *Receiver) route(ctx context.Context, event *signal.Event) (route bus.Route, ok bool, err error) {
	if route, ok = r.table.route(event.Account, event.Livemode); ok {
		return route, true, nil
	}
	if event.Account == "" || strings.ContainsFunc(event.Account, notOfAnID) || !r.askingRoute.AllowN(r.clock.Now(), 1) {
		return bus.Route{}, false, nil
	}
	route, _, err = r.bus.Routes().Get(ctx, bus.RouteKey(event.Account, event.Livemode))
	if errors.Is(err, bus.ErrNotFound) {
		return bus.Route{}, false, nil
	}
	return route, err == nil, err
}

func (r *Receiver) publish(ctx context.Context, event *signal.Event, unread error, route bus.Route) answer {
	if isControl(event.Type) {
		return received(control)
	}
	var signals []signal.Signal
	if unread == nil {
		signals, unread = signal.Classify(event)
	}
	var failure bus.Failure
	switch {
	case unread != nil:
		r.log.Error("a genuine event cannot be read and is listed as failed", "event", event.ID, "type", event.Type, "error", unread)
		failure = bus.FailureUndecodable
	case len(signals) == 0 && !isSignalType(event.Type):
		return received(ignoredType)
	case len(signals) == 0:
		return received(noSignal)
	}
	ctx, span := r.tracer.Begin(ctx, "publish")
	defer span.End()
	span.Text("stripe.event.id", event.ID)
	span.Text("stripe.event.type", event.Type)
	message := bus.Message{
		Workspace: route.Workspace, Connection: route.Connection, Account: event.Account, Livemode: event.Livemode,
		EventID: event.ID, EventType: event.Type, Created: event.Created,
		ReceivedAtMs: r.clock.Now().UnixMilli(), Signals: signals, Failure: failure,
		Trace: span.Parent(),
	}
	seen, err := r.send(ctx, message)
	if err != nil {
		span.Fail("not durable")
		r.log.Warn("an event is not durable, Stripe will send it again", "event", event.ID, "error", err)
		return unavailableFor("the event could not be made durable")
	}
	switch {
	case failure != "":
		return received(undecodable)
	case seen:
		return received(duplicate)
	}
	return received(accepted)
}

// send publishes signals, or asks a worker for the customer of a dispute first.
func (r *Receiver) send(ctx context.Context, message bus.Message) (seen bool, err error) {
	for _, s := range message.Signals {
		if s.Customer == "" && s.Dispute != nil {
			task := bus.Task{Kind: bus.TaskDispute, Dispute: &message}
			return false, r.bus.PublishTask(ctx, message.Account+"/"+message.EventID, task)
		}
	}
	return r.bus.PublishLive(ctx, message)
}

// noteSwapped tells of a genuine event that came over the other mode's endpoint.
func (r *Receiver) noteSwapped(route bus.Route, event *signal.Event) {
	now := r.clock.Now().Unix()
	r.health.note(route.Connection, func(h *bus.Health) {
		h.Ignored++
		h.LastRejectedAt, h.LastRejectedCode, h.SkewSeconds = now, string(errcode.ModeMismatch), 0
	})
}

// withdrawn says whether an event tells that the grant behind the route is gone: one of our own platform, and not of an
// earlier time, after which the account was connected again.
func (r *Receiver) withdrawn(route bus.Route, event *signal.Event) bool {
	return event.Type == "account.application.deauthorized" && event.Created >= route.Since &&
		event.Application != "" && event.Application == r.table.clientOf(event.Livemode)
}

// note counts a genuine event for its connection.
func (r *Receiver) note(route bus.Route, event *signal.Event, o outcome) {
	now := r.clock.Now().Unix()
	r.health.note(route.Connection, func(h *bus.Health) {
		h.LastVerifiedAt = now
		switch o {
		case accepted, control:
			h.Accepted++
			h.LastEventAt = now
		case duplicate:
			h.Duplicates++
		default:
			h.Ignored++
		}
		switch {
		case r.withdrawn(route, event):
			h.DeauthorizedAt = max(h.DeauthorizedAt, event.Created)
		case event.Type == "account.updated":
			h.AccountUpdatedAt = max(h.AccountUpdatedAt, event.Created)
		}
	})
}

func unavailableFor(why string) answer {
	return answer{outcome: unavailable, status: http.StatusServiceUnavailable, retryAfter: "5", message: why + ": send it again later"}
}

// claimedID keeps the id that a request of unproven origin claims, when it reads like one of Stripe's.
func claimedID(id string) string {
	if len(id) > 255 || !strings.HasPrefix(id, "evt_") || strings.ContainsFunc(id, notOfAnID) {
		return ""
	}
	return id
}

func notOfAnID(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_'
}

func isControl(eventType string) bool { return slices.Contains(signal.ControlEventTypes(), eventType) }

func isSignalType(eventType string) bool { return slices.Contains(signal.EventTypes(), eventType) }
