package signal

import "cmp"

const (
	statusPaused   = "paused"
	statusCanceled = "canceled"
)

func (s *subscriptionObject) signals(kind Kind, at int64) ([]Signal, error) {
	if s == nil || s.ID == "" || s.Customer == "" {
		return nil, ErrIncomplete
	}
	return []Signal{{Kind: kind, Customer: string(s.Customer), Subscription: s.facts(at)}}, nil
}

// facts projects a subscription as it was at an instant.
func (s *subscriptionObject) facts(at int64) *Subscription {
	v := s.value(at)
	return &Subscription{
		ID: s.ID, Status: s.Status, Currency: v.currency, Start: cmp.Or(s.StartDate, s.Created, s.Start),
		MRR: v.mrr(s.discounts(), at), IntervalMonths: v.months, CurrentPeriodEnd: s.periodEnd(at),
		CancelAtPeriodEnd: endScheduled(s.CancelAtPeriodEnd, s.CancelAt, s.periodEnd(at), v.months),
		Paused:            s.paused(), EndedAt: s.EndedAt, TrialEnd: s.TrialEnd,
	}
}

// periodEnd is the subscription's own, or since 2025-03 that of its most valuable item.
func (s *subscriptionObject) periodEnd(at int64) int64 {
	if s.CurrentPeriodEnd > 0 {
		return s.CurrentPeriodEnd
	}
	v := s.value(at)
	return v.periodTo
}

func (s *subscriptionObject) paused() bool {
	return bool(s.PauseCollection) || s.Status == statusPaused
}

// endScheduled is whether an end is decided. A cancel_at counts when it falls before the end of the next period: a
// contract of twelve months billed by the month carries one from its first day, and nobody is leaving yet.
func endScheduled(atPeriodEnd bool, cancelAt, periodEnd int64, months float64) bool {
	if atPeriodEnd || cancelAt == 0 {
		return atPeriodEnd
	}
	return periodEnd == 0 || cancelAt <= periodEnd+int64(max(months, 1)*secondsPerMonth)+secondsPerDay
}

// updated compares an update with its previous attributes. Each thing that changed is a signal; an update that
// changed none of them is observed, since it still carries the status, the value and the period's end.
func (s *subscriptionObject) updated(prev *previousAttributes, at int64) ([]Signal, error) {
	observed, err := s.signals(SubscriptionObserved, at)
	if err != nil || prev == nil {
		return observed, err
	}
	facts := observed[0].Subscription
	var changes []Signal
	add := func(kind Kind, sub *Subscription) {
		changes = append(changes, Signal{Kind: kind, Customer: string(s.Customer), Subscription: sub})
	}
	if change, ok := s.priceChange(prev, at); ok {
		priced := *facts
		// Beside a price that is unknown, or none, the direction is certain and the share that was lost or won is not.
		if priced.MRR != nil && !change.fromNothing {
			priced.PreviousMRR, priced.MRR = &change.before, &change.after
		}
		if change.after < change.before {
			add(SubscriptionDowngraded, &priced)
		} else {
			add(SubscriptionUpgraded, &priced)
		}
	}
	switch was := s.wasPaused(prev); {
	case facts.Paused && !was:
		add(SubscriptionPaused, facts)
	case !facts.Paused && was:
		add(SubscriptionResumed, facts)
	}
	switch was := s.wasEnding(prev, facts.IntervalMonths, at); {
	case facts.CancelAtPeriodEnd && !was:
		add(CancelScheduled, facts)
	case !facts.CancelAtPeriodEnd && was && s.Status != statusCanceled:
		add(CancelWithdrawn, facts)
	}
	if len(changes) == 0 {
		return observed, nil
	}
	return changes, nil
}

func (s *subscriptionObject) wasPaused(prev *previousAttributes) bool {
	return bool(prev.PauseCollection.or(s.PauseCollection)) || prev.Status.or(s.Status) == statusPaused
}

func (s *subscriptionObject) wasEnding(prev *previousAttributes, months float64, at int64) bool {
	return endScheduled(prev.CancelAtPeriodEnd.or(s.CancelAtPeriodEnd), prev.CancelAt.or(s.CancelAt),
		prev.CurrentPeriodEnd.or(s.periodEnd(at)), months)
}
