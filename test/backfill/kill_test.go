package backfill_test

import (
	"net/url"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripesim"
)

// bulk is an account of some hundred pages.
func bulk(now time.Time, customers int) *stripesim.Account {
	return stripesim.Bulk(stripesim.GenerateOptions{
		AccountID: account, Name: "Bulk", Country: "DE", Currency: "eur", Customers: customers, Years: 3, Seed: 2, End: now, Livemode: true,
	})
}

// TestKilledWorkerIsFollowedByAnother kills a worker's process in the middle of many windows. Another goes on by itself:
// nothing is missing, and of each window at most one page is read again.
func TestKilledWorkerIsFollowedByAnother(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	a := bulk(now, 300)
	r := newRig(t, a)
	limits := stripesim.StripeLimits()
	limits.Latency = 300 * time.Millisecond
	r.sim.SetLimits(limits)
	g := r.given()
	first := startProcess(t, g)
	r.publish("killed", "AllTime", now)
	invoices := func() bus.ListProgress {
		p, _, _ := r.bus.Lists().Get(t.Context(), bus.ListKey("killed", "invoices"))
		return p
	}
	r.Eventually(func() int { return len(invoices().Slices) }, patience, "5ms").Should(BeNumerically(">", 1), "windows are read side by side")
	r.Eventually(func() int64 { return invoices().Requests }, patience, "5ms").Should(BeNumerically(">", 20))
	first.kill()
	windows := 0
	for _, list := range []string{"events", "customers", "subscriptions", "invoices", "charges", "disputes"} {
		p, _, err := r.bus.Lists().Get(t.Context(), bus.ListKey("killed", list))
		must(t, err)
		for _, s := range p.Slices {
			if !s.Done {
				windows++
			}
		}
	}
	killed := time.Now()
	startProcess(t, g)
	p := r.succeeds("killed")
	t.Logf("done %s after the kill; %d windows were open then; %d requests", time.Since(killed).Round(time.Second), windows, p.Requests)

	totals := a.Totals(now.Unix())
	for _, list := range []string{"customers", "subscriptions", "invoices", "charges", "disputes"} {
		r.Expect(p.Resources[list].Done).To(BeTrue(), list)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Expect(facts(r.received, signal.CustomerCreated)).To(HaveLen(totals["customers"]))
	r.Expect(facts(r.received, signal.InvoiceFinalized)).To(HaveLen(totals["invoices"]))
	r.Expect(facts(r.received, signal.PaymentSucceeded)).To(HaveLen(totals["invoices"]))

	asked, again := map[string]int{}, 0
	for _, request := range r.sim.Requests() {
		q, err := url.ParseQuery(request.Query)
		must(t, err)
		page := request.Path + " " + q.Get("created[lte]") + " " + q.Get("starting_after")
		if asked[page]++; asked[page] > 1 {
			again++
		}
		r.Expect(asked[page]).To(BeNumerically("<=", 2), page)
	}
	r.Expect(again).To(BeNumerically("<=", windows), "pages that were read again")
	r.Expect(r.sim.Traffic(account, true).Refused).To(BeZero(), "answers 429")
}
