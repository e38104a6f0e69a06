package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// read reads a section from its checkpoint to its end. A page counts only when its signals are durable, so a run that
// dies publishes at most one page twice, under the same message ids.
func (r *run) read(ctx context.Context, s section) error {
	for !r.progress.Resources[s.name].Done {
		page, err := r.page(ctx, s)
		if err != nil {
			return err
		}
		messages, signals, err := r.messages(ctx, s, page.Items)
		if err != nil {
			return err
		}
		if err := r.w.bus.PublishBackfill(ctx, messages); err != nil {
			return fmt.Errorf("publish %s: %w", s.name, err)
		}
		if err := r.checkpoint(ctx, s, page, signals); err != nil {
			return err
		}
	}
	return nil
}

// page asks for the page after the checkpoint. When the object that the checkpoint names is gone, Stripe cannot
// continue after it and the section starts over; what is published twice is dropped downstream.
func (r *run) page(ctx context.Context, s section) (page stripeapi.Page, err error) {
	params := s.params
	params.StartingAfter = r.progress.Resources[s.name].Cursor
	list := func(client *stripeapi.AccountClient) (err error) {
		page, err = client.List(ctx, s.name, params)
		return err
	}
	err = r.ask(ctx, list)
	var refused *stripeapi.Error
	if errors.As(err, &refused) && refused.StripeCode == "resource_missing" && params.StartingAfter != "" {
		r.log.Info("checkpoint is gone, list starts over", "resource", s.name)
		params.StartingAfter = ""
		err = r.ask(ctx, list)
	}
	return page, err
}

func (r *run) checkpoint(ctx context.Context, s section, page stripeapi.Page, signals int) error {
	at := r.progress.Resources[s.name]
	at.Objects += int64(len(page.Items))
	at.Done = !page.HasMore
	if page.LastID != "" {
		at.Cursor = page.LastID
	}
	r.progress.Resources[s.name] = at
	r.progress.Phase = bus.PhaseRunning
	r.progress.Objects += int64(len(page.Items))
	r.progress.Signals += int64(signals)
	r.progress.Code, r.progress.Message = "", ""
	r.count()
	current := 0.0
	if !at.Done {
		current = covered(s, page.LastCreated, at.Objects)
	}
	r.progress.Percent = percent(r.sections, r.progress, current)
	return r.save(ctx)
}

// messages turns a page into messages, one for each object that says anything. An object that cannot be read is left
// out and counted: one bad object must not keep the rest of an account from its scores.
func (r *run) messages(ctx context.Context, s section, items []json.RawMessage) (all []bus.Message, signals int, err error) {
	for _, raw := range items {
		m, err := r.message(s, raw)
		if err != nil {
			r.w.metrics.skipped.WithLabelValues(s.name).Inc()
			r.log.Warn("object left out", "resource", s.name, "error", err)
			continue
		}
		found, err := r.complete(ctx, &m)
		if err != nil {
			return nil, 0, err
		}
		if !found {
			// Unlike a live one it is only counted: the past's guest payments are nothing to be driven again.
			r.w.metrics.disputes.WithLabelValues("unattributed").Inc()
			continue
		}
		if len(m.Signals) > 0 {
			all = append(all, m)
			signals += len(m.Signals)
		}
	}
	return all, signals, nil
}

// message reads one listed item.
func (r *run) message(s section, raw json.RawMessage) (bus.Message, error) {
	m := bus.Message{
		Workspace: r.task.Workspace, Connection: r.task.Connection, Account: r.task.Account, Livemode: r.task.Livemode,
		ReceivedAtMs: r.w.clock.Now().UnixMilli(),
	}
	var err error
	if s.name != "events" {
		m.Signals, err = signal.FromObject(raw, s.happened)
		return m, err
	}
	event, err := signal.DecodeEvent(raw)
	if err != nil {
		return m, err
	}
	m.EventID, m.EventType, m.Created = event.ID, event.Type, event.Created
	m.Signals, err = signal.Classify(event)
	return m, err
}
