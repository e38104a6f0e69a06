// Package history owns the making of believable pasts: it signs up customers over years and lets the hazards of package
// hazard decide who stays, through the verbs of package ledger. It also draws what happens next to a live account. It
// must not know of HTTP or JSON, and the same options always give the same account.
package history

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/kustiq/kustiq/internal/stripesim/hazard"
	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

const (
	hour = 60 * 60
	day  = hazard.Day
)

// Options describe an account to make up.
type Options struct {
	AccountID, Name, Country, Currency string
	// Customers is how many ever signed up; Years is how long ago the first did.
	Customers int
	Years     float64
	Seed      uint64
	// End is the present: nothing that has happened is later.
	End      time.Time
	Livemode bool
	// ChurnShift moves everybody's log-odds of leaving: an account with better or worse customers than the average.
	ChurnShift float64
	// Mark becomes part of every value that must never be kept, so that tests can search for it.
	Mark string
}

// growth bends sign-ups over time: the share u of all customers has come by the share u^(1/growth) of the span.
const growth = 1.5

// Write makes the account. It keeps the events of the last 30 days, as Stripe does. At End no customer has more than
// one failed attempt in the six weeks before an invoice that is still unpaid, so that whoever fails twice from then on
// stands out.
func Write(o Options) *ledger.Account {
	end := o.End.Unix()
	span := int64(o.Years * 365.25 * day)
	rng := rand.New(rand.NewPCG(o.Seed, 0x57a7))
	a := &ledger.Account{
		ID: o.AccountID, Name: o.Name, Country: strings.ToUpper(o.Country), Currency: strings.ToLower(o.Currency),
		Email: "billing@" + domain(o.Name), Livemode: o.Livemode, Created: end - span - 30*day, Mark: o.Mark,
	}
	a.Seed(rng)
	a.KeepEventsFrom(end - ledger.EventReach)
	w := &world{a: a, end: end, shift: o.ChurnShift, people: newPeople(a.Country)}
	w.stock(rng)
	for n := range o.Customers {
		own := rand.New(rand.NewPCG(o.Seed, uint64(n)+1))
		a.Seed(own)
		arrival := end - span + int64(float64(max(span-2*hour, 0))*math.Pow(own.Float64(), 1/growth))
		l := &life{world: w, rng: own, arrival: arrival}
		l.run()
	}
	a.Seed(rng)
	a.Seal(rng)
	return a
}

// world is what all customers of an account share.
type world struct {
	a      *ledger.Account
	end    int64
	shift  float64
	people *people
	plans  map[string][]*ledger.Price // by currency and interval, cheapest first
	seats  map[string]*ledger.Price
	usage  map[string]*ledger.Price
}

// catalogue is what the account sells, in minor units a month. A year costs ten months.
var catalogue = []struct {
	name   string
	amount int64
}{{"Starter", 1900}, {"Team", 4900}, {"Business", 14900}, {"Scale", 39900}}

const (
	seatAmount  = 900
	usageAmount = 40 // hundredths of a minor unit
	yearMonths  = 10
)

// stock makes the prices, in the account's currency and one other.
func (w *world) stock(rng *rand.Rand) {
	w.plans, w.seats, w.usage = map[string][]*ledger.Price{}, map[string]*ledger.Price{}, map[string]*ledger.Price{}
	add := func(p ledger.Price) *ledger.Price {
		p.ID, p.Created = ledger.NewID(rng, "price_1", 23), w.a.Created
		w.a.Prices.Add(&p)
		return &p
	}
	products := map[string]string{}
	product := func(name string) string {
		if products[name] == "" {
			products[name] = ledger.NewID(rng, "prod_", 14)
		}
		return products[name]
	}
	for _, currency := range []string{w.a.Currency, w.other()} {
		for _, interval := range []string{"month", "year"} {
			key, factor := currency+interval, int64(1)
			if interval == "year" {
				factor = yearMonths
			}
			for rank, plan := range catalogue {
				w.plans[key] = append(w.plans[key], add(ledger.Price{
					Name: plan.name, Product: product(plan.name), Currency: currency, Interval: interval,
					Amount: plan.amount * factor, Rank: rank + 1,
				}))
			}
			w.seats[key] = add(ledger.Price{
				Name: "Extra seat", Product: product("Extra seat"), Currency: currency, Interval: interval, Amount: seatAmount * factor,
			})
			w.usage[key] = add(ledger.Price{
				Name: "API calls", Product: product("API calls"), Currency: currency, Interval: interval, Amount: usageAmount, Metered: true,
			})
		}
	}
}

// other is the currency that some customers pay in.
func (w *world) other() string {
	if w.a.Currency == "usd" {
		return "eur"
	}
	return "usd"
}
