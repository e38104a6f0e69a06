package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/retry"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// dispute completes the signals of a dispute with the customer of its charge and publishes them. Stripe's dispute
// itself names no customer. One whose customer cannot be found is published all the same, with why: the engine lists
// such an event as failed, with its Stripe id, and it can be driven again.
func (w *Worker) dispute(ctx context.Context, d bus.TaskDelivery, m bus.Message) settlement {
	log := w.log.With("workspace", m.Workspace, "connection", m.Connection, "event", m.EventID)
	found, err := w.attribute(ctx, &m)
	outcome := "attributed"
	switch {
	case ctx.Err() != nil:
		return interrupted()
	case errors.Is(err, tokenstore.ErrNotFound):
		m.Signals, m.Failure = nil, bus.FailureDisconnected
		outcome = "gave_up"
	case err != nil:
		s, final := tryAgain(log, "look up a dispute's customer", d.Attempt, w.age(m.ReceivedAtMs), err)
		if !final {
			return s
		}
		m.Signals, m.Failure = nil, bus.FailureUnreachable
		outcome = "gave_up"
	case !found:
		// A payment without a customer object, or a charge that is gone: nobody's score can show it.
		log.Info("dispute of a charge without a customer")
		outcome = "unattributed"
	}
	if _, err := w.bus.PublishLive(ctx, m); err != nil {
		log.Warn("publish a dispute", "error", err)
		return settlement{outcome: "failed", again: time.Minute}
	}
	w.metrics.disputes.WithLabelValues(outcome).Inc()
	return settlement{outcome: outcome}
}

// age is how long ago something was received, or asked for.
func (w *Worker) age(sinceMs int64) time.Duration { return w.clock.Since(time.UnixMilli(sinceMs)) }

// tryAgain is the settlement of a failed try of a look-up of an age; final says that there is no further one.
func tryAgain(log *slog.Logger, what string, attempt int, age time.Duration, err error) (s settlement, final bool) {
	var wait *later
	if errors.As(err, &wait) && wait.after > 0 && (age < deferredMost || attempt <= retry.Tries) {
		return settlement{outcome: "deferred", again: wait.after}, false
	}
	after, ok := nextRetry(attempt, age)
	if !ok {
		log.Error("gave up: "+what, "attempts", attempt, "error", err)
		return settlement{}, true
	}
	log.Warn(what, "attempt", attempt, "again", after, "error", err)
	return settlement{outcome: "failed", again: after}, false
}

// chargeKey is a charge of a connection's account. Whose it is never changes, so that the dispute's next event, its redelivery and
// a Backfill need not ask again.
type chargeKey struct{ connection, charge string }

// attribute looks up the charge of each dispute in the message.
func (w *Worker) attribute(ctx context.Context, m *bus.Message) (found bool, err error) {
	c, err := w.newCaller(ctx, m.Connection, m.Account, m.Livemode)
	if err != nil {
		return false, err
	}
	c.lookUp = true
	return c.complete(ctx, m)
}

// incomplete says whether a message has a dispute of nobody.
func incomplete(m bus.Message) bool {
	return slices.ContainsFunc(m.Signals, func(s signal.Signal) bool { return s.Customer == "" && s.Dispute != nil })
}

// complete fills in the customers of a message's disputes; found is false when a charge has none, or is gone.
func (c *caller) complete(ctx context.Context, m *bus.Message) (found bool, err error) {
	for i := range m.Signals {
		s := &m.Signals[i]
		if s.Customer != "" || s.Dispute == nil {
			continue
		}
		charge := chargeKey{c.connection, s.Dispute.Charge}
		if known, ok := c.w.charges.Get(charge); ok {
			s.Customer = known.(string)
			continue
		}
		err := c.ask(ctx, pathCharge, func(client *stripeapi.AccountClient) (err error) {
			s.Customer, err = client.Charge(ctx, s.Dispute.Charge)
			return err
		})
		if err != nil && !errors.Is(err, stripeapi.ErrNotFound) {
			return false, err
		}
		if s.Customer == "" {
			return false, nil
		}
		c.w.charges.Add(charge, s.Customer)
	}
	return true, nil
}
