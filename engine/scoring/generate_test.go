package scoring

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/kustiq/kustiq/engine/signal"
)

// story grows a plausible history in time order: what Stripe could have sent about one customer.
type story struct {
	t       *rapid.T
	clock   int64
	months  float64
	trial   int64
	signals []signal.Signal
	serial  int

	invoices int
	open     map[string]int // attempts of each open invoice; negative once final
	order    []string
	mrr      map[string]float64
	paused   map[string]bool
	ending   map[string]bool
	live     []string
}

const storyStart = int64(1_700_000_000)

// tell draws a history: a customer with one to three subscriptions of the same interval, and up to 40 happenings.
func tell(t *rapid.T) *story {
	s := &story{
		t: t, clock: storyStart, months: rapid.SampledFrom([]float64{1, 1, 1, 3, 12}).Draw(t, "months"),
		trial: rapid.SampledFrom([]int64{0, 0, storyStart + 14*d}).Draw(t, "trial's end"),
		open:  map[string]int{}, mrr: map[string]float64{}, paused: map[string]bool{}, ending: map[string]bool{},
	}
	s.add(signal.CustomerCreated).Person = &signal.Person{CustomerCreated: s.clock}
	for i := range rapid.IntRange(1, 3).Draw(t, "subscriptions") {
		sub := fmt.Sprintf("sub_%d", i+1)
		s.live = append(s.live, sub)
		s.mrr[sub] = float64(rapid.IntRange(0, 40).Draw(t, "mrr")) * 500
		s.about(signal.SubscriptionObserved, sub)
	}
	s.settle("in_0")
	for range rapid.IntRange(0, 40).Draw(t, "happenings") {
		s.pass()
		s.happen()
	}
	return s
}

// pass lets some time go by, often none at all.
func (s *story) pass() {
	s.clock += rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(1, 7200), rapid.Int64Range(1, 20*d),
		rapid.Just(int64(14*d))).Draw(s.t, "pass")
}

func (s *story) add(kind signal.Kind) *signal.Signal {
	s.serial++
	id := fmt.Sprintf("evt_%03d", s.serial)
	s.signals = append(s.signals, signal.Signal{
		ID: id, EventID: id, Kind: kind, Created: s.clock, Provenance: signal.FromEvent, Customer: "cus_1",
	})
	return &s.signals[len(s.signals)-1]
}

func (s *story) about(kind signal.Kind, sub string) *signal.Subscription {
	mrr := s.mrr[sub]
	facts := &signal.Subscription{
		ID: sub, Status: "active", Currency: "usd", Start: storyStart, MRR: &mrr, IntervalMonths: s.months,
		TrialEnd: s.trial, Paused: s.paused[sub], CancelAtPeriodEnd: s.ending[sub],
	}
	s.add(kind).Subscription = facts
	return facts
}

func (s *story) settle(invoice string) {
	s.add(signal.PaymentSucceeded).Invoice = &signal.Invoice{
		ID: invoice, Subscription: s.live[0], BillingReason: "subscription_cycle", AmountPaid: 100, Created: s.clock, PaidAt: s.clock,
	}
}

func (s *story) happen() {
	actions := []func(){s.fail, s.fail, s.pay, s.renew, s.reprice, s.pauseOrResume, s.disputeSome, s.delete, s.endOrStay, s.context, s.observe}
	rapid.SampledFrom(actions).Draw(s.t, "happening")()
}

