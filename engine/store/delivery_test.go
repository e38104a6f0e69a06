package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// enqueue puts events of customers for one receiver into the outbox; a body is also the message's id.
func (f *fixture) enqueue(t testing.TB, s store.Scope, endpoint string, bodies ...string) {
	t.Helper()
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{s}); err != nil {
			return err
		}
		var all []store.Delivery
		for _, body := range bodies {
			all = append(all, store.Delivery{Scope: s, Account: "acct_1", Customer: "cus_" + body[:1], Endpoint: endpoint,
				Host: "hooks.example", MessageID: body, EventType: "customer.at_risk", Body: []byte("body of " + body)})
		}
		return tx.Enqueue(f.ctx, all)
	})
}

// take claims all that may be taken now.
func (f *fixture) take(t testing.TB, except ...string) (all []store.Delivery) {
	t.Helper()
	for {
		claimed, more, err := f.ClaimDeliveries(f.ctx, 3, time.Minute, except)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		all = append(all, claimed...)
		if !more {
			return all
		}
	}
}

func messages(deliveries []store.Delivery) []string {
	out := []string{}
	for _, d := range deliveries {
		out = append(out, d.MessageID)
	}
	return out
}

func (f *fixture) settle(t testing.TB, d store.Delivery, status store.DeliveryStatus, code int, next time.Time) bool {
	t.Helper()
	d.Status, d.ResponseCode, d.NextAt = status, code, next
	if code != 200 {
		d.Failure = "status"
	}
	ok, err := f.SettleDelivery(f.ctx, d)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return ok
}

func testDeliveries(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.enqueue(t, acme, "r1", "a1", "a2", "a3", "b1")
	f.enqueue(t, acme, "r2", "a1")
	f.enqueue(t, rival, "r1", "a9")
	g.Expect(messages(f.take(t, "r2"))).To(ConsistOf("a1", "b1", "a9"), "the first of each customer, and nothing of a receiver that has enough")
	first := f.take(t)
	g.Expect(messages(first)).To(Equal([]string{"a1"}), "that receiver's")
	g.Expect(first[0]).To(And(HaveField("Body", []byte("body of a1")), HaveField("Endpoint", "r2"), HaveField("Attempts", 1),
		HaveField("NextAt", start.Add(time.Minute)), HaveField("Scope", acme), HaveField("Customer", "cus_a")))

	f.clock.SetTime(start.Add(time.Minute))
	again := f.take(t)
	g.Expect(messages(again)).To(ConsistOf("a1", "b1", "a9", "a1"), "when the lease is over")
	g.Expect(again).To(HaveEach(HaveField("Attempts", 2)))
	g.Expect(f.settle(t, first[0], store.DeliveryDelivered, 200, time.Time{})).To(BeFalse(), "whoever had it before has lost it")
	for _, d := range again {
		switch {
		case d.Endpoint == "r1" && d.MessageID == "a1":
			g.Expect(f.settle(t, d, store.DeliveryPending, 500, f.clock.Now().Add(5*time.Minute))).To(BeTrue())
		default:
			g.Expect(f.settle(t, d, store.DeliveryDelivered, 200, time.Time{})).To(BeTrue())
		}
	}
	g.Expect(f.take(t)).To(BeEmpty(), "what comes after a failure waits with it")
	f.clock.SetTime(start.Add(2 * time.Minute)) // when the claim that it waited for would have ended
	g.Expect(f.take(t)).To(BeEmpty())
	at, ok, err := f.NextDelivery(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeTrue())
	g.Expect(at).To(Equal(start.Add(6 * time.Minute)))

	f.clock.SetTime(at)
	claimed := f.take(t)
	g.Expect(messages(claimed)).To(Equal([]string{"a1"}))
	f.settle(t, claimed[0], store.DeliveryGivenUp, 500, time.Time{})
	claimed = f.take(t)
	g.Expect(messages(claimed)).To(Equal([]string{"a2"}), "what waited is next at once")
	f.settle(t, claimed[0], store.DeliveryDelivered, 200, time.Time{})
	claimed = f.take(t)
	g.Expect(messages(claimed)).To(Equal([]string{"a3"}))
	f.settle(t, claimed[0], store.DeliveryDelivered, 200, time.Time{})
	_, ok, err = f.NextDelivery(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeFalse())
}

