package signal

import (
	"bytes"
	"errors"
	"fmt"
)

// The event names that carry signals, and those about the account itself.
const (
	eventCustomerCreated  = "customer.created"
	eventCustomerUpdated  = "customer.updated"
	eventInvoiceFinalized = "invoice.finalized"
	eventPaymentFailed    = "invoice.payment_failed"
	eventPaymentSucceeded = "invoice.payment_succeeded"
	// EventSubscriptionUpdated tells, among others, changes of price.
	EventSubscriptionUpdated = "customer.subscription.updated"
	eventSubscriptionPaused  = "customer.subscription.paused"
	eventSubscriptionResumed = "customer.subscription.resumed"
	eventSubscriptionDeleted = "customer.subscription.deleted"
	eventDisputeCreated      = "charge.dispute.created"
	eventAccountDeauthorized = "account.application.deauthorized"
	eventAccountUpdated      = "account.updated"
)

// EventTypes lists the ten Stripe event names that carry the eleven signals, in a stable order.
func EventTypes() []string {
	return []string{
		eventCustomerCreated, eventCustomerUpdated, eventInvoiceFinalized, eventPaymentFailed, eventPaymentSucceeded,
		EventSubscriptionUpdated, eventSubscriptionPaused, eventSubscriptionResumed, eventSubscriptionDeleted,
		eventDisputeCreated,
	}
}

// ControlEventTypes lists the event names about the connected account itself; they carry no signal.
func ControlEventTypes() []string {
	return []string{eventAccountDeauthorized, eventAccountUpdated}
}

// Event is the allow-listed projection of a Stripe event: its envelope, and of its object only the fields that
// Classify reads. It keeps no reference to the body it was decoded from.
type Event struct {
	ID   string
	Type string
	// Account is the connected account; empty for an event of the platform itself.
	Account string
	// Created is in unix seconds.
	Created    int64
	Livemode   bool
	APIVersion string
	// Application is the client id, ca_…, of the platform that an account withdrew its grant from; empty for other events.
	Application string

	customer     *customerObject
	invoice      *invoiceObject
	subscription *subscriptionObject
	previous     *previousAttributes
	dispute      *disputeObject
	charge       *chargeObject
}

// Errors of a decoded body. None of them, nor what wraps them, ever quotes the body.
var (
	// ErrNotJSON says that the body is no JSON value.
	ErrNotJSON = errors.New("not valid JSON")
	// ErrShape says that a field that is read has another type than Stripe documents.
	ErrShape = errors.New("a field has an unexpected type")
	// ErrIncomplete says that a field without which nothing can be told is missing.
	ErrIncomplete = errors.New("a required field is missing")
	// ErrUnsupported says that an object is of no kind that signals are read from.
	ErrUnsupported = errors.New("unsupported object")
)

// DecodeEvent projects the JSON of a Stripe event, of any API version since 2018, onto the allow-list. Of events that
// carry no signal only the envelope is kept. The error is ErrNotJSON, ErrShape or ErrIncomplete; with it comes the
// envelope of an event whose data cannot be read, else nil.
func DecodeEvent(body []byte) (*Event, error) {
	e := &Event{}
	env := envelope{ahead: typeAhead(body)}
	if err := decode(body, func(s *scanner) { env.read(e, s) }); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	if e.ID == "" || e.Type == "" || e.Created <= 0 || (env.kind != "" && env.kind != "event") {
		return nil, fmt.Errorf("decode event: not a Stripe event: %w", ErrIncomplete)
	}
	err := env.shape
	if e.Type != env.ahead {
		*e = e.bare()
		err = e.project(body, env)
	} else if err == nil && env.object.empty() && e.target(e.Type) != nil {
		err = ErrIncomplete
	}
	if err != nil {
		*e = e.bare()
		return e, fmt.Errorf("decode event data: %w", err)
	}
	return e, nil
}

// bare is the envelope alone.
func (e *Event) bare() Event {
	return Event{ID: e.ID, Type: e.Type, Account: e.Account, Created: e.Created, Livemode: e.Livemode, APIVersion: e.APIVersion}
}

