package scoring

import (
	"cmp"
	"math"

	"github.com/kustiq/kustiq/engine/signal"
)

const (
	statusActive            = "active"
	statusPastDue           = "past_due"
	statusUnpaid            = "unpaid"
	statusCanceled          = "canceled"
	statusIncomplete        = "incomplete"
	statusIncompleteExpired = "incomplete_expired"

	// settleTime is how long after its start or the end of its trial an active subscription must have paid: Stripe
	// charges a drafted invoice after about an hour.
	settleTime = 2 * 3600
	// never is later than any evaluation.
	never = math.MaxInt64
)

// subscription is what is remembered of one subscription: the latest facts, and what happened to it.
type subscription struct {
	ID       string `json:"id"`
	Status   string `json:"status,omitempty"`
	Currency string `json:"currency,omitempty"`
	Start    int64  `json:"start,omitempty"`
	TrialEnd int64  `json:"trial_end,omitempty"`
	// PeriodEnd is the end of the last period heard of.
	PeriodEnd int64   `json:"period_end,omitempty"`
	MRR       float64 `json:"mrr,omitempty"`
	MRRKnown  bool    `json:"mrr_known,omitempty"`
	Months    float64 `json:"months,omitempty"`
	// Direct says that facts came from the subscription itself; an invoice's then no longer override them.
	Direct bool `json:"direct,omitempty"`
	// FirstID is the first signal of the subscription itself, or of a payment for it.
	FirstID string `json:"first_id,omitempty"`
	// Started is false while all that is known is an unpaid first invoice.
	Started bool `json:"started,omitempty"`

	Paused    bool   `json:"paused,omitempty"`
	PauseID   string `json:"pause_id,omitempty"`
	ResumedAt int64  `json:"resumed_at,omitempty"`
	ResumeID  string `json:"resume_id,omitempty"`

	Ending      bool   `json:"ending,omitempty"`
	EndingID    string `json:"ending_id,omitempty"`
	WithdrawnAt int64  `json:"withdrawn_at,omitempty"`
	WithdrawnID string `json:"withdrawn_id,omitempty"`

	DeletedAt int64  `json:"deleted_at,omitempty"`
	DeletedID string `json:"deleted_id,omitempty"`
	LastPaid  int64  `json:"last_paid,omitempty"`
}

// subscription finds or adds a record. Customers have few, so a search in order is enough.
func (s *State) subscription(id string) *subscription {
	for i := range s.m.Subscriptions {
		if s.m.Subscriptions[i].ID == id {
			return &s.m.Subscriptions[i]
		}
	}
	s.m.Subscriptions = append(s.m.Subscriptions, subscription{ID: id})
	return &s.m.Subscriptions[len(s.m.Subscriptions)-1]
}

func (s *subscription) live() bool { return s.Started && s.DeletedAt == 0 }

// liveAt is whether it was live at an earlier instant, as far as its start and end are known.
func (s *subscription) liveAt(t int64) bool {
	return s.Started && s.Start < t && (s.DeletedAt == 0 || s.DeletedAt > t)
}

func (s *subscription) paid(sig *signal.Signal) {
	s.Started = true
	s.LastPaid = max(s.LastPaid, sig.Created)
	s.FirstID = cmp.Or(s.FirstID, sig.ID)
}

// learnInvoice takes from an invoice what the subscription itself has not told.
func (s *subscription) learnInvoice(facts *signal.Invoice) {
	create := facts.BillingReason == reasonCreate
	if !create || facts.PaidAt > 0 {
		s.Started = true
	}
	if s.Direct {
		return
	}
	if create {
		s.Start = earliest(s.Start, facts.Created)
	}
	s.price(facts.MRR, facts.Currency, facts.IntervalMonths)
	if facts.PeriodEnd > 0 {
		s.PeriodEnd = facts.PeriodEnd
	}
}

func (s *subscription) price(mrr *float64, currency string, months float64) {
	if mrr != nil && !math.IsNaN(*mrr) && !math.IsInf(*mrr, 0) {
		s.MRR, s.MRRKnown = *mrr, true
	}
	if currency != "" {
		s.Currency = currency
	}
	if months > 0 && !math.IsInf(months, 0) {
		s.Months = months
	}
}

