package stripesim

import (
	"math/rand/v2"
	"slices"
	"sync"
)

// bulkFailure is how many renewals of a large account fail once before they are paid.
const bulkFailure = 0.02

// Bulk makes a large account cheaply: every customer subscribes to one monthly plan at some time, evenly over the years,
// and stays. That makes 30 invoices a customer in five years, each with its charges, and the events of the last 30 days.
func Bulk(opts GenerateOptions) *Account {
	a := &Account{
		ID: opts.AccountID, Name: opts.Name, Country: opts.Country, Currency: opts.Currency, Livemode: opts.Livemode,
		rng: rand.New(rand.NewPCG(opts.Seed, 0xb01c)), stencils: &sync.Map{},
	}
	g := &generator{a: a, end: opts.End.Unix(), rng: a.rng}
	span := int64(opts.Years * 365 * float64(day))
	a.Created = g.end - span - day
	g.addPrices()
	plans := g.plans["month"]
	for n := range opts.Customers {
		start := g.end - span + span*int64(n)/int64(opts.Customers)
		c := g.person(n, start)
		a.customers.add(c.id, c)
		g.lazily("customer.created", start, func() obj { return c.render(a) })
		s := &subscription{id: a.newID("sub_"), customer: c, created: start, status: "active"}
		s.items = []item{{id: a.newID("si_"), price: plans[n%len(plans)], quantity: 1, created: start}}
		c.subs = []*subscription{s}
		a.subscriptions.add(s.id, s)
		for at, reason := start, "subscription_create"; at <= g.end; at, reason = nextPeriod(at, "month"), "subscription_cycle" {
			g.settled(s, at, reason)
		}
	}
	g.sort()
	return a
}

// settled bills a period that is paid, at once or at the second attempt.
func (g *generator) settled(s *subscription, at int64, reason string) {
	s.periodStart, s.periodEnd = at, nextPeriod(at, "month")
	inv := &invoice{
		id: g.a.newID("in_"), sub: s, items: s.items, created: at, periodStart: at, periodEnd: s.periodEnd, amount: s.total(),
		status: "paid", paidAt: at, attempts: 1, reason: reason, number: s.customer.id[4:11],
	}
	s.latest = inv
	g.a.invoices.add(inv.id, inv)
	g.lazily("invoice.finalized", at, func() obj { return inv.render(g.a) })
	if reason == "subscription_cycle" && at+dunning[1] <= g.end && g.rng.Float64() < bulkFailure {
		g.a.newCharge(inv, at, true)
		g.lazily("invoice.payment_failed", at, func() obj { return inv.render(g.a) })
		inv.attempts, inv.paidAt = 2, at+dunning[1]
	}
	g.a.newCharge(inv, inv.paidAt, false)
	g.lazily("invoice.payment_succeeded", inv.paidAt, func() obj { return inv.render(g.a) })
}

// lazily records an event whose object is rendered when it is asked for, as it is then.
func (g *generator) lazily(kind string, at int64, object func() obj) {
	if at > g.end || at < g.end-eventAge {
		return
	}
	e := g.a.record(kind, at, nil, nil)
	e.render = func() obj {
		body := obj{}
		for k, v := range e.body {
			body[k] = v
		}
		body["data"] = obj{"object": object()}
		return body
	}
}

// Totals are how many objects a list with all of them would show: customers, subscriptions (ended ones too), invoices,
// charges, disputes and events of the last 30 days before a moment.
func (a *Account) Totals(now int64) map[string]int {
	out := map[string]int{}
	for _, resource := range []string{"customers", "subscriptions", "invoices", "charges", "disputes", "events"} {
		t, _ := a.table(resource, now)
		out[resource] = t.length - t.from
	}
	return out
}

// Events renders every event that the account keeps, oldest first, those that a list would no longer show too.
func (a *Account) Events() []map[string]any {
	var out []map[string]any
	for _, e := range slices.Clone(a.events.all) {
		out = append(out, e.shown())
	}
	return out
}

func (e *event) shown() obj {
	if e.render != nil {
		return e.render()
	}
	return e.body
}