func testDeliveryLog(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.enqueue(t, acme, "r1", "a1", "b1", "c1")
	f.enqueue(t, acmeTest, "r1", "t1")
	f.enqueue(t, rival, "r1", "x1")
	for _, d := range f.take(t) {
		switch d.MessageID {
		case "a1":
			f.settle(t, d, store.DeliveryDelivered, 200, time.Time{})
		case "b1":
			f.settle(t, d, store.DeliveryGivenUp, 410, time.Time{})
		}
	}
	list := func(q store.DeliveryQuery) store.DeliveryPage {
		page, err := f.Deliveries(f.ctx, "acme/prod", q)
		g.Expect(err).NotTo(HaveOccurred())
		return page
	}
	page := list(store.DeliveryQuery{Limit: 2})
	g.Expect(messages(page.Deliveries)).To(Equal([]string{"c1", "b1"}))
	g.Expect(page.Livemode).To(BeTrue())
	gone := page.Deliveries[1]
	g.Expect(gone).To(And(HaveField("Status", store.DeliveryGivenUp), HaveField("ResponseCode", 410), HaveField("Failure", "status"),
		HaveField("AttemptedAt", start), HaveField("CreatedAt", start), HaveField("Body", BeNil()), HaveField("Host", "hooks.example")))
	g.Expect(messages(list(store.DeliveryQuery{Limit: 2, Before: page.Next}).Deliveries)).To(Equal([]string{"a1"}))
	g.Expect(messages(list(store.DeliveryQuery{Status: store.DeliveryPending}).Deliveries)).To(Equal([]string{"c1"}))
	g.Expect(messages(list(store.DeliveryQuery{Customer: "cus_b"}).Deliveries)).To(Equal([]string{"b1"}))
	g.Expect(messages(list(store.DeliveryQuery{Mode: store.ModeTest}).Deliveries)).To(Equal([]string{"t1"}))

	g.Expect(f.Resend(f.ctx, "rival/prod", gone.Seq)).To(MatchError(store.ErrNotFound), "another workspace's")
	g.Expect(f.Resend(f.ctx, "acme/prod", gone.Seq)).To(Succeed())
	g.Expect(f.Resend(f.ctx, "acme/prod", gone.Seq)).To(MatchError(store.ErrPending))
	again := f.take(t)
	g.Expect(messages(again)).To(Equal([]string{"b1"}))
	g.Expect(again[0].Attempts).To(Equal(1), "a full round of attempts")
	f.settle(t, again[0], store.DeliveryDelivered, 200, time.Time{})

	f.clock.SetTime(start.Add(31 * 24 * time.Hour))
	g.Expect(f.PruneDeliveries(f.ctx)).To(Equal(2))
	g.Expect(messages(list(store.DeliveryQuery{}).Deliveries)).To(Equal([]string{"c1"}), "what is pending stays")

	_, err := f.EraseAccount(f.ctx, store.AccountRef{Scope: acme, Account: "acct_1"}, f.clock.Now())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list(store.DeliveryQuery{}).Deliveries).To(BeEmpty())
	g.Expect(list(store.DeliveryQuery{Mode: store.ModeTest}).Deliveries).To(HaveLen(1))
	_, err = f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(list(store.DeliveryQuery{Mode: store.ModeTest}).Deliveries).To(BeEmpty())
	g.Expect(contains(f.dump(t), "body of t1")).To(BeFalse())
}

// testDeliverers holds that several engines on one store deliver everything once and in order.
func testDeliverers(t *testing.T, f *fixture) {
	g := NewWithT(t)
	var bodies []string
	for n := range 10 {
		for _, customer := range []string{"a", "b", "c", "d"} {
			bodies = append(bodies, fmt.Sprintf("%s%02d", customer, n))
		}
	}
	f.enqueue(t, acme, "r1", bodies...)
	var mu sync.Mutex
	last, count := map[string]string{}, 0
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				claimed, _, err := f.ClaimDeliveries(f.ctx, 2, time.Hour, nil)
				g.Expect(err).NotTo(HaveOccurred())
				for _, d := range claimed {
					mu.Lock()
					g.Expect(d.MessageID > last[d.Customer]).To(BeTrue(), "%s after %s", d.MessageID, last[d.Customer])
					last[d.Customer], count = d.MessageID, count+1
					mu.Unlock()
					g.Expect(f.settle(t, d, store.DeliveryDelivered, 200, time.Time{})).To(BeTrue())
				}
				if _, ok, err := f.NextDelivery(f.ctx); err != nil || !ok {
					g.Expect(err).NotTo(HaveOccurred())
					return
				}
				mu.Lock()
				f.clock.SetTime(f.clock.Now().Add(time.Second)) // what was held for a second comes up
				mu.Unlock()
			}
		})
	}
	all.Wait()
	g.Expect(count).To(Equal(len(bodies)))
}

func testThreshold(t *testing.T, f *fixture) {
	g := NewWithT(t)
	_, ok, err := f.AtRiskThreshold(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeFalse())
	put := func(s store.Scope, id string, tier scoring.Tier, score int, segment bool) {
		e := atRisk(tier, score, 0)
		e.Segment = segment
		f.save(t, customer(s, id), e)
	}
	put(acme, "cus_1", scoring.Normal, 55, false)
	put(acme, "cus_2", scoring.Normal, 54, false)
	put(acme, "cus_3", scoring.Normal, 55, true)
	put(acme, "cus_4", scoring.Normal, 50, true) // its signals put it at risk
	put(acme, "cus_5", scoring.Leaving, 89, true)
	put(acmeTest, "cus_1", scoring.Normal, 70, false)
	put(rival, "cus_1", scoring.Normal, 70, false)
	threshold, ok, err := f.AtRiskThreshold(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeTrue())
	g.Expect(threshold).To(Equal(60))
	var found []store.CustomerKey
	f.update(t, func(tx *store.Tx) error {
		found = nil
		for after := (store.CustomerKey{}); ; {
			keys, last, ok, err := tx.Misjudged(f.ctx, "acme/prod", 55, after, 2)
			if err != nil || !ok {
				return err
			}
			found, after = append(found, keys...), last
		}
	})
	g.Expect(found).To(Equal([]store.CustomerKey{customer(acmeTest, "cus_1"), customer(acme, "cus_1"), customer(acme, "cus_4")}))
	g.Expect(f.SetAtRiskThreshold(f.ctx, "acme/prod", 55)).To(Succeed())
	threshold, _, err = f.AtRiskThreshold(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(threshold).To(Equal(55))
}
