package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/tracing"
)

const (
	// outageRetry is when messages come again that met a store out of service.
	outageRetry = 30 * time.Second
	// outagePause keeps the consumer from handing the whole stream to a store out of service.
	outagePause = 10 * time.Second
)

// item is one message and how to settle it.
type item struct {
	bus.Message
	attempt  int
	live     bool
	delivery delivery
	// span is open until the message is settled; nil when nobody follows it.
	span *tracing.Span
}

// delivery settles one message at the bus. An error means that the message comes again, which the ledger makes harmless.
type delivery interface {
	Ack() error
	Retry(after time.Duration) error
	Drop() error
}

func items(deliveries []bus.Delivery) []item {
	out := make([]item, len(deliveries))
	for i, d := range deliveries {
		out[i] = item{Message: d.Message, attempt: d.Attempt, live: d.Live, delivery: d}
	}
	return out
}

// scope of the message.
func (i item) scope() store.Scope {
	return store.Scope{Workspace: i.Workspace, Livemode: i.Livemode}
}

// account that the message is of.
func (i item) account() store.AccountRef {
	return store.AccountRef{Scope: i.scope(), Account: i.Account}
}

// id names the message in the failed list: its event, or the first signal read from a listed object.
func (i item) id() string {
	if i.EventID == "" && len(i.Signals) > 0 {
		return i.Signals[0].ID
	}
	return i.EventID
}

// handle processes and settles one batch.
func (e *Engine) handle(ctx context.Context, batch []item) {
	started := e.clock.Now()
	e.follow(batch, started)
	e.process(ctx, batch)
	e.metrics.batches.Observe(e.clock.Since(started).Seconds())
}

// follow begins a span for each message whose receiver began one.
func (e *Engine) follow(batch []item, started time.Time) {
	if e.tracer == nil {
		return
	}
	for n := range batch {
		span := e.tracer.Resume(batch[n].Trace, "score", started)
		span.Text("stripe.event.id", batch[n].EventID)
		span.Number("kustiq.batch", len(batch))
		span.Number("kustiq.attempt", batch[n].attempt)
		batch[n].span = span
	}
}

// process halves a batch that fails until the messages at fault stand alone, so that they hold up nobody else.
func (e *Engine) process(ctx context.Context, batch []item) {
	result, err := e.try(ctx, batch)
	switch {
	case err == nil:
		e.accept(batch, result)
	case ctx.Err() != nil:
		e.giveBack(batch, 0)
	case e.store.Unavailable(err):
		e.logger.Warn("the store is out of service; the messages stay on the bus", "messages", len(batch), "error", err)
		e.giveBack(batch, outageRetry)
		e.pause(ctx, outagePause)
	case len(batch) > 1:
		e.process(ctx, batch[:len(batch)/2])
		e.process(ctx, batch[len(batch)/2:])
	default:
		e.failed(ctx, batch[0], err)
	}
}

// try runs one transaction. It is not cut short by a shutdown: finishing takes less than coming back to it.
func (e *Engine) try(ctx context.Context, batch []item) (result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTime)
	defer cancel()
	var r result
	err := e.store.Update(ctx, func(tx *store.Tx) (err error) {
		r, err = e.apply(ctx, tx, batch)
		return err
	})
	return r, err
}

// accept acknowledges a batch whose transaction is committed.
func (e *Engine) accept(batch []item, r result) {
	now := e.clock.Now()
	for _, i := range batch {
		e.settle(i, "acknowledge", i.delivery.Ack())
		i.span.End()
	}
	for o, signals := range r.signals {
		e.metrics.count(o, signals)
	}
	for _, receivedAtMs := range r.received {
		e.metrics.freshness.Observe(float64(max(0, now.UnixMilli()-receivedAtMs)) / 1000)
	}
	e.matcher.changed(r.matched)
	e.sent(r.announced)
	select {
	case e.wake <- struct{}{}:
	default: // the scheduler will look anyway
	}
}

// failed puts a message back for its next try, or lists its event as failed after the last one.
func (e *Engine) failed(ctx context.Context, i item, cause error) {
	now := e.clock.Now()
	log := e.logger.With("workspace", i.Workspace, "event", i.id(), "type", i.EventType, "attempt", i.attempt, "error", cause)
	if after, again := nextRetry(i.attempt, now.Sub(time.UnixMilli(i.ReceivedAtMs))); again {
		log.Warn("a message failed and is tried again", "after", after)
		e.metrics.count(retried, len(i.Signals))
		e.giveBack([]item{i}, after)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTime)
	defer cancel()
	err := e.store.Update(ctx, func(tx *store.Tx) error {
		return tx.RecordFailed(ctx, i.Workspace, []store.FailedEvent{failedEvent(i, store.FailureProcessing, now)})
	})
	if err != nil {
		log.Error("a failed message cannot be listed and stays on the bus", "listing", err)
		e.giveBack([]item{i}, outageRetry)
		return
	}
	log.Error("a message failed for the last time and is listed as failed")
	e.metrics.count(gaveUp, len(i.Signals))
	e.settle(i, "drop", i.delivery.Drop())
	i.span.Fail("listed as failed")
	i.span.End()
}

func failedEvent(i item, reason string, now time.Time) store.FailedEvent {
	return store.FailedEvent{EventID: i.id(), EventType: i.EventType, Connection: i.Connection, Account: i.Account,
		Livemode: i.Livemode, Reason: reason, Attempts: i.attempt, Created: time.Unix(i.Created, 0), FailedAt: now}
}

func (e *Engine) giveBack(batch []item, after time.Duration) {
	for _, i := range batch {
		e.settle(i, fmt.Sprintf("put back for %s", after), i.delivery.Retry(after))
		i.span.Fail("put back")
		i.span.End()
	}
}

// settle notes an error of the bus. Nothing is lost by it: an unsettled message comes again.
func (e *Engine) settle(i item, what string, err error) {
	if err != nil {
		e.logger.Warn("the bus did not take an answer; the message comes again", "answer", what, "workspace", i.Workspace,
			"event", i.id(), "error", err)
	}
}

// pause waits on the clock.
func (e *Engine) pause(ctx context.Context, d time.Duration) {
	timer := e.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C():
	}
}