// fail fails a new invoice or an open one again. Nothing is attempted after the final attempt.
func (s *story) fail() {
	if len(s.live) == 0 {
		return
	}
	invoice := ""
	if len(s.order) > 0 && rapid.Bool().Draw(s.t, "again") {
		invoice = rapid.SampledFrom(s.order).Draw(s.t, "invoice")
	}
	if attempts, ok := s.open[invoice]; !ok || attempts < 0 {
		s.invoices++
		invoice = fmt.Sprintf("in_%d", s.invoices)
		s.order = append(s.order, invoice)
	}
	s.open[invoice]++
	sig := s.add(signal.PaymentFailed)
	sig.Invoice = &signal.Invoice{
		ID: invoice, Subscription: s.live[0], BillingReason: "subscription_cycle", AttemptCount: s.open[invoice],
		AmountDue: 100, Created: s.clock, NextAttempt: seconds(s.clock + 3*d),
	}
	if rapid.IntRange(0, 4).Draw(s.t, "final") == 0 {
		sig.Invoice.NextAttempt = nil
		s.open[invoice] = -1
	}
}

func (s *story) pay() {
	if len(s.order) == 0 || len(s.live) == 0 {
		return
	}
	invoice := rapid.SampledFrom(s.order).Draw(s.t, "paid")
	s.settle(invoice)
	delete(s.open, invoice)
	for i, known := range s.order {
		if known == invoice {
			s.order = append(s.order[:i:i], s.order[i+1:]...)
			break
		}
	}
}

func (s *story) renew() {
	if len(s.live) == 0 {
		return
	}
	s.invoices++
	invoice := fmt.Sprintf("in_%d", s.invoices)
	s.add(signal.InvoiceFinalized).Invoice = &signal.Invoice{ID: invoice, Subscription: s.live[0], Created: s.clock}
	s.pass()
	s.settle(invoice)
}

func (s *story) anySub() string {
	if len(s.live) == 0 {
		return ""
	}
	return rapid.SampledFrom(s.live).Draw(s.t, "subscription")
}

func (s *story) reprice() {
	sub := s.anySub()
	if sub == "" {
		return
	}
	old := s.mrr[sub]
	s.mrr[sub] = float64(rapid.IntRange(0, 40).Draw(s.t, "price")) * 500
	kind := signal.SubscriptionUpgraded
	if s.mrr[sub] < old {
		kind = signal.SubscriptionDowngraded
	}
	if s.mrr[sub] != old {
		s.about(kind, sub).PreviousMRR = &old
	}
}

func (s *story) pauseOrResume() {
	sub := s.anySub()
	if sub == "" {
		return
	}
	s.paused[sub] = !s.paused[sub]
	kind := signal.SubscriptionPaused
	if !s.paused[sub] {
		kind = signal.SubscriptionResumed
	}
	s.about(kind, sub)
	if rapid.Bool().Draw(s.t, "told twice") {
		s.about(kind, sub)
	}
}

func (s *story) disputeSome() {
	s.add(signal.DisputeCreated).Dispute = &signal.Dispute{ID: fmt.Sprintf("dp_%d", rapid.IntRange(1, 9).Draw(s.t, "dispute"))}
}

func (s *story) delete() {
	if len(s.live) == 0 || rapid.IntRange(0, 2).Draw(s.t, "really") > 0 {
		return
	}
	last := len(s.live) - 1
	s.about(signal.SubscriptionDeleted, s.live[last]).Status = "canceled"
	s.live = s.live[:last]
}

func (s *story) endOrStay() {
	sub := s.anySub()
	if sub == "" {
		return
	}
	s.ending[sub] = !s.ending[sub]
	kind := signal.CancelScheduled
	if !s.ending[sub] {
		kind = signal.CancelWithdrawn
	}
	s.about(kind, sub)
}

func (s *story) context() {
	if rapid.Bool().Draw(s.t, "customer") {
		s.add(signal.CustomerUpdated).Person = &signal.Person{CustomerCreated: storyStart}
		return
	}
	s.invoices++
	s.add(signal.InvoiceFinalized).Invoice = &signal.Invoice{ID: fmt.Sprintf("in_%d", s.invoices), Created: s.clock}
}

func (s *story) observe() {
	if sub := s.anySub(); sub != "" {
		s.about(signal.SubscriptionObserved, sub)
	}
}