// learn takes over a subscription's own facts. What a signal does not tell stays as it was.
func (s *subscription) learn(facts *signal.Subscription) {
	s.Direct = true
	switch facts.Status {
	case "":
		s.Started = true
	case statusIncomplete, statusIncompleteExpired:
		s.Status = facts.Status
	default:
		s.Status, s.Started = facts.Status, true
	}
	if facts.Start > 0 {
		s.Start = facts.Start
	}
	if facts.TrialEnd > 0 {
		s.TrialEnd = facts.TrialEnd
	}
	if facts.CurrentPeriodEnd > 0 {
		s.PeriodEnd = facts.CurrentPeriodEnd
	}
	s.price(facts.MRR, facts.Currency, facts.IntervalMonths)
}

// change applies a subscription signal. A deleted subscription stays deleted.
func (s *State) change(sig *signal.Signal) {
	facts := sig.Subscription
	sub := s.subscription(facts.ID)
	if sub.DeletedAt != 0 {
		return
	}
	sub.FirstID = cmp.Or(sub.FirstID, sig.ID)
	known, before := sub.MRRKnown, sub.MRR
	sub.learn(facts)
	switch sig.Kind {
	case signal.SubscriptionUpgraded, signal.SubscriptionDowngraded:
		// A change inferred from an invoice is late news when the subscription already told it.
		if sig.Provenance == signal.FromInference && known && facts.MRR != nil && before == *facts.MRR {
			return
		}
		s.m.Price.add(sig)
	case signal.SubscriptionPaused:
		sub.pause(sig)
	case signal.SubscriptionResumed:
		sub.resume(sig)
	case signal.CancelScheduled:
		sub.end(sig)
	case signal.CancelWithdrawn:
		sub.stay(sig)
	case signal.SubscriptionDeleted:
		sub.delete(sig.Created, sig)
	case signal.SubscriptionObserved:
		sub.observe(sig)
	}
}

// observe takes over the state as it is, which also stands in for changes whose own event was missed.
func (s *subscription) observe(sig *signal.Signal) {
	facts := sig.Subscription
	if facts.Status == statusCanceled {
		at := sig.Created
		if facts.EndedAt > 0 {
			at = facts.EndedAt
		}
		s.delete(at, sig)
		return
	}
	switch {
	case facts.Paused:
		s.pause(sig)
	case s.Paused:
		s.resume(sig)
	}
	switch {
	case facts.CancelAtPeriodEnd && !s.Ending:
		s.end(sig)
	case !facts.CancelAtPeriodEnd && s.Ending:
		s.stay(sig)
	}
}

// pause counts once: Stripe tells a pause by its own event and again by an update.
func (s *subscription) pause(sig *signal.Signal) {
	if !s.Paused {
		s.Paused, s.PauseID = true, sig.ID
	}
}

// resume needs a pause, as a recovery needs a failure; the second telling of it finds none.
func (s *subscription) resume(sig *signal.Signal) {
	if s.Paused {
		s.Paused, s.ResumedAt, s.ResumeID = false, sig.Created, sig.ID
	}
}

func (s *subscription) end(sig *signal.Signal) { s.Ending, s.EndingID = true, sig.ID }

func (s *subscription) stay(sig *signal.Signal) {
	s.Ending, s.WithdrawnAt, s.WithdrawnID = false, sig.Created, sig.ID
}

func (s *subscription) delete(at int64, sig *signal.Signal) {
	s.Status, s.Started, s.DeletedAt, s.DeletedID = statusCanceled, true, at, sig.ID
}

// assumedPaidFrom is the instant from which the subscription's state alone shows that it has been paid for; never, when
// it does not. A backfill of 30 days sees no invoice of a yearly plan, and an active one has paid all the same.
func (s *subscription) assumedPaidFrom() int64 {
	if !s.Direct || !s.Started {
		return never
	}
	from := max(s.Start, s.TrialEnd)
	switch s.Status {
	case "", statusActive:
	case statusPastDue, statusUnpaid:
		// Without a trial the first payment made it active; after one, the payment that is due may be the first.
		if s.TrialEnd > s.Start {
			from += int64(s.months() * monthSeconds)
		}
	case statusCanceled:
		if s.DeletedAt < from+settleTime {
			return never
		}
	default: // trialing, or paused at the end of a trial
		return never
	}
	if from == 0 {
		return 0
	}
	return from + settleTime
}

func (s *subscription) months() float64 {
	if s.Months <= 0 {
		return 1
	}
	return s.Months
}
