// Package kill_test kills receiver, bus and engine, each a process of its own, while events come in, and holds that what
// was acknowledged counts once.
package kill_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestKilledRolesLoseNothing sends events until each is acknowledged, with some sent twice and most out of order, and
// kills one of the three roles again and again. In the end the store holds what a fold of all acknowledged events gives.
func TestKilledRolesLoseNothing(t *testing.T) {
	kills, seed := number(t, "KUSTIQ_KILLS", 12), number(t, "KUSTIQ_KILL_SEED", int(time.Now().UnixNano()%1_000_000))
	t.Logf("KUSTIQ_KILL_SEED=%d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	history := newHistory(random, 400*(kills+1))
	s := newStack(t)
	s.start("bus")
	s.operate()
	s.start("receiver")
	s.start("engine")

	sent := s.send(random, history)
	for n, role := range victims(random, kills) {
		s.waitUntil("more is acknowledged", func() bool { return sent.acknowledged() >= (n+1)*len(history)/(kills+1) })
		s.kill(role)
		s.start(role)
	}
	sent.wait()
	t.Logf("%d events acknowledged after %d requests, with %d kills", len(history), sent.requests.Load(), kills)
	s.waitUntil("the bus has nothing left", s.drained)
	s.stop("engine")
	s.compare(history)
}

// victims are the roles to kill in turn: each as often as the others, give or take one.
func victims(random *rand.Rand, kills int) []string {
	roles := []string{"receiver", "bus", "engine"}
	out := make([]string, kills)
	for n := range out {
		out[n] = roles[n%len(roles)]
	}
	random.Shuffle(kills, func(a, b int) { out[a], out[b] = out[b], out[a] })
	return out
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no positive number", variable, text)
	}
	return n
}

// event is one of the history, as Stripe would post it.
type event struct {
	id, workspace, body string
}

// tenants are the workspaces, each with its account.
const tenants = 3

func workspaceOf(tenant int) string { return fmt.Sprintf("team-%d/main", tenant) }
func accountOf(tenant int) string   { return fmt.Sprintf("acct_%d", tenant) }

// newHistory makes about so many events of a few hundred customers: they come, subscribe, fail to pay, pay after all,
// change their plan, and leave.
func newHistory(random *rand.Rand, size int) (all []event) {
	const customers = 300
	began := time.Now().Add(-40 * 24 * time.Hour).Unix()
	add := func(customer int, kind, object, previous string, at int64) {
		tenant := customer % tenants
		id := fmt.Sprintf("evt_%d", len(all))
		if previous != "" {
			previous = `,"previous_attributes":` + previous
		}
		all = append(all, event{id, workspaceOf(tenant), fmt.Sprintf(
			`{"id":%q,"object":"event","type":%q,"account":%q,"livemode":true,"created":%d,"data":{"object":%s%s}}`,
			id, kind, accountOf(tenant), at, object, previous)})
	}
	for n := 0; len(all) < size; n++ {
		customer := random.IntN(customers)
		at := began + int64(n)*60
		who, sub, invoice := fmt.Sprintf("cus_%d", customer), fmt.Sprintf("sub_%d", customer), fmt.Sprintf("in_%d_%d", customer, n)
		bill := func(attempts, paid int) string {
			return fmt.Sprintf(`{"id":%q,"object":"invoice","customer":%q,"subscription":%q,"billing_reason":"subscription_cycle","currency":"eur",
				"attempt_count":%d,"amount_due":4900,"amount_paid":%d,"created":%d}`, invoice, who, sub, attempts, paid, at)
		}
		plan := func(amount int, status string) string {
			return fmt.Sprintf(`{"id":%q,"object":"subscription","customer":%q,"status":%q,"currency":"eur","start_date":%d,"items":{"data":[%s]}}`,
				sub, who, status, began, item(customer, amount))
		}
		switch random.IntN(6) {
		case 0:
			add(customer, "customer.updated", fmt.Sprintf(`{"id":%q,"object":"customer","created":%d,"email":"c%d@example.org","name":"Customer %d"}`,
				who, began, customer, n), "", at)
		case 1, 2:
			add(customer, "invoice.payment_failed", bill(1, 0), "", at)
			if random.IntN(2) == 0 {
				add(customer, "invoice.payment_failed", bill(2, 0), "", at+3600)
			}
			if random.IntN(2) == 0 {
				add(customer, "invoice.payment_succeeded", bill(3, 4900), "", at+7200)
			}
		case 3:
			add(customer, "invoice.finalized", bill(0, 0), "", at)
		case 4:
			before, after := 1000+random.IntN(9)*1000, 1000+random.IntN(9)*1000
			add(customer, "customer.subscription.updated", plan(after, "active"), fmt.Sprintf(`{"items":{"data":[%s]}}`, item(customer, before)), at)
		case 5:
			add(customer, "customer.subscription.deleted", plan(1000, "canceled"), "", at)
		}
	}
	return all
}

func item(customer, amount int) string {
	return fmt.Sprintf(`{"id":"si_%d","quantity":1,"price":{"id":"price_%d","currency":"eur","unit_amount":%d,"recurring":{"interval":"month","interval_count":1}}}`,
		customer, amount, amount)
}
