// Package signal owns the facts that Kustiq takes from Stripe: the eleven churn signals, the few state facts that
// none of them carries, and how an event or a listed object becomes one. It is pure: it knows neither the bus, nor
// the store, nor Kubernetes, nor Stripe's client library.
package signal

// Kind names what happened.
type Kind string

// The eleven signals of the product. customer.subscription.updated is both an upgrade and a downgrade.
const (
	CustomerCreated        Kind = "customer.created"
	CustomerUpdated        Kind = "customer.updated"
	InvoiceFinalized       Kind = "invoice.finalized"
	PaymentFailed          Kind = "invoice.payment_failed"
	PaymentSucceeded       Kind = "invoice.payment_succeeded"
	SubscriptionUpgraded   Kind = "subscription.upgraded"
	SubscriptionDowngraded Kind = "subscription.downgraded"
	SubscriptionPaused     Kind = "subscription.paused"
	SubscriptionResumed    Kind = "subscription.resumed"
	SubscriptionDeleted    Kind = "subscription.deleted"
	DisputeCreated         Kind = "dispute.created"
)

// State facts that a score needs and none of the eleven carries.
const (
	// CancelScheduled says that a subscription now ends with its period.
	CancelScheduled Kind = "subscription.cancel_scheduled"
	// CancelWithdrawn says that a scheduled end was taken back.
	CancelWithdrawn Kind = "subscription.cancel_withdrawn"
	// SubscriptionObserved is a subscription's state without a change that counts: from a list, or from an update.
	SubscriptionObserved Kind = "subscription.observed"
)

// Provenance says how sure a signal's facts are.
type Provenance string

const (
	// FromEvent was delivered or listed as a Stripe event.
	FromEvent Provenance = "event"
	// FromListed was read from an object's own fields.
	FromListed Provenance = "object"
	// FromInference was concluded from two or more objects.
	FromInference Provenance = "inferred"
)

// Signal is one fact about one customer. It holds allow-listed fields only and is what the bus and the store carry.
type Signal struct {
	// ID is unique among a workspace's signals: the event id, "<event id>#2" for a second signal of one event, or a
	// name derived from the object, such as "in_1:failed:2".
	ID string `json:"id"`
	// EventID is the Stripe event; empty for a signal read from a listed object.
	EventID string `json:"event_id,omitempty"`
	Kind    Kind   `json:"kind"`
	// Created is when it happened at Stripe, in unix seconds.
	Created    int64      `json:"created"`
	Provenance Provenance `json:"provenance"`
	// Customer is the cus_ id; empty only for a dispute whose charge has not been looked up yet.
	Customer string `json:"customer,omitempty"`

	Invoice      *Invoice      `json:"invoice,omitempty"`
	Subscription *Subscription `json:"subscription,omitempty"`
	Dispute      *Dispute      `json:"dispute,omitempty"`
	Person       *Person       `json:"person,omitempty"`
}

// Invoice holds what a score needs of an invoice. Amounts are in minor currency units, times in unix seconds.
type Invoice struct {
	ID            string `json:"id"`
	Subscription  string `json:"subscription,omitempty"`
	BillingReason string `json:"billing_reason,omitempty"`
	Currency      string `json:"currency,omitempty"`
	AttemptCount  int    `json:"attempt_count,omitempty"`
	// NextAttempt is when Stripe tries again; nil when no further attempt is planned.
	NextAttempt *int64 `json:"next_attempt,omitempty"`
	AmountDue   int64  `json:"amount_due,omitempty"`
	AmountPaid  int64  `json:"amount_paid,omitempty"`
	Created     int64  `json:"created,omitempty"`
	PaidAt      int64  `json:"paid_at,omitempty"`
	// MRR is the recurring value of the invoice's lines in minor units a month; nil when a price is unknown.
	MRR            *float64 `json:"mrr,omitempty"`
	IntervalMonths float64  `json:"interval_months,omitempty"`
	PeriodEnd      int64    `json:"period_end,omitempty"`
	// OutOfBand says that the invoice was marked paid outside Stripe.
	OutOfBand bool `json:"out_of_band,omitempty"`
}

// Subscription holds what a score needs of a subscription. MRR is in minor units a month, times in unix seconds.
type Subscription struct {
	ID     string `json:"id"`
	Status string `json:"status,omitempty"`
	// Currency is the ISO code in lower case.
	Currency         string   `json:"currency,omitempty"`
	Start            int64    `json:"start,omitempty"`
	MRR              *float64 `json:"mrr,omitempty"`
	PreviousMRR      *float64 `json:"previous_mrr,omitempty"`
	IntervalMonths   float64  `json:"interval_months,omitempty"`
	CurrentPeriodEnd int64    `json:"current_period_end,omitempty"`
	// CancelAtPeriodEnd says that an end is scheduled, by cancel_at_period_end or by a near cancel_at.
	CancelAtPeriodEnd bool  `json:"cancel_at_period_end,omitempty"`
	Paused            bool  `json:"paused,omitempty"`
	EndedAt           int64 `json:"ended_at,omitempty"`
	// TrialEnd is when the trial ended or will end; 0 without one. An active subscription has paid only after it.
	TrialEnd int64 `json:"trial_end,omitempty"`
}

// Dispute names a dispute and the charge that leads to its customer.
type Dispute struct {
	ID     string `json:"id"`
	Charge string `json:"charge,omitempty"`
	Status string `json:"status,omitempty"`
}

// Person is what matching needs of a customer. It is sealed before it is stored.
type Person struct {
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	// ProfileID is metadata.kustiq_profile_id.
	ProfileID       string `json:"profile_id,omitempty"`
	CustomerCreated int64  `json:"customer_created,omitempty"`
}
