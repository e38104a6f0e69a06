package scoring

import (
	"testing"

	"github.com/kustiq/kustiq/engine/signal"
)

// from turns a failure into one read from a listed object: a charge (without count) or an open invoice (inferred).
func from(p signal.Provenance, sig signal.Signal) signal.Signal {
	sig.Provenance, sig.EventID = p, ""
	return sig
}

func charge(at int64, invoice string) signal.Signal {
	sig := from(signal.FromListed, failed(at, invoice, 0))
	sig.Invoice.NextAttempt, sig.Invoice.BillingReason = nil, ""
	return sig
}

func withInvoice(sig signal.Signal, change func(*signal.Invoice)) signal.Signal {
	change(sig.Invoice)
	return sig
}

// 7. Fourteen days exactly is Critical, one second more is not; likewise the age of 28 days. All with tenure 225 d.
func TestCriticalWindow(t *testing.T) {
	base := paying(now-225*d, 1)
	missed := func(created int64) signal.Signal {
		return withInvoice(failed(now, "in_1", 2), func(i *signal.Invoice) { i.Created = created })
	}
	cases := map[string]struct {
		more []signal.Signal
		want Tier
	}{
		"14 d apart":                               {[]signal.Signal{failed(now-14*d, "in_1", 1), failed(now, "in_1", 2)}, Critical},
		"14 d and 1 s apart":                       {[]signal.Signal{failed(now-14*d-1, "in_1", 1), failed(now, "in_1", 2)}, Normal},
		"on two invoices":                          {[]signal.Signal{failed(now-14*d, "in_1", 1), failed(now, "in_2", 1)}, Critical},
		"28 d ago":                                 {[]signal.Signal{failed(now-29*d, "in_1", 1), failed(now-28*d, "in_1", 2)}, Critical},
		"28 d and 1 s ago":                         {[]signal.Signal{failed(now-29*d, "in_1", 1), failed(now-28*d-1, "in_1", 2)}, Normal},
		"one failure":                              {[]signal.Signal{failed(now, "in_1", 1)}, Normal},
		"first failure since paid":                 {[]signal.Signal{failed(now-5*d, "in_1", 1), paid(now-4*d, "in_1"), failed(now, "in_2", 1)}, Critical},
		"paid one is the newer":                    {[]signal.Signal{failed(now-5*d, "in_1", 1), failed(now, "in_2", 1), paid(now, "in_2")}, Normal},
		"all paid":                                 {[]signal.Signal{failed(now-5*d, "in_1", 1), failed(now, "in_1", 2), paid(now, "in_1")}, Normal},
		"missed the first, created 14 d ago":       {[]signal.Signal{missed(now - 14*d)}, Critical},
		"missed the first, created 14 d 1 s ago":   {[]signal.Signal{missed(now - 14*d - 1)}, Normal},
		"same attempt under two ids":               {[]signal.Signal{failed(now-d, "in_1", 1), failed(now, "in_1", 1)}, Normal},
		"an event and its charge":                  {[]signal.Signal{charge(now-d, "in_1"), failed(now, "in_1", 1)}, Normal},
		"two charges":                              {[]signal.Signal{charge(now-d, "in_1"), charge(now, "in_1")}, Critical},
		"open invoice listed with two attempts":    {[]signal.Signal{from(signal.FromInference, failed(now-5*d, "in_1", 2))}, Critical},
		"a third failure alone, 20 d after a pair": {[]signal.Signal{failed(now-21*d, "in_1", 1), failed(now-20*d, "in_1", 2), failed(now, "in_1", 3)}, Critical},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if e := evaluated(now, base, c.more...); e.Tier != c.want {
				t.Errorf("tier %s, want %s: %+v", e.Tier, c.want, e.Terms)
			}
		})
	}
}

