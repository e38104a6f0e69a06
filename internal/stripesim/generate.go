package stripesim

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"

	"github.com/kustiq/kustiq/internal/stripesim/canary"
)

// GenerateOptions describe an account to make up.
type GenerateOptions struct {
	AccountID, Name, Country, Currency string
	// Customers is how many ever signed up; Years is how long ago the first did.
	Customers int
	Years     float64
	Seed      uint64
	// End is the present: nothing generated is later.
	End      time.Time
	Livemode bool
	// AllEvents keeps the events of all time. Lists show those of the last 30 days all the same.
	AllEvents bool
}

// Generate makes an account whose churn follows package hazard. The same options give the same account.
// Unless asked for more, it keeps events of the last 30 days only, as Stripe does. At End no customer has more than one failed payment attempt
// open, so that a story that starts there is told by its own events.
func Generate(opts GenerateOptions) *Account {
	a := &Account{
		ID: opts.AccountID, Name: opts.Name, Country: opts.Country, Currency: opts.Currency, Livemode: opts.Livemode,
		rng: rand.New(rand.NewPCG(opts.Seed, 0xacc7)),
	}
	g := &generator{a: a, end: opts.End.Unix(), rng: a.rng, all: opts.AllEvents}
	span := int64(opts.Years * 365 * float64(day))
	a.Created = g.end - span - 30*day
	g.addPrices()
	for n := range opts.Customers {
		// The square root makes sign-ups grow over the years.
		start := g.end - span + int64(float64(span-3*day)*math.Sqrt(g.rng.Float64()))
		g.live(n, start)
	}
	g.sort()
	return a
}

type generator struct {
	a     *Account
	end   int64
	rng   *rand.Rand
	all   bool
	plans map[string][]*price
	addOn map[string]*price
}

var catalogue = []struct {
	name   string
	amount int64
}{{"Starter", 2900}, {"Team", 9900}, {"Business", 24900}, {"Scale", 59900}}

func (g *generator) addPrices() {
	g.plans, g.addOn = map[string][]*price{}, map[string]*price{}
	add := func(name, interval string, amount int64) *price {
		p := &price{
			id: g.a.newID("price_"), product: g.a.newID("prod_"), nickname: name, currency: g.a.Currency,
			interval: interval, amount: amount, created: g.a.Created,
		}
		g.a.prices.add(p.id, p)
		return p
	}
	for _, interval := range []string{"month", "year"} {
		factor := int64(1)
		if interval == "year" {
			factor = 10 // two months free
		}
		for _, plan := range catalogue {
			g.plans[interval] = append(g.plans[interval], add(plan.name, interval, plan.amount*factor))
		}
		g.addOn[interval] = add("Extra seat", interval, 900*factor)
	}
}

// live makes one customer and lets time pass until End or the end of its subscription.
func (g *generator) live(n int, start int64) {
	c := g.person(n, start-g.rng.Int64N(3600))
	g.a.customers.add(c.id, c)
	g.event("customer.created", c.created, func() obj { return c.render(g.a) }, nil)
	interval := "month"
	if g.rng.Float64() < 0.2 {
		interval = "year"
	}
	plan := min(int(g.rng.ExpFloat64()*1.2), len(catalogue)-1)
	s := &subscription{id: g.a.newID("sub_"), customer: c, created: start, status: "active"}
	s.items = []item{{id: g.a.newID("si_"), price: g.plans[interval][plan], quantity: 1, created: start}}
	if g.rng.Float64() < 0.35 {
		s.items = append(s.items, item{id: g.a.newID("si_"), price: g.addOn[interval], quantity: 1 + g.rng.Int64N(12), created: start})
	}
	if g.rng.Float64() < 0.1 {
		s.percentOff = 20
	}
	c.subs = append(c.subs, s)
	g.a.subscriptions.add(s.id, s)
	life := &life{generator: g, sub: s}
	life.bill(start, "subscription_create")
	for s.live() && s.periodEnd <= g.end {
		life.pass(s.periodEnd)
		if s.live() {
			life.renew()
		}
	}
	if s.live() {
		life.pass(g.end)
	}
}

// event records an event if Stripe would still have it.
func (g *generator) event(kind string, at int64, object func() obj, previous obj) {
	if at <= g.end && (g.all || at >= g.end-eventAge) {
		g.a.record(kind, at, object(), previous)
	}
}

// sort puts every list in the order of creation, which customers were not generated in.
func (g *generator) sort() {
	resort(&g.a.customers, func(x *customer) (int64, string) { return x.created, x.id })
	resort(&g.a.subscriptions, func(x *subscription) (int64, string) { return x.created, x.id })
	resort(&g.a.invoices, func(x *invoice) (int64, string) { return x.created, x.id })
	resort(&g.a.charges, func(x *charge) (int64, string) { return x.created, x.id })
	resort(&g.a.disputes, func(x *dispute) (int64, string) { return x.created, x.id })
	resort(&g.a.events, func(x *event) (int64, string) { return x.created, x.id })
}

func resort[T any](l *list[T], key func(T) (created int64, id string)) {
	sort.SliceStable(l.all, func(i, j int) bool {
		a, _ := key(l.all[i])
		b, _ := key(l.all[j])
		return a < b
	})
	for i, x := range l.all {
		_, id := key(x)
		l.byID[id] = i
	}
}

// testSerials tells the numbers of a test account's customers from those of the live one's.
const testSerials = 5000

func (g *generator) person(n int, created int64) *customer {
	serial := n
	if !g.a.Livemode {
		serial += testSerials
	}
	id := g.a.newID("cus_")
	bird := canary.New(serial, id)
	return &customer{id: id, name: canary.CustomerName(n), email: bird.Email(), bird: bird, sepa: n%5 == 4, created: created}
}
