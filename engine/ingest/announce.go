package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/kustiq/kustiq/engine/notify"
	"github.com/kustiq/kustiq/engine/store"
)

// announced counts the churn events of a transaction by type.
type announced map[string]int

// announce puts what is news about evaluated customers into the outbox. It comes before they are saved, as what was told
// is a part of them.
func (e *Engine) announce(ctx context.Context, tx *store.Tx, all []*change, now time.Time) (announced, error) {
	counts := announced{}
	var deliveries []store.Delivery
	for _, c := range all {
		found, err := e.news(c, now)
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

// news is what a customer's receivers have to be told. Where there are none, what they knew is forgotten: who is named
// later is told of what happens from then on.
func (e *Engine) news(c *change, now time.Time) ([]store.Delivery, error) {
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
	if err != nil {
		return nil, err
	}
	r.Told = told
	var deliveries []store.Delivery
	for _, event := range events {
		for _, to := range wanted.Receivers {
			if len(to.EventTypes) > 0 && !slices.Contains(to.EventTypes, event.Type) {
				continue
			}
			deliveries = append(deliveries, store.Delivery{Scope: r.Scope, Account: r.Account, Customer: r.Customer,
				Endpoint: to.ID, Host: to.Host, MessageID: event.ID, EventType: event.Type, Body: event.Body})
		}
	}
	return deliveries, nil
}

// sent tells the metrics of a committed transaction's events, and wakes who delivers them.
func (e *Engine) sent(counts announced) {
	for eventType, n := range counts {
		e.deliverer.Announced(eventType, n)
	}
}