// What counts into n, told by the weight of open dunning (W = 1.9, 3.0, 3.4, 3.7, …, +0.8 when final).
func TestDunningWeight(t *testing.T) {
	base := paying(now-225*d, 1)
	cases := map[string]struct {
		more []signal.Signal
		want float64
	}{
		"highest count beats those seen":     {[]signal.Signal{failed(now, "in_1", 3)}, 3.4},
		"more than six":                      {[]signal.Signal{failed(now, "in_1", 9)}, 4.2},
		"summed over invoices":               {[]signal.Signal{failed(now-d, "in_1", 2), failed(now, "in_2", 1)}, 3.4},
		"three charges, two events of them":  {[]signal.Signal{charge(now-3*d, "in_1"), charge(now-2*d, "in_1"), charge(now, "in_1"), failed(now-2*d, "in_1", 2), failed(now, "in_1", 3)}, 3.4},
		"a charge is never final":            {[]signal.Signal{charge(now, "in_1")}, 1.9},
		"final":                              {[]signal.Signal{failedLast(now, "in_1", 1)}, 2.7},
		"final on the highest only":          {[]signal.Signal{failedLast(now-d, "in_1", 1), failed(now, "in_1", 2)}, 3.0},
		"final although told late":           {[]signal.Signal{failedLast(now-d, "in_1", 2), failed(now, "in_1", 1)}, 3.8},
		"without counts, by time":            {[]signal.Signal{failed(now-d, "in_1", 0), failed(now, "in_1", 0), failed(now, "in_1", 0)}, 3.0},
		"an event's time beats inferred":     {[]signal.Signal{from(signal.FromInference, failed(now-40*d, "in_1", 1)), failed(now, "in_1", 1)}, 1.9},
		"holds 14 d":                         {[]signal.Signal{failed(now-14*d, "in_1", 1)}, 1.9},
		"paid once is never unpaid":          {[]signal.Signal{failed(now-3*d, "in_1", 1), paid(now-2*d, "in_1"), failed(now, "in_1", 2)}, 0},
		"a payment of nothing settles none":  {[]signal.Signal{failed(now, "in_1", 1), withInvoice(paid(now, "in_1"), func(i *signal.Invoice) { i.AmountPaid = 0 })}, 1.9},
		"paid outside Stripe":                {[]signal.Signal{failed(now, "in_1", 1), withInvoice(paid(now, "in_1"), func(i *signal.Invoice) { i.AmountPaid, i.OutOfBand = 0, true })}, 0},
		"a further signup of a payer counts": {[]signal.Signal{withInvoice(failed(now, "in_1", 1), func(i *signal.Invoice) { i.BillingReason = reasonCreate })}, 1.9},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := 0.0
			for _, term := range evaluated(now, base, c.more...).Terms {
				if term.Name == "open_dunning" {
					got = term.LogOdds
				}
			}
			if got != c.want {
				t.Errorf("F = %v, want %v", got, c.want)
			}
		})
	}
}

func TestResidual(t *testing.T) {
	base := paying(now-225*d, 1)
	history := []signal.Signal{failed(now-3*d, "in_1", 1), failed(now-2*d, "in_1", 2), failed(now-d, "in_2", 1)}
	if e := evaluated(now, base, append(history, paid(now, "in_1"))...); termOf(t, e, "open_dunning").LogOdds != 1.9 || len(e.Terms) != 2 {
		t.Errorf("one of two paid: %+v", e.Terms)
	}
	// The first payment ended an episode of three failures; the second one of a single failure.
	all := append(history, paid(now, "in_1"), paid(now, "in_2"))
	if r := termOf(t, evaluated(now, base, all...), "residual"); r.LogOdds != 1.5 || r.Label != "Paid after 3 failed payments" {
		t.Errorf("residual = %+v", r)
	}
	// A payment without a failure is no recovery.
	if e := evaluated(now, base, paid(now, "in_9")); len(e.Terms) != 1 {
		t.Errorf("terms = %+v", e.Terms)
	}
	// A worse episode of old is capped by what the later payment ends.
	old := []signal.Signal{failedLast(now-41*d, "in_1", 6), paid(now-40*d, "in_1"), failed(now-39*d, "in_2", 1), paid(now, "in_2")}
	before := evaluated(now, base, old[:3]...)
	if after := evaluated(now, base, old...); after.Eta > before.Eta {
		t.Errorf("the payment raised η from %v to %v", before.Eta, after.Eta)
	}
}

func TestDunningIsExplained(t *testing.T) {
	base := paying(now-225*d, 1)
	a, b, c := failed(now-3*d, "in_1", 1), failed(now-d, "in_1", 2), failedLast(now, "in_2", 1)
	cases := []struct {
		more  []signal.Signal
		label string
	}{
		{[]signal.Signal{a}, "1 failed payment on an unpaid invoice"},
		{[]signal.Signal{a, b}, "2 failed payments on an unpaid invoice"},
		{[]signal.Signal{a, b, c}, "3 failed payments on 2 unpaid invoices, no further attempt planned"},
	}
	for _, c := range cases {
		term := termOf(t, evaluated(now, base, c.more...), "open_dunning")
		if term.Label != c.label || term.Basis != BasisData || len(term.Evidence) != len(c.more) || term.Evidence[0] != a.ID {
			t.Errorf("term = %+v, want %q", term, c.label)
		}
	}
}
