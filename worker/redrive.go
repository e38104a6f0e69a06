package worker

import (
	"context"
	"errors"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// redrive fetches an event from Stripe, where it still is, and publishes its signals as if it had just come. When that
// cannot be, it publishes why, so that the event stays listed as failed with that reason.
func (w *Worker) redrive(ctx context.Context, d bus.TaskDelivery, t bus.RedriveTask) settlement {
	log := w.log.With("workspace", t.Workspace, "connection", t.Connection, "event", t.EventID)
	m := bus.Message{
		Workspace: t.Workspace, Connection: t.Connection, Account: t.Account, Livemode: t.Livemode, EventID: t.EventID,
		// The instant of the request: after an erasure in between, nothing of it may come back.
		EventType: t.EventType, ReceivedAtMs: t.RequestedAtMs, Redrive: t.RequestedAtMs,
	}
	err := w.fetch(ctx, &m)
	switch {
	case ctx.Err() != nil:
		return interrupted()
	case err == nil:
	case errors.Is(err, tokenstore.ErrNotFound):
		m.Failure = bus.FailureDisconnected
	case errors.Is(err, stripeapi.ErrNotFound):
		m.Failure = bus.FailureGone
	case errors.Is(err, errUnreadable):
		m.Failure = bus.FailureUndecodable
	default:
		s, final := tryAgain(log, "fetch an event once more", d.Attempt, w.age(t.RequestedAtMs), err)
		if !final {
			return s
		}
		m.Failure = bus.FailureUnreachable
	}
	if _, err := w.bus.PublishLive(ctx, m); err != nil {
		log.Warn("publish an event once more", "error", err)
		return settlement{outcome: "failed", again: time.Minute}
	}
	if m.Failure != "" {
		return settlement{outcome: string(m.Failure)}
	}
	return settlement{outcome: "redriven"}
}

// errUnreadable says that the event is not as Stripe documents it. What it wraps does not quote the event.
var errUnreadable = errors.New("the event cannot be read")

// fetch fills a message with the signals of its event.
func (w *Worker) fetch(ctx context.Context, m *bus.Message) error {
	c, err := w.newCaller(ctx, m.Connection, m.Account, m.Livemode)
	if err != nil {
		return err
	}
	c.lookUp = true
	var body []byte
	err = c.ask(ctx, pathEvent, func(client *stripeapi.AccountClient) (err error) {
		body, err = client.Event(ctx, m.EventID)
		return err
	})
	if err != nil {
		return err
	}
	event, err := signal.DecodeEvent(body)
	if err == nil && (event.ID != m.EventID || event.Livemode != m.Livemode) {
		err = errors.New("it is another event than the one asked for")
	}
	if err == nil {
		m.EventType, m.Created = event.Type, event.Created
		m.Signals, err = signal.Classify(event)
	}
	if err != nil {
		return errors.Join(errUnreadable, err)
	}
	_, err = c.complete(ctx, m)
	return err
}
