package signal

import (
	"fmt"
	"strings"
)

// Classify turns an event into signals: none for an event that says nothing about churn, several for a subscription
// update that changes more than one thing. The first signal's id is the event's, further ones are "<event>#2", … The
// error is ErrIncomplete, for an event that does not name its object or its customer.
func Classify(e *Event) ([]Signal, error) {
	signals, err := e.signals()
	if err != nil {
		return nil, fmt.Errorf("classify %s: %w", e.Type, err)
	}
	for i := range signals {
		s := &signals[i]
		s.ID, s.EventID, s.Created, s.Provenance = e.ID, e.ID, e.Created, FromEvent
		if i > 0 {
			s.ID = fmt.Sprintf("%s#%d", e.ID, i+1)
		}
	}
	return signals, nil
}

// Name gives a signal's id as Stripe knows it: each signal of an event by the event's id. Ids of listed objects stay as they
// are.
func Name(id string) string {
	event, _, _ := strings.Cut(id, "#")
	return event
}

func (e *Event) signals() ([]Signal, error) {
	switch e.Type {
	case eventCustomerCreated:
		return e.customer.signals(CustomerCreated)
	case eventCustomerUpdated:
		return e.customer.signals(CustomerUpdated)
	case eventInvoiceFinalized:
		return e.invoice.signals(InvoiceFinalized, e.Created)
	case eventPaymentFailed:
		return e.invoice.signals(PaymentFailed, e.Created)
	case eventPaymentSucceeded:
		return e.invoice.signals(PaymentSucceeded, e.Created)
	case EventSubscriptionUpdated:
		return e.subscription.updated(e.previous, e.Created)
	case eventSubscriptionPaused:
		return e.subscription.signals(SubscriptionPaused, e.Created)
	case eventSubscriptionResumed:
		return e.subscription.signals(SubscriptionResumed, e.Created)
	case eventSubscriptionDeleted:
		return e.subscription.signals(SubscriptionDeleted, e.Created)
	case eventDisputeCreated:
		return e.dispute.signals()
	default:
		return nil, nil
	}
}

func (c *customerObject) signals(kind Kind) ([]Signal, error) {
	if c == nil || c.ID == "" {
		return nil, ErrIncomplete
	}
	person := &Person{Email: c.Email, Name: c.Name, ProfileID: c.Metadata.ProfileID, CustomerCreated: c.Created}
	return []Signal{{Kind: kind, Customer: c.ID, Person: person}}, nil
}

func (i *invoiceObject) signals(kind Kind, at int64) ([]Signal, error) {
	if i == nil || i.ID == "" || i.Customer == "" {
		return nil, ErrIncomplete
	}
	facts := i.facts(at)
	if kind == PaymentSucceeded && facts.PaidAt == 0 {
		facts.PaidAt = at
	}
	return []Signal{{Kind: kind, Customer: string(i.Customer), Invoice: facts}}, nil
}

// facts projects an invoice as it was at an instant. Prices are valued with the discounts in force then.
func (i *invoiceObject) facts(at int64) *Invoice {
	v := i.value(at)
	f := &Invoice{
		ID: i.ID, Subscription: i.subscription(), BillingReason: i.BillingReason, Currency: i.Currency,
		AttemptCount: int(max(i.AttemptCount, 0)), NextAttempt: i.NextPaymentAttempt, AmountDue: i.AmountDue,
		AmountPaid: i.amountPaid(), Created: i.created(), PaidAt: i.Transitions.PaidAt, MRR: v.mrr(i.discounts(), at),
		IntervalMonths: v.months, PeriodEnd: v.periodTo, OutOfBand: i.PaidOutOfBand,
	}
	if f.Currency == "" {
		f.Currency = v.currency
	}
	return f
}

// subscription finds the invoice's subscription where API versions have kept it: on the invoice, under its parent
// (since 2025-03), or on a line.
func (i *invoiceObject) subscription() string {
	if i.Subscription != "" {
		return string(i.Subscription)
	}
	if id := i.Parent.SubscriptionDetails.Subscription; id != "" {
		return string(id)
	}
	for n := range i.Lines.Data {
		line := &i.Lines.Data[n]
		if line.Subscription != "" {
			return string(line.Subscription)
		}
		if item := line.Parent.Item; item != nil && item.Subscription != "" {
			return string(item.Subscription)
		}
	}
	return ""
}

func (i *invoiceObject) created() int64 {
	if i.Created > 0 {
		return i.Created
	}
	return i.Date
}

func (i *invoiceObject) amountPaid() int64 {
	switch {
	case i.AmountPaid != nil:
		return *i.AmountPaid
	case i.Paid:
		return i.AmountDue
	default:
		return 0
	}
}

// signals of a dispute: none for an inquiry, which a bank may still drop and which takes no money. Its customer is
// only known when the charge is expanded.
func (d *disputeObject) signals() ([]Signal, error) {
	if d == nil || d.ID == "" {
		return nil, ErrIncomplete
	}
	if strings.HasPrefix(d.Status, "warning_") {
		return nil, nil
	}
	return []Signal{{
		Kind: DisputeCreated, Customer: d.Charge.Customer,
		Dispute: &Dispute{ID: d.ID, Charge: d.Charge.ID, Status: d.Status},
	}}, nil
}
