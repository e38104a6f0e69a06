package stripesim

import (
	"encoding/json"
	"testing"
)

func generate(seed uint64, customers int) *Account {
	return Generate(GenerateOptions{AccountID: "acct_1", Name: "A", Country: "DE", Currency: "eur", Customers: customers, Years: 2, Seed: seed, End: present, Livemode: true})
}

func TestTheSameSeedGivesTheSameAccount(t *testing.T) {
	text := func(seed uint64) string {
		a := generate(seed, 50)
		var all []obj
		for _, x := range a.invoices.all {
			all = append(all, x.render(a))
		}
		for _, x := range a.events.all {
			all = append(all, x.body)
		}
		out, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	first, again := text(1), text(1)
	if first != again {
		t.Error("two accounts of one seed differ")
	}
	if first == text(2) {
		t.Error("two seeds give the same account")
	}
}

func TestAnAccountIsConsistent(t *testing.T) {
	a := generate(3, 400)
	end := present.Unix()
	last := int64(0)
	for _, inv := range a.invoices.all {
		if inv.created < last || inv.created > end || inv.paidAt > end {
			t.Fatalf("%s is out of order or in the future", inv.id)
		}
		last = inv.created
		switch {
		case inv.status == "paid" && (inv.paidAt == 0 || inv.charge.failed || inv.nextAttempt != 0):
			t.Errorf("%s is paid by %+v", inv.id, inv.charge)
		case inv.status == "open" && (inv.attempts != 1 || !inv.charge.failed):
			t.Errorf("%s is open after %d attempts", inv.id, inv.attempts)
		case inv.status == "uncollectible" && inv.sub.live():
			t.Errorf("%s was given up, and its subscription lives", inv.id)
		}
	}
	live, ended := 0, 0
	for _, s := range a.subscriptions.all {
		switch {
		case s.live() && (s.periodEnd <= end || s.status == "canceled"):
			t.Errorf("%s lives in the past", s.id)
		case s.live():
			live++
		default:
			ended++
		}
	}
	if live < 100 || ended < 100 {
		t.Errorf("%d live, %d ended of 400", live, ended)
	}
	for _, e := range a.events.all {
		if e.created < end-eventAge || e.created > end {
			t.Errorf("event %s is of %d", e.id, e.created)
		}
	}
}

// A failed payment raises the hazard by its term, so customers in dunning must leave far more often than others.
func TestChurnFollowsTheHazards(t *testing.T) {
	a := generate(5, 3000)
	type group struct{ customers, left int }
	var failed, clean group
	for _, s := range a.subscriptions.all {
		ever := false
		for _, c := range a.chargesOf(s) {
			ever = ever || c.failed
		}
		g := &clean
		if ever {
			g = &failed
		}
		g.customers++
		if !s.live() {
			g.left++
		}
	}
	rate := func(g group) float64 { return float64(g.left) / float64(g.customers) }
	if rate(failed) < rate(clean)+0.1 {
		t.Errorf("left: %.2f of those with a failed payment, %.2f of the others", rate(failed), rate(clean))
	}
}

func (a *Account) chargesOf(s *subscription) (out []*charge) {
	for _, c := range a.charges.all {
		if c.invoice.sub == s {
			out = append(out, c)
		}
	}
	return out
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		generate(1, 1000)
	}
}
