package worker

import (
	"context"
	"errors"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// dispute completes the signals of a dispute with the customer of its charge and publishes them. Stripe's dispute
// itself names no customer.
func (w *Worker) dispute(ctx context.Context, d bus.TaskDelivery, m bus.Message) settlement {
	log := w.log.With("workspace", m.Workspace, "connection", m.Connection, "event", m.EventID)
	missing, err := w.attribute(ctx, d, &m)
	switch {
	case ctx.Err() != nil:
		return interrupted()
	case err != nil:
		var wait *later
		if errors.As(err, &wait) {
			return settlement{outcome: "deferred", again: wait.after}
		}
		after, ok := nextRetry(d.Attempt)
		if !ok {
			w.metrics.disputes.WithLabelValues("gave_up").Inc()
			log.Error("gave up on a dispute's customer", "attempts", d.Attempt, "error", err)
			return settlement{outcome: "gave_up"}
		}
		log.Warn("look up a dispute's customer", "attempt", d.Attempt, "again", after, "error", err)
		return settlement{outcome: "failed", again: after}
	case missing:
		// A payment without a customer object: nobody's score can show it.
		w.metrics.disputes.WithLabelValues("unattributed").Inc()
		log.Info("dispute of a charge without a customer")
		return settlement{outcome: "unattributed"}
	}
	w.metrics.disputes.WithLabelValues("attributed").Inc()
	return settlement{outcome: "done"}
}

// attribute looks up each dispute's charge and publishes the message; missing says that there is no customer at all.
func (w *Worker) attribute(ctx context.Context, d bus.TaskDelivery, m *bus.Message) (missing bool, err error) {
	c, err := w.newCaller(ctx, m.Connection, m.Account, m.Livemode, d.InProgress)
	if err != nil {
		return false, err
	}
	if missing, err = c.complete(ctx, m); missing || err != nil {
		return missing, err
	}
	_, err = w.bus.PublishLive(ctx, *m)
	return false, err
}

// complete fills in the customers of a message's disputes; missing says that a charge has none, or is gone.
func (c *caller) complete(ctx context.Context, m *bus.Message) (missing bool, err error) {
	for i := range m.Signals {
		s := &m.Signals[i]
		if s.Customer != "" || s.Dispute == nil {
			continue
		}
		err := c.ask(ctx, func(client *stripeapi.AccountClient) (err error) {
			s.Customer, err = client.Charge(ctx, s.Dispute.Charge)
			return err
		})
		if errors.Is(err, stripeapi.ErrNotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if s.Customer == "" {
			return true, nil
		}
	}
	return false, nil
}
