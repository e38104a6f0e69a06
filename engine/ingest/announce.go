package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/kustiq/kustiq/engine/notify"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// announced counts the churn events of a transaction by type.
type announced map[string]int

// news is what receivers have to be told of a customer.
type news struct {
	record *store.CustomerRecord
	events []notify.Event
}

// announce puts what is news about evaluated customers into the outbox. It comes before they are saved, as what was told
// is a part of them.
func (e *Engine) announce(ctx context.Context, tx *store.Tx, all []*change, now time.Time) (announced, error) {
	var told []news
	var keys []store.CustomerKey
	for _, c := range all {
		events, err := e.news(c, now)
		if err != nil {
			return nil, err
		}
		if len(events) > 0 {
			told, keys = append(told, news{c.record, events}), append(keys, c.record.CustomerKey)
		}
	}
	counts := announced{}
	if len(told) == 0 {
		return counts, nil
	}
	profiles, err := tx.MatchedProfiles(ctx, keys)
	if err != nil {
		return nil, err
	}
	var deliveries []store.Delivery
	for _, n := range told {
		var profile *report.RowProfile
		if m, ok := profiles[n.record.CustomerKey]; ok {
			profile = &report.RowProfile{ID: m.ProfileID, Confidence: m.Confidence, Evidence: string(m.Evidence)}
		}
		found, err := e.deliveries(n, profile)
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			counts[d.EventType]++
		}
		deliveries = append(deliveries, found...)
	}
	return counts, tx.Enqueue(ctx, deliveries)
}

// news returns what a customer's receivers have to be told, and notes what they know from then on. Where there are none, what
// they knew is forgotten: who is named later is told of what happens from then on.
func (e *Engine) news(c *change, now time.Time) ([]notify.Event, error) {
	r := c.record
	wanted := e.settings.of(r.Workspace)
	if len(wanted.Receivers) == 0 {
		r.Told = ""
		return nil, nil
	}
	before, stored := r.Before()
	if c.origin == notify.ByTime && stored && before.ModelVersion != r.Evaluation.ModelVersion {
		c.origin = notify.BySettings // a new model has all customers evaluated again
	}
	events, told, err := notify.Decide(notify.Change{
		Workspace: r.Workspace, Livemode: r.Livemode, Customer: r.Customer, Told: r.Told, Before: before, Stored: stored,
		After: r.Evaluation, TopReason: r.TopReason, Origin: c.origin, Signals: c.signals, Threshold: wanted.AtRiskThreshold, Now: now,
	})
	r.Told = told
	return events, err
}

// deliveries are the news for each receiver that wants them.
func (e *Engine) deliveries(n news, profile *report.RowProfile) (all []store.Delivery, err error) {
	r := n.record
	for _, event := range n.events {
		body, err := event.Body(profile)
		if err != nil {
			return nil, err
		}
		for _, to := range e.settings.of(r.Workspace).Receivers {
			if len(to.EventTypes) > 0 && !slices.Contains(to.EventTypes, event.Type) {
				continue
			}
			all = append(all, store.Delivery{Scope: r.Scope, Account: r.Account, Customer: r.Customer,
				Endpoint: to.ID, Host: to.Host, MessageID: event.ID, EventType: event.Type, Body: body})
		}
	}
	return all, nil
}

// sent tells the metrics of a committed transaction's events, and wakes who delivers them.
func (e *Engine) sent(counts announced) {
	for eventType, n := range counts {
		e.deliverer.Announced(eventType, n)
	}
}
