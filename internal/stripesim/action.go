package stripesim

import (
	"errors"
	"fmt"
)

// Action is something that happens to a customer now, with the events that Stripe would send.
type Action string

// The actions.
const (
	FailPayment    Action = "fail_payment"
	Pay            Action = "pay"
	Cancel         Action = "cancel"
	CancelNow      Action = "cancel_now"
	WithdrawCancel Action = "withdraw_cancel"
	Pause          Action = "pause"
	Resume         Action = "resume"
	Upgrade        Action = "upgrade"
	Downgrade      Action = "downgrade"
	Dispute        Action = "dispute"
	// Move changes the customer's address, and nothing that a score depends on.
	Move Action = "move"
)

// Actions lists all of them.
func Actions() []Action {
	return []Action{FailPayment, Pay, Cancel, CancelNow, WithdrawCancel, Pause, Resume, Upgrade, Downgrade, Dispute, Move}
}

// ErrNotPossible says that an action does not fit a customer's state, such as paying when nothing is open.
var ErrNotPossible = errors.New("stripesim: not possible now")

// Act lets an action happen to a customer and returns the id of its main event.
func (s *Server) Act(account, customer string, action Action) (eventID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if c, ok := a.customers.get(customer); ok && a.ID == account {
			return s.act(a, c, action)
		}
	}
	return "", noCustomer(customer)
}

func (s *Server) act(a *Account, c *customer, action Action) (string, error) {
	var sub *subscription
	for _, x := range c.subs {
		if x.live() {
			sub = x
		}
	}
	if sub == nil {
		return "", fmt.Errorf("%w: %s has no live subscription", ErrNotPossible, c.id)
	}
	m := moment{Server: s, a: a, sub: sub, at: s.now()}
	perform := map[Action]func() (*event, error){
		FailPayment: m.failPayment, Pay: m.pay, Cancel: m.cancel, CancelNow: m.cancelNow, WithdrawCancel: m.withdraw,
		Pause: m.pause, Resume: m.resume, Dispute: m.dispute, Move: m.relocate,
		Upgrade:   func() (*event, error) { return m.change(1) },
		Downgrade: func() (*event, error) { return m.change(-1) },
	}[action]
	if perform == nil {
		return "", fmt.Errorf("stripesim: no action %q", action)
	}
	e, err := perform()
	if err != nil {
		return "", err
	}
	return e.id, nil
}

// moment is one action on one subscription now.
type moment struct {
	*Server
	a   *Account
	sub *subscription
	at  int64
}

func (m moment) updated(previous obj) *event {
	return m.emit(m.a, "customer.subscription.updated", m.sub.render(m.a), previous)
}

func impossible(why string) error { return fmt.Errorf("%w: %s", ErrNotPossible, why) }

// failPayment fails the next attempt of the open invoice, or the first of a renewal that is due now.
func (m moment) failPayment() (*event, error) {
	s := m.sub
	inv := s.latest
	if inv == nil || inv.status != "open" {
		s.periodStart, s.periodEnd = m.at, nextPeriod(m.at, s.interval())
		inv = m.a.newInvoice(s, m.at, "subscription_cycle")
		m.emit(m.a, "invoice.finalized", inv.render(m.a), nil)
	}
	inv.attempts++
	inv.nextAttempt = 0
	if inv.attempts < len(dunning) {
		inv.nextAttempt = m.at + dunning[inv.attempts] - dunning[inv.attempts-1]
	}
	m.a.newCharge(inv, m.at, true)
	failed := m.emit(m.a, "invoice.payment_failed", inv.render(m.a), nil)
	if s.status != "past_due" {
		s.status = "past_due"
		m.updated(obj{"status": "active"})
	}
	return failed, nil
}

func (m moment) pay() (*event, error) {
	inv := m.sub.latest
	if inv == nil || inv.status != "open" {
		return nil, impossible("no invoice is open")
	}
	inv.attempts++
	inv.status, inv.paidAt, inv.nextAttempt = "paid", m.at, 0
	m.a.newCharge(inv, m.at, false)
	paid := m.emit(m.a, "invoice.payment_succeeded", inv.render(m.a), nil)
	if m.sub.status == "past_due" {
		m.sub.status = "active"
		m.updated(obj{"status": "past_due"})
	}
	return paid, nil
}

func (m moment) cancel() (*event, error) {
	if m.sub.cancelAtPeriodEnd {
		return nil, impossible("a cancellation is scheduled already")
	}
	m.sub.cancelAtPeriodEnd, m.sub.canceledAt = true, m.at
	return m.updated(obj{"cancel_at_period_end": false, "cancel_at": nil, "canceled_at": nil}), nil
}

func (m moment) withdraw() (*event, error) {
	if !m.sub.cancelAtPeriodEnd {
		return nil, impossible("no cancellation is scheduled")
	}
	previous := obj{"cancel_at_period_end": true, "cancel_at": m.sub.periodEnd, "canceled_at": m.sub.canceledAt}
	m.sub.cancelAtPeriodEnd, m.sub.canceledAt = false, 0
	return m.updated(previous), nil
}

func (m moment) cancelNow() (*event, error) {
	m.sub.status, m.sub.endedAt, m.sub.canceledAt = "canceled", m.at, m.at
	return m.emit(m.a, "customer.subscription.deleted", m.sub.render(m.a), nil), nil
}

func (m moment) pause() (*event, error) {
	if m.sub.pausedAt != 0 {
		return nil, impossible("it is paused already")
	}
	m.sub.pausedAt = m.at
	return m.updated(obj{"pause_collection": nil}), nil
}

func (m moment) resume() (*event, error) {
	if m.sub.pausedAt == 0 {
		return nil, impossible("it is not paused")
	}
	m.sub.pausedAt = 0
	return m.updated(obj{"pause_collection": obj{"behavior": "void", "resumes_at": nil}}), nil
}

func (m moment) change(direction int) (*event, error) {
	var plans []*price
	for _, p := range m.a.prices.all {
		if p.interval == m.sub.interval() && p.nickname != "Extra seat" {
			plans = append(plans, p)
		}
	}
	previous, ok := m.sub.move(m.a, plans, direction)
	if !ok {
		return nil, impossible("there is no such plan")
	}
	return m.updated(previous), nil
}

func (m moment) dispute() (*event, error) {
	for i := len(m.a.charges.all) - 1; i >= 0; i-- {
		c := m.a.charges.all[i]
		if c.invoice.sub == m.sub && !c.failed && !c.disputed {
			return m.emit(m.a, "charge.dispute.created", m.a.newDispute(c, m.at).render(m.a), nil), nil
		}
	}
	return nil, impossible("there is no charge to dispute")
}

func (m moment) relocate() (*event, error) {
	c := m.sub.customer
	before := c.address(m.a)
	c.moves++
	return m.emit(m.a, "customer.updated", c.render(m.a), obj{"address": before, "shipping": obj{"address": before}}), nil
}

// move changes the first item to the next plan up or down, and returns previous_attributes.
func (s *subscription) move(a *Account, plans []*price, direction int) (previous obj, ok bool) {
	at := -1
	for i, p := range plans {
		if p == s.items[0].price {
			at = i
		}
	}
	if at < 0 || at+direction < 0 || at+direction >= len(plans) {
		return nil, false
	}
	previous = obj{"items": s.renderItems(a, s.items)}
	s.items = append([]item(nil), s.items...)
	s.items[0].price = plans[at+direction]
	return previous, true
}
