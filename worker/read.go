package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// turn reads the next page of a slice and returns the parts that the slice was divided into, if it was. The next page is
// asked for only when this one's signals and then its checkpoint are durable, so a run that dies publishes at most one
// page of each slice twice, under the same message ids.
func (r *run) turn(ctx context.Context, l *list, s *slice) (added []*slice, err error) {
	r.mu.Lock()
	at := s.Slice
	r.mu.Unlock()
	v, err := r.visit(ctx, l, at)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	s.page(v.objects, v.last, v.newest, v.oldest, v.more)
	l.signals += int64(v.signals)
	l.attempts += v.attempts
	add(l.found, v.found)
	added = r.grow(l, s)
	l.version++
	version := l.version
	r.mu.Unlock()
	if err := r.checkpoint(ctx, l, version); err != nil {
		return nil, err
	}
	took := r.w.clock.Since(v.asked)
	r.w.metrics.pages.WithLabelValues(l.section.name).Observe(took.Seconds())
	r.mu.Lock()
	if l.roundTrip == 0 {
		l.roundTrip = took
	}
	l.roundTrip += (took - l.roundTrip) / 8
	r.mu.Unlock()
	return added, nil
}

// visit is what one page has shown. Its signals are durable.
type visit struct {
	asked          time.Time
	objects        int
	last           string
	newest, oldest int64
	more           bool
	signals        int
	attempts       int64
	found          map[signal.Kind]bus.Provenances
}

// visit asks for a page, and publishes what it says. Only so many pages are in memory at a time.
func (r *run) visit(ctx context.Context, l *list, at bus.Slice) (v visit, err error) {
	room := &seat{turns: r.w.pages, key: r.budget.key}
	defer room.leave()
	page, err := r.page(ctx, l, at, room, func() {
		v.asked = r.w.clock.Now()
		r.mu.Lock()
		l.requests++
		r.mu.Unlock()
	})
	if err != nil {
		return v, err
	}
	v.objects, v.last, v.newest, v.oldest, v.more = len(page.Items), page.LastID, page.FirstCreated, page.LastCreated, page.HasMore
	v.found = map[signal.Kind]bus.Provenances{}
	r.w.metrics.objects.WithLabelValues(l.section.name).Add(float64(v.objects))
	return v, r.publish(ctx, l.section, page.Items, room, &v)
}

// page asks for the page after a slice's checkpoint. When the object that the checkpoint names is gone, Stripe cannot
// continue after it, and what was created in the same second is read again; downstream drops what is published twice.
func (r *run) page(ctx context.Context, l *list, at bus.Slice, room *seat, asking func()) (page stripeapi.Page, err error) {
	params := l.section.params
	params.CreatedGTE, params.CreatedLTE, params.StartingAfter, params.Received = at.From, at.To, at.Cursor, room.take
	request := func(client *stripeapi.AccountClient) (err error) {
		asking()
		if page, err = client.List(ctx, l.section.name, params); err != nil {
			room.leave() // until it is asked for again
		}
		return err
	}
	err = r.ask(ctx, l.section.name, request)
	if code := stripeCodeOf(err); code == "resource_missing" && at.Cursor != "" {
		r.log.Info("checkpoint is gone, its second is read again", "resource", l.section.name)
		params.StartingAfter = ""
		if at.At > 0 {
			params.CreatedLTE = at.At
		}
		err = r.ask(ctx, l.section.name, request)
	}
	return page, err
}

// publish turns a page into messages, one for each object that says anything, and returns when they are durable. An
// object that cannot be read is left out and counted: one bad object must not keep the rest of an account from its
// scores.
func (r *run) publish(ctx context.Context, s section, items []json.RawMessage, room *seat, v *visit) error {
	var all, messages []bus.Message
	var renewals []signal.Renewal
	for _, raw := range items {
		m, shown, err := r.message(s, raw)
		if err != nil {
			r.w.metrics.skipped.WithLabelValues(s.name).Inc()
			r.log.Warn("object left out", "resource", s.name, "error", err)
			continue
		}
		v.attempts += shown.Attempts
		if shown.Renewal != nil {
			renewals = append(renewals, *shown.Renewal)
		}
		if len(m.Signals) > 0 || m.Failure != "" {
			all = append(all, m)
		}
	}
	if slices.ContainsFunc(all, incomplete) {
		room.leave() // of the page only the messages are left, and looking up may take long
	}
	for _, m := range all {
		found, err := r.complete(ctx, &m)
		if err != nil {
			return err
		}
		if !found {
			// Unlike a live one it is only counted: the past's guest payments are nothing to be driven again.
			r.w.metrics.disputes.WithLabelValues("unattributed").Inc()
			continue
		}
		messages = append(messages, m)
		v.signals += len(m.Signals)
		count(v.found, m.Signals)
		r.w.metrics.count(m.Signals)
	}
	if !r.compares() {
		renewals = nil
	}
	if err := r.w.bus.PublishRenewals(ctx, r.task.UID, renewals); err != nil {
		return fmt.Errorf("publish prices of %s: %w", s.name, err)
	}
	if err := r.w.bus.PublishBackfill(ctx, messages); err != nil {
		return fmt.Errorf("publish %s: %w", s.name, err)
	}
	return nil
}

// message reads one listed item.
func (r *run) message(s section, raw json.RawMessage) (m bus.Message, shown signal.Listed, err error) {
	m = bus.Message{
		Workspace: r.task.Workspace, Connection: r.task.Connection, Account: r.task.Account, Livemode: r.task.Livemode,
		ReceivedAtMs: r.w.clock.Now().UnixMilli(),
	}
	if s.name != "events" {
		shown, err = signal.ReadObject(raw, s.happened)
		m.Signals = shown.Signals
		return m, shown, err
	}
	event, err := signal.DecodeEvent(raw)
	if event == nil {
		return m, shown, err
	}
	m.EventID, m.EventType, m.Created = event.ID, event.Type, event.Created
	if err == nil {
		m.Signals, err = signal.Classify(event)
	}
	if err != nil {
		// As the receiver does: the engine lists it, and it can be driven again after an upgrade.
		r.w.metrics.skipped.WithLabelValues(s.name).Inc()
		r.log.Warn("an event cannot be read and is listed as failed", "event", event.ID, "type", event.Type, "error", err)
		m.Signals, m.Failure = nil, bus.FailureUndecodable
	}
	shown.Renewal = changeTold(m.Signals)
	return m, shown, nil
}
