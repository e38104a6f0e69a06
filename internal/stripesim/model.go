// Package stripesim owns a simulated Stripe: accounts with a believable history, the parts of Stripe's API that Kustiq
// uses, OAuth consent, and signed, retried webhook deliveries. It follows Stripe's documented behaviour and must not know
// anything of Kustiq's packages, so that it cannot share their mistakes.
package stripesim

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/kustiq/kustiq/internal/stripesim/canary"
)

// Account is one Stripe account in one mode. It is made by Generate and owned by the Server once added.
type Account struct {
	ID       string
	Name     string
	Country  string
	Currency string
	Livemode bool
	Created  int64
	// Restricted accounts have charges disabled by Stripe.
	Restricted bool

	customers     list[*customer]
	subscriptions list[*subscription]
	prices        list[*price]
	invoices      list[*invoice]
	charges       list[*charge]
	disputes      list[*dispute]
	events        list[*event]
	rng           *rand.Rand
	// gone are the ids of objects that were deleted.
	gone map[string]bool
	// stencils by stencilKey, of a large account only.
	stencils *sync.Map
}

// accountKey names an account in one mode.
type accountKey struct {
	id       string
	livemode bool
}

// ownerSerial is past those of customers.
const ownerSerial = 9999

// owner is who the account is run by.
func (a *Account) owner() canary.Bird { return canary.New(ownerSerial, a.ID) }

func (a *Account) key() accountKey { return accountKey{a.ID, a.Livemode} }

// Times are unix seconds and 0 when unset; amounts are minor currency units.

type customer struct {
	id, name, email string
	// bird is what else is known of the person and how they pay.
	bird canary.Bird
	// sepa customers pay by direct debit, others by card.
	sepa bool
	// moves counts the customer's changes of address.
	moves   int
	created int64
	subs    []*subscription
}

type price struct {
	id, product, nickname, currency string
	interval                        string
	amount                          int64
	created                         int64
}

type item struct {
	id       string
	price    *price
	quantity int64
	created  int64
}

type subscription struct {
	id                string
	customer          *customer
	created           int64
	status            string
	items             []item
	percentOff        float64
	periodStart       int64
	periodEnd         int64
	cancelAtPeriodEnd bool
	canceledAt        int64
	endedAt           int64
	pausedAt          int64
	latest            *invoice
}

func (s *subscription) live() bool { return s.endedAt == 0 }

func (s *subscription) interval() string { return s.items[0].price.interval }

// total is what one period costs.
func (s *subscription) total() int64 {
	var sum int64
	for _, i := range s.items {
		sum += i.price.amount * i.quantity
	}
	return sum - int64(float64(sum)*s.percentOff/100)
}

type invoice struct {
	id, number    string
	sub           *subscription
	items         []item
	percentOff    float64
	created       int64
	periodStart   int64
	periodEnd     int64
	amount        int64
	attempts      int
	nextAttempt   int64
	status        string
	paidAt        int64
	uncollectible int64
	reason        string
	charge        *charge
}

type charge struct {
	id, intent string
	invoice    *invoice
	created    int64
	amount     int64
	failed     bool
	disputed   bool
}

type dispute struct {
	id      string
	charge  *charge
	created int64
	status  string
}

// event keeps its rendered form: an event shows its object as it was then.
type event struct {
	id, kind string
	created  int64
	body     obj
	// render, if set, makes the body when it is asked for.
	render func() obj
}

// list keeps objects in the order of their creation and finds them by id.
type list[T any] struct {
	all  []T
	byID map[string]int
}

func (l *list[T]) add(id string, x T) {
	if l.byID == nil {
		l.byID = map[string]int{}
	}
	l.byID[id] = len(l.all)
	l.all = append(l.all, x)
}

func (l *list[T]) get(id string) (x T, ok bool) {
	i, ok := l.byID[id]
	if !ok {
		return x, false
	}
	return l.all[i], true
}

const idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newID looks like Stripe's: a prefix and letters that sort in no order.
func newID(rng *rand.Rand, prefix string, length int) string {
	id := make([]byte, length)
	for i := range id {
		id[i] = idAlphabet[rng.IntN(len(idAlphabet))]
	}
	return prefix + string(id)
}

func (a *Account) newID(prefix string) string {
	if prefix == "cus_" || prefix == "si_" || prefix == "prod_" {
		return newID(a.rng, prefix, 14)
	}
	return newID(a.rng, prefix, 24)
}

// noCustomer and its like say what an action could not find.
func noCustomer(id string) error { return fmt.Errorf("stripesim: no customer %s", id) }