// typeAhead is the event's type, read from where Stripe writes it: behind the data, of which it tells what to read. It
// may be wrong, where somebody else writes in another order.
func typeAhead(body []byte) (eventType string) {
	const key = `"type"`
	at := bytes.LastIndex(body, []byte(key))
	if at < 0 {
		return ""
	}
	s := scanner{raw: body, at: at + len(key)}
	s.expect(':')
	s.word(&eventType)
	return eventType
}

// envelope is what is around an event's data, and where that is, for when it was not read on the way.
type envelope struct {
	kind string
	// ahead is the type by which the data was read.
	ahead            string
	object, previous span
	// shape is what was wrong with the data.
	shape error
}

func (env *envelope) read(e *Event, s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "object":
			s.word(&env.kind)
		case "id":
			s.text(&e.ID)
		case "type":
			s.word(&e.Type)
		case "account":
			s.text(&e.Account)
		case "created":
			s.integer(&e.Created)
		case "livemode":
			s.flag(&e.Livemode)
		case "api_version":
			s.word(&e.APIVersion)
		case "data":
			env.readData(e, s)
		default:
			s.skip()
		}
	})
}

func (env *envelope) readData(e *Event, s *scanner) {
	s.object(func(key []byte) {
		switch string(key) {
		case "object":
			env.object = env.part(s, e.target(env.ahead))
		case "previous_attributes":
			env.previous = env.part(s, e.before(env.ahead))
		default:
			s.skip()
		}
	})
}

// part reads a part of the data and keeps what is wrong with it apart: it may have been read as what it is not.
func (env *envelope) part(s *scanner, read func(*scanner)) span {
	if read == nil {
		return s.value()
	}
	s.peek()
	from, outside := s.at, s.shape
	s.shape = nil
	read(s)
	if env.shape == nil {
		env.shape = s.shape
	}
	s.shape = outside
	return span{from: from, to: s.at}
}

// target makes the narrow struct of a type and returns what reads it; nil for types whose object is left unread.
func (e *Event) target(eventType string) func(*scanner) {
	switch eventType {
	case eventCustomerCreated, eventCustomerUpdated:
		e.customer = new(customerObject)
		return e.customer.read
	case eventInvoiceFinalized, eventPaymentFailed, eventPaymentSucceeded:
		e.invoice = new(invoiceObject)
		return e.invoice.read
	case EventSubscriptionUpdated, eventSubscriptionPaused, eventSubscriptionResumed, eventSubscriptionDeleted:
		e.subscription = new(subscriptionObject)
		return e.subscription.read
	case eventDisputeCreated:
		e.dispute = new(disputeObject)
		return e.dispute.read
	case "charge.succeeded", "charge.failed", "charge.pending", "charge.captured", "charge.updated":
		e.charge = new(chargeObject) // for ChargeOwner only
		return e.charge.read
	case eventAccountDeauthorized:
		return func(s *scanner) { s.member("id", func() { s.text(&e.Application) }) }
	}
	return nil
}

// before is target for the attributes before an update.
func (e *Event) before(eventType string) func(*scanner) {
	if eventType != EventSubscriptionUpdated {
		return nil
	}
	e.previous = new(previousAttributes)
	return e.previous.read
}

// project reads data that was passed over, or read as something else.
func (e *Event) project(body []byte, env envelope) error {
	read := e.target(e.Type)
	if read == nil {
		return nil
	}
	if env.object.empty() {
		return ErrIncomplete
	}
	if err := within(body, env.object, read); err != nil {
		return err
	}
	if read = e.before(e.Type); read == nil || env.previous.empty() {
		return nil
	}
	return within(body, env.previous, read)
}

// ChargeOwner tells which customer an event's charge belongs to, when the event says so. A dispute names only its
// charge, so an offline reader can complete it from the other events it has; it is never published or stored.
func (e *Event) ChargeOwner() (charge, customer string, ok bool) {
	switch {
	case e.invoice != nil:
		charge, customer = e.invoice.Charge.ID, string(e.invoice.Customer)
	case e.charge != nil:
		charge, customer = e.charge.ID, string(e.charge.Customer)
	case e.dispute != nil:
		charge, customer = e.dispute.Charge.ID, e.dispute.Charge.Customer
	}
	return charge, customer, charge != "" && customer != ""
}
