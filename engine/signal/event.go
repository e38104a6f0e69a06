package signal

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The event names that carry signals, and those about the account itself.
const (
	eventCustomerCreated     = "customer.created"
	eventCustomerUpdated     = "customer.updated"
	eventInvoiceFinalized    = "invoice.finalized"
	eventPaymentFailed       = "invoice.payment_failed"
	eventPaymentSucceeded    = "invoice.payment_succeeded"
	eventSubscriptionUpdated = "customer.subscription.updated"
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
		eventSubscriptionUpdated, eventSubscriptionPaused, eventSubscriptionResumed, eventSubscriptionDeleted,
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

type envelope struct {
	Object     string `json:"object"`
	ID         string `json:"id"`
	Type       string `json:"type"`
	Account    string `json:"account"`
	Created    int64  `json:"created"`
	Livemode   bool   `json:"livemode"`
	APIVersion string `json:"api_version"`
	Data       struct {
		Object   json.RawMessage `json:"object"`
		Previous json.RawMessage `json:"previous_attributes"`
	} `json:"data"`
}

// DecodeEvent projects the JSON of a Stripe event, of any API version since 2018, onto the allow-list. Of events that
// carry no signal only the envelope is kept. The error is ErrNotJSON, ErrShape or ErrIncomplete.
func DecodeEvent(body []byte) (*Event, error) {
	var env envelope
	if err := decode(body, &env); err != nil {
		return nil, fmt.Errorf("decode event: %w", err)
	}
	if env.ID == "" || env.Type == "" || env.Created <= 0 || (env.Object != "" && env.Object != "event") {
		return nil, fmt.Errorf("decode event: not a Stripe event: %w", ErrIncomplete)
	}
	e := &Event{
		ID: env.ID, Type: env.Type, Account: env.Account, Created: env.Created, Livemode: env.Livemode,
		APIVersion: env.APIVersion,
	}
	if err := e.project(env.Data.Object, env.Data.Previous); err != nil {
		return nil, fmt.Errorf("decode event data: %w", err)
	}
	return e, nil
}

// project decodes the event's object into the narrow struct of its type; other types are left unread.
func (e *Event) project(object, previous json.RawMessage) error {
	var target any
	switch e.Type {
	case eventCustomerCreated, eventCustomerUpdated:
		e.customer = new(customerObject)
		target = e.customer
	case eventInvoiceFinalized, eventPaymentFailed, eventPaymentSucceeded:
		e.invoice = new(invoiceObject)
		target = e.invoice
	case eventSubscriptionUpdated, eventSubscriptionPaused, eventSubscriptionResumed, eventSubscriptionDeleted:
		e.subscription = new(subscriptionObject)
		target = e.subscription
	case eventDisputeCreated:
		e.dispute = new(disputeObject)
		target = e.dispute
	case "charge.succeeded", "charge.failed", "charge.pending", "charge.captured", "charge.updated":
		e.charge = new(chargeObject) // for ChargeOwner only
		target = e.charge
	case eventAccountDeauthorized:
		return e.application(object)
	default:
		return nil
	}
	if len(object) == 0 {
		return ErrIncomplete
	}
	if err := decode(object, target); err != nil {
		return err
	}
	if e.Type != eventSubscriptionUpdated || len(previous) == 0 {
		return nil
	}
	e.previous = new(previousAttributes)
	return decode(previous, e.previous)
}

func (e *Event) application(object json.RawMessage) error {
	var application struct {
		ID string `json:"id"`
	}
	if err := decode(object, &application); err != nil {
		return err
	}
	e.Application = application.ID
	return nil
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
