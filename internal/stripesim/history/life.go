package history

import (
	"math/rand/v2"

	"github.com/kustiq/kustiq/internal/stripesim/hazard"
	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

// Chances a day of what happens of itself, and shares of how it goes on. No public figures exist for most of them; they
// are about what an ordinary subscription business sees.
const (
	upgradeRate    = 0.020 / 30
	downgradeRate  = 0.015 / 30
	pauseRate      = 0.008 / 30
	disputeRate    = 0.004 / 30
	updateRate     = 0.030 / 30
	immediateShare = 0.25 // of cancellations
	withdrawShare  = 0.08 // of scheduled cancellations
	resumeShare    = 0.65 // of pauses
	returnShare    = 0.05 // of those who left
	// returnAfter also keeps a customer who returns from bringing a written-off invoice back into view.
	returnAfter = 50 * day
	secondAfter = 120 * day
)

// life is one customer's, as time passes. Times of its own are 0 when they will not come.
type life struct {
	*world
	rng     *rand.Rand
	arrival int64
	c       *ledger.Customer
	plans   []*plan
	// failing is the chance that this customer's card fails at a renewal.
	failing     float64
	lastFailure int64
	secondAt    int64
	disputes    []dispute
	// decay spreads the tick over the day.
	spread int64
}

// plan is a subscription and what is to happen to it.
type plan struct {
	s                             *ledger.Subscription
	withdrawAt, resumeAt, retryAt int64
	// lateAt is when an invoice is paid after Stripe has stopped trying.
	lateAt int64
	failed int64 // the first failure of what is open
}

type dispute struct {
	d       *ledger.Dispute
	closeAt int64
}

// run lets the customer sign up, and time pass until End or until it has left for good.
func (l *life) run() {
	l.signUp()
	for tick := l.arrival + day; ; tick += day {
		at := tick + l.spread
		l.catchUp(min(at, l.end))
		if at > l.end {
			return
		}
		live := l.livePlans()
		if len(live) == 0 && !l.comesBack(at) {
			return
		}
		for _, p := range live {
			l.live(at, p, len(live))
		}
		l.spread = l.rng.Int64N(18 * hour)
	}
}

func (l *life) livePlans() []*plan {
	live := l.plans[:0:0]
	for _, p := range l.plans {
		if p.s.Live() {
			live = append(live, p)
		}
	}
	return live
}

func (l *life) signUp() {
	l.failing = 0.03
	if l.rng.Float64() < 0.15 {
		l.failing = 0.18
	}
	l.c = l.people.draw(l.rng, l.arrival)
	l.c.Currency = l.a.Currency
	if l.rng.Float64() < foreignShare {
		l.c.Currency = l.other()
	}
	l.a.AddCustomer(l.arrival, l.c)
	at := l.arrival + l.rng.Int64N(600)
	if l.rng.Float64() < secondShare {
		l.secondAt = at + l.rng.Int64N(secondAfter)
	}
	if l.rng.Float64() < signupFailure && at+24*hour < l.end {
		s := l.a.FailSignup(at, l.c, l.order(l.rng, at, l.c.Currency), Decline(l.rng))
		l.a.Expire(at+23*hour, s)
		if l.rng.Float64() < 0.6 {
			return
		}
		at += 2 * hour
	}
	l.subscribe(at, l.discount(l.rng))
}

func (l *life) subscribe(at int64, discount *ledger.Discount) {
	l.plans = append(l.plans, &plan{s: l.a.Subscribe(at, l.c, l.order(l.rng, at, l.c.Currency), discount)})
}

// comesBack lets a few of those who left subscribe again. It is asked daily.
func (l *life) comesBack(at int64) bool {
	if len(l.plans) == 0 {
		return false
	}
	var ended int64
	for _, p := range l.plans {
		ended = max(ended, p.s.EndedAt)
	}
	switch gone := at - ended; {
	case gone < returnAfter:
		return true
	case gone < returnAfter+day && l.rng.Float64() < returnShare && l.end-at > day:
		l.subscribe(at, nil)
		return true
	}
	return false
}

// live is one day of one subscription.
func (l *life) live(at int64, p *plan, siblings int) {
	if l.secondAt != 0 && at >= l.secondAt {
		l.secondAt = 0
		l.subscribe(at, nil)
	}
	if p.s.CancelAtPeriodEnd || p.s.Status == ledger.PastDue {
		return
	}
	l.something(at, p)
	eta := l.eta(at) + l.c.Mood.Lasting(at)
	if l.rng.Float64() < hazard.Within(hazard.P30(eta), 1)/float64(siblings) {
		l.leave(at, p)
	}
}

// something lets at most one of the everyday things happen.
func (l *life) something(at int64, p *plan) {
	u := l.rng.Float64()
	for _, x := range []struct {
		rate float64
		do   func(int64, *plan)
	}{
		{upgradeRate, l.upgrade}, {downgradeRate, l.downgrade}, {pauseRate, l.pause}, {disputeRate, l.dispute}, {updateRate, l.update},
	} {
		if u < x.rate {
			x.do(at, p)
			return
		}
		u -= x.rate
	}
}

func (l *life) upgrade(at int64, p *plan) {
	if items, ok := l.moreSeats(p.s, 2); ok {
		l.a.SetItems(at, p.s, items)
		return
	}
	_, _ = l.a.Upgrade(at, p.s) // always possible while it is live
}

func (l *life) downgrade(at int64, p *plan) {
	if items, ok := l.moreSeats(p.s, 0.5); ok {
		l.a.SetItems(at, p.s, items)
		return
	}
	_, _ = l.a.Downgrade(at, p.s) // the cheapest stays as it is
}

// moreSeats multiplies the seats of a subscription that has some, in half of the cases.
func (l *life) moreSeats(s *ledger.Subscription, factor float64) ([]ledger.Item, bool) {
	items := append([]ledger.Item(nil), s.Items...)
	for i := range items[1:] {
		seat := &items[i+1]
		if seat.Price.Metered || seat.Quantity < 2 || l.rng.Float64() < 0.5 {
			continue
		}
		seat.Quantity = max(int64(float64(seat.Quantity)*factor), 1)
		return items, true
	}
	return nil, false
}

func (l *life) pause(at int64, p *plan) {
	if _, err := l.a.Pause(at, p.s); err != nil {
		return
	}
	p.resumeAt = 0
	if l.rng.Float64() < resumeShare {
		p.resumeAt = at + 10*day + l.rng.Int64N(50*day)
	}
}

func (l *life) dispute(at int64, p *plan) {
	if _, err := l.a.Dispute(at, p.s, oneOf(l.rng, disputeReasons)); err != nil {
		return
	}
	all := l.a.Disputes.All()
	l.disputes = append(l.disputes, dispute{all[len(all)-1], at + 20*day + l.rng.Int64N(40*day)})
}

func (l *life) update(at int64, _ *plan) {
	l.a.UpdateCustomer(at, l.c, func() { l.people.move(l.rng, l.c, at) })
}

// leave is a cancellation: at once, or at the end of the period, which a few take back.
func (l *life) leave(at int64, p *plan) {
	if l.rng.Float64() < immediateShare {
		l.a.End(at, p.s, "cancellation_requested")
		return
	}
	_, _ = l.a.Cancel(at, p.s, oneOf(l.rng, feedbacks)) // nothing is scheduled: live has looked
	p.resumeAt = 0
	if left := p.s.PeriodEnd - at; left > 2*day && l.rng.Float64() < withdrawShare {
		p.withdrawAt = at + day + l.rng.Int64N(left-day)
	}
}

// eta is the log-odds of leaving when nothing has happened.
func (l *life) eta(at int64) float64 { return Baseline(l.c, at) + l.shift }

// Baseline is the log-odds of a customer when nothing has happened: that of its most valuable subscription.
func Baseline(c *ledger.Customer, at int64) float64 {
	var main *ledger.Subscription
	worth := -1.0
	for _, s := range c.Subscriptions {
		if mrr := s.MRR(at); s.Live() && mrr > worth {
			main, worth = s, mrr
		}
	}
	if main == nil {
		return 0
	}
	return hazard.Baseline(hazard.Facts{
		Months: main.Months(), Tenure: float64(at-c.Created) / day, ToRenewal: float64(main.PeriodEnd-at) / day,
		TermPaid: main.Latest.Status == ledger.Paid,
	})
}
