package signal

import (
	"fmt"
	"strconv"
)

// ObjectOptions bounds which happenings FromObject reports, in unix seconds; 0 leaves a side open. Current state is
// reported whatever the window. Until is also the instant that the current state is taken to be of.
type ObjectOptions struct{ From, Until int64 }

func (o ObjectOptions) within(at int64) bool {
	return at > 0 && at >= o.From && (o.Until == 0 || at <= o.Until)
}

// asOf dates a current state: when it was listed, or at the latest instant the object itself tells.
func (o ObjectOptions) asOf(known int64) int64 { return max(o.Until, known) }

// Listed is what one listed object tells.
type Listed struct {
	Signals []Signal
	// Renewal is what the object shows of a subscription's price; nil for other objects.
	Renewal *Renewal
	// Attempts is how many failed payments an invoice tells of, within the window, whose times only charges know.
	Attempts int64
}

// FromObject is what ReadObject finds of signals.
func FromObject(raw []byte, opts ObjectOptions) ([]Signal, error) {
	listed, err := ReadObject(raw, opts)
	return listed.Signals, err
}

// ReadObject turns one listed object, told by its "object" field, into signals. Their ids derive from the object, so
// that listing it again gives the same ones:
//
//   - customer: created.
//   - subscription: observed, dated Until (a listed state is that of the listing: it must win over older events), or its
//     start without one; paused, while it is; deleted at its end.
//   - invoice: finalized and paid when its status transitions say so; for an open one that was attempted, a failed
//     payment with the attempt count and an inferred time.
//   - charge: a failed one of an invoice is a failed payment without attempt count.
//   - dispute: created, with the customer where its charge is expanded; nothing for an inquiry.
//
// The error is ErrNotJSON, ErrShape, ErrIncomplete or ErrUnsupported.
func ReadObject(raw []byte, opts ObjectOptions) (Listed, error) {
	kind, deleted := "", false
	err := decode(raw, func(s *scanner) {
		s.object(func(key []byte) {
			switch string(key) {
			case "object":
				s.word(&kind)
			case "deleted":
				s.flag(&deleted)
			default:
				s.skip()
			}
		})
	})
	if err != nil {
		return Listed{}, fmt.Errorf("decode object: %w", err)
	}
	if deleted {
		return Listed{}, nil
	}
	listed, err := fromKind(kind, raw, opts)
	if err != nil {
		return Listed{}, fmt.Errorf("signals of listed object: %w", err)
	}
	return listed, nil
}

// listedObject is an object that a list may hold.
type listedObject interface {
	read(*scanner)
	listed(ObjectOptions) ([]Signal, error)
}

func fromKind(kind string, raw []byte, opts ObjectOptions) (l Listed, err error) {
	var object listedObject
	switch kind {
	case "customer":
		object = new(customerObject)
	case "subscription":
		object = new(subscriptionObject)
	case "invoice":
		object = new(invoiceObject)
	case "charge":
		object = new(chargeObject)
	case "dispute":
		object = new(disputeObject)
	default:
		return Listed{}, ErrUnsupported
	}
	if err := decode(raw, object.read); err != nil {
		return Listed{}, err
	}
	if l.Signals, err = object.listed(opts); err != nil {
		return Listed{}, err
	}
	switch o := object.(type) {
	case *invoiceObject:
		l.Renewal, l.Attempts = o.renewal(), o.failures(opts)
	case *subscriptionObject:
		l.Renewal = o.renewal(opts.asOf(0))
	}
	return l, nil
}

func dated(signals []Signal, id string, at int64, p Provenance) []Signal {
	for i := range signals {
		signals[i].ID, signals[i].Created, signals[i].Provenance = id, at, p
	}
	return signals
}

func (c *customerObject) listed(ObjectOptions) ([]Signal, error) {
	signals, err := c.signals(CustomerCreated)
	if err == nil && c.Created <= 0 {
		err = ErrIncomplete
	}
	if err != nil {
		return nil, err
	}
	return dated(signals, c.ID+":created", c.Created, FromListed), nil
}

func (s *subscriptionObject) listed(opts ObjectOptions) ([]Signal, error) {
	observed, err := s.signals(SubscriptionObserved, opts.Until)
	if err != nil {
		return nil, err
	}
	facts := observed[0].Subscription
	at := opts.asOf(facts.Start)
	if at <= 0 {
		return nil, ErrIncomplete
	}
	version := ":" + strconv.FormatInt(at, 10)
	signals := dated(observed, s.ID+":observed"+version, at, FromListed)
	if s.paused() && s.EndedAt == 0 {
		paused, _ := s.signals(SubscriptionPaused, opts.Until)
		signals = append(signals, dated(paused, s.ID+":paused"+version, at, FromListed)...)
	}
	if opts.within(s.EndedAt) {
		deleted, _ := s.signals(SubscriptionDeleted, opts.Until)
		signals = append(signals, dated(deleted, s.ID+":deleted", s.EndedAt, FromListed)...)
	}
	return signals, nil
}

func (d *disputeObject) listed(opts ObjectOptions) ([]Signal, error) {
	signals, err := d.signals()
	if err != nil || !opts.within(d.Created) {
		return nil, err
	}
	return dated(signals, d.ID+":created", d.Created, FromListed), nil
}

// listed gives a failed charge of an invoice. A charge does not know which attempt it was: the count stays 0, and the
// fold merges it with the attempts that events have counted.
func (c *chargeObject) listed(opts ObjectOptions) ([]Signal, error) {
	if c.ID == "" {
		return nil, ErrIncomplete
	}
	if c.Status != "failed" || c.Invoice.ID == "" || c.Customer == "" || !opts.within(c.Created) {
		return nil, nil
	}
	facts := &Invoice{ID: c.Invoice.ID, Currency: c.Currency, AmountDue: c.Amount}
	if whole := c.Invoice.Whole; whole != nil {
		facts = whole.facts(c.Created)
		facts.AttemptCount, facts.NextAttempt, facts.AmountPaid, facts.PaidAt = 0, nil, 0, 0
	}
	signals := []Signal{{Kind: PaymentFailed, Customer: string(c.Customer), Invoice: facts}}
	return dated(signals, c.ID+":failed", c.Created, FromListed), nil
}
