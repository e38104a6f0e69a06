package scoring

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/kustiq/kustiq/engine/signal"
)

func sub(kind signal.Kind, at int64, id, status string, start int64) signal.Signal {
	return about(kind, at, signal.Subscription{ID: id, Status: status, Currency: "usd", Start: start, MRR: value(5000), IntervalMonths: 1})
}

func observed(at int64, status string, start int64) signal.Signal {
	return sub(signal.SubscriptionObserved, at, "sub_1", status, start)
}

// listed is a state that a list told.
func listed(at int64) signal.Signal {
	sig := observed(at, statusActive, at-100*d)
	sig.ID, sig.EventID, sig.Provenance = fmt.Sprintf("sub_1:observed:%d", at), "", signal.FromListed
	return sig
}

func with(sig signal.Signal, change func(*signal.Subscription)) signal.Signal {
	change(sig.Subscription)
	return sig
}

func signup(at int64, invoice string) signal.Signal {
	return withInvoice(failedLast(at, invoice, 1), func(i *signal.Invoice) { i.BillingReason = reasonCreate })
}

// Who is scored at all, and who is gone.
func TestTierOfState(t *testing.T) {
	const start = now - 100*d
	nothing := withInvoice(paid(start, "in_0"), func(i *signal.Invoice) { i.AmountPaid, i.BillingReason = 0, reasonCreate })
	trial := func(sig signal.Signal, end int64) signal.Signal {
		return with(sig, func(s *signal.Subscription) { s.TrialEnd = end })
	}
	cases := map[string]struct {
		signals []signal.Signal
		want    Tier
	}{
		"nothing known":                           {nil, Unscored},
		"only created":                            {[]signal.Signal{of(signal.CustomerCreated, start)}, Unscored},
		"first payment failed":                    {[]signal.Signal{signup(now, "in_1")}, Unscored},
		"first payment failed twice":              {[]signal.Signal{signup(now-d, "in_1"), signup(now, "in_2")}, Unscored},
		"first payment failed, then paid":         {[]signal.Signal{signup(now-d, "in_1"), paid(now, "in_1")}, Normal},
		"signup failed, another paid":             {[]signal.Signal{signup(now-d, "in_1"), paid(now, "in_2")}, Normal},
		"incomplete":                              {[]signal.Signal{observed(now-30*d, statusIncomplete, start)}, Unscored},
		"expired":                                 {[]signal.Signal{observed(now-30*d, statusIncompleteExpired, start)}, Unscored},
		"trial":                                   {[]signal.Signal{nothing, observed(now-d, "trialing", start)}, Unscored},
		"active for long":                         {[]signal.Signal{observed(now-d, statusActive, start)}, Normal},
		"active since a moment":                   {[]signal.Signal{observed(now, statusActive, now)}, Unscored},
		"past due for long":                       {[]signal.Signal{observed(now-d, statusPastDue, start)}, Normal},
		"active since the trial's end":            {[]signal.Signal{trial(observed(now, statusActive, start), now-60)}, Unscored},
		"active long after the trial":             {[]signal.Signal{trial(observed(now, statusActive, start), now-20*d)}, Normal},
		"past due right after the trial":          {[]signal.Signal{trial(observed(now, statusPastDue, start), now-5*d)}, Unscored},
		"past due in a later period":              {[]signal.Signal{trial(observed(now, statusPastDue, start), now-50*d)}, Normal},
		"failed after the trial":                  {[]signal.Signal{trial(observed(now-4*d, statusPastDue, start), now-5*d), failed(now-4*d, "in_1", 1)}, Unscored},
		"active, though its first invoice is not": {[]signal.Signal{signup(now-9*d, "in_1"), observed(now-8*d, statusActive, now-9*d)}, Unscored},
		"a renewal failed, nothing else known":    {[]signal.Signal{failed(now, "in_1", 1)}, Normal},
		"a charge failed, nothing else known":     {[]signal.Signal{charge(now, "in_1")}, Unscored},
		"a disputed charge was paid":              {[]signal.Signal{disputed1(now, "dp_1")}, Normal},
		"trial ended without paying":              {[]signal.Signal{trial(sub(signal.SubscriptionDeleted, now, "sub_1", statusCanceled, start), now)}, Unscored},
		"ended, observed only":                    {[]signal.Signal{with(observed(now, statusCanceled, start), func(s *signal.Subscription) { s.EndedAt = now - 50*d })}, Churned},
		"deleted":                                 {append(paying(start, 1), sub1(signal.SubscriptionDeleted, now)), Churned},
		"deleted, one left": {append(paying(start, 1), sub(signal.SubscriptionObserved, start, "sub_2", statusActive, start),
			sub1(signal.SubscriptionDeleted, now)), Normal},
		"deleted, an unpaid signup left": {append(paying(start, 1), sub1(signal.SubscriptionDeleted, now-d),
			withInvoice(signup(now, "in_7"), func(i *signal.Invoice) { i.Subscription = "sub_2" })), Churned},
		"deleted is for good": {append(paying(start, 1), sub1(signal.SubscriptionDeleted, now-2*d), observed(now, statusActive, start)), Churned},
		"came back": {append(paying(start, 1), sub1(signal.SubscriptionDeleted, now-20*d),
			sub(signal.SubscriptionObserved, now-d, "sub_2", statusActive, now-d)), Normal},
		"end scheduled on one of two": {append(paying(start, 1), sub(signal.SubscriptionObserved, start, "sub_2", statusActive, start),
			sub1(signal.CancelScheduled, now)), Normal},
		"end scheduled on both": {append(paying(start, 1), sub(signal.SubscriptionObserved, start, "sub_2", statusActive, start),
			sub1(signal.CancelScheduled, now-d), sub(signal.CancelScheduled, now, "sub_2", statusActive, start)), Leaving},
		"end scheduled and taken back":                       {append(paying(start, 1), sub1(signal.CancelScheduled, now-d), sub1(signal.CancelWithdrawn, now)), Normal},
		"end observed only":                                  {append(paying(start, 1), with(observed(now, statusActive, start), func(s *signal.Subscription) { s.CancelAtPeriodEnd = true })), Leaving},
		"withdrawal observed only":                           {append(paying(start, 1), sub1(signal.CancelScheduled, now-d), observed(now, statusActive, start)), Normal},
		"end scheduled in the second of a listing, after it": {append(paying(start, 1), sub1(signal.CancelScheduled, now), listed(now)), Leaving},
		"end scheduled before the second of a listing":       {append(paying(start, 1), sub1(signal.CancelScheduled, now-1), listed(now)), Normal},
		"critical and leaving":                               {append(paying(start, 1), sub1(signal.CancelScheduled, now-d), failed(now-d, "in_1", 1), failed(now, "in_1", 2)), Critical},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if e := evaluated(now, c.signals); e.Tier != c.want {
				t.Errorf("tier %s, want %s: %+v", e.Tier, c.want, e)
			}
		})
	}
}

// The terms beyond the worked examples.
func TestTerms(t *testing.T) {
	base := paying(now-225*d, 1)
	second := sub(signal.SubscriptionObserved, now-225*d, "sub_2", statusActive, now-225*d)
	cases := map[string]struct {
		more []signal.Signal
		term string
		want float64
	}{
		"deleted, 30 d ago":   {[]signal.Signal{second, sub1(signal.SubscriptionDeleted, now-30*d)}, "subscription_deleted", 0.6},
		"withdrawn, 60 d ago": {[]signal.Signal{sub1(signal.CancelScheduled, now-61*d), sub1(signal.CancelWithdrawn, now-60*d)}, "cancel_withdrawn", 0.45},
		"came back 60 d ago": {[]signal.Signal{sub1(signal.SubscriptionDeleted, now-70*d),
			sub(signal.SubscriptionObserved, now, "sub_2", statusActive, now-60*d)}, "resubscribed", 0.4},
		"moved to another beforehand": {[]signal.Signal{sub(signal.SubscriptionObserved, now, "sub_2", statusActive, now-61*d),
			sub1(signal.SubscriptionDeleted, now-60*d)}, "subscription_deleted", 0.3},
		"paused, told twice, resumed once": {[]signal.Signal{sub1(signal.SubscriptionPaused, now-40*d), sub1(signal.SubscriptionPaused, now-40*d+5),
			sub1(signal.SubscriptionResumed, now-30*d)}, "pause", 0.2},
		"resume told twice": {[]signal.Signal{sub1(signal.SubscriptionPaused, now-40*d),
			sub1(signal.SubscriptionResumed, now-30*d), sub1(signal.SubscriptionResumed, now)}, "pause", 0.2},
		"pause observed only": {[]signal.Signal{with(observed(now, statusActive, now-225*d), func(s *signal.Subscription) { s.Paused = true })}, "pause", 1.3},
		"one of two resumed": {[]signal.Signal{second, sub1(signal.SubscriptionPaused, now-2*d), sub(signal.SubscriptionPaused, now-2*d, "sub_2", statusActive, now-225*d),
			sub1(signal.SubscriptionResumed, now)}, "pause", 1.3},
		"free plan":             {[]signal.Signal{repriced(now, 10000, 0)}, "price_change", 1.35},
		"downgrades are capped": {[]signal.Signal{repriced(now, 10000, 1000), repriced(now, 1000, 100)}, "price_change", 1.35},
		"upgrades are capped":   {[]signal.Signal{repriced(now, 100, 1000), repriced(now, 1000, 10000)}, "price_change", -0.9},
		"many disputes":         {[]signal.Signal{disputed1(now, "dp_1"), disputed1(now, "dp_2"), disputed1(now, "dp_2")}, "dispute", 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if term := termOf(t, evaluated(now, base, c.more...), c.term); math.Abs(term.LogOdds-c.want) > 1e-9 {
				t.Errorf("%s = %v, want %v", c.term, term.LogOdds, c.want)
			}
		})
	}
	t.Run("a resume without a pause", func(t *testing.T) {
		if e := evaluated(now, base, sub1(signal.SubscriptionResumed, now)); len(e.Terms) != 1 {
			t.Errorf("terms = %+v", e.Terms)
		}
	})
	t.Run("a change inferred after its event", func(t *testing.T) {
		late := from(signal.FromInference, repriced(now, 10000, 5000))
		if term := termOf(t, evaluated(now, base, repriced(now-60*d, 10000, 5000), late), "price_change"); math.Abs(term.LogOdds-.45) > 1e-9 {
			t.Errorf("price_change = %v, want .45", term.LogOdds)
		}
	})
}

func TestMostValuableSubscriptionSetsTheBaseline(t *testing.T) {
	yearly := with(sub(signal.SubscriptionObserved, now-225*d, "sub_2", statusActive, now-225*d), func(s *signal.Subscription) {
		s.IntervalMonths, s.MRR = 12, value(20000)
	})
	e := evaluated(now, paying(now-225*d, 1), yearly)
	if e.IntervalMonths != 12 || e.MRR != 30000 || e.Currency != "usd" || math.Abs(e.Eta+4.669) > 0.0001 {
		t.Errorf("evaluation = %+v", e)
	}
}

// Context takes effect with the next churn or recovery signal; an observed subscription at once, without letting it in.
func TestGate(t *testing.T) {
	const start = now - 100*d
	early := of(signal.CustomerCreated, now-10*d)
	early.Person = &signal.Person{CustomerCreated: start - 200*d}
	days := func(more ...signal.Signal) float64 { return evaluated(now, paying(start, 1), more...).TenureDays }
	if got := days(early); got != 100 {
		t.Errorf("context alone: tenure %v", got)
	}
	if got := days(early, observed(now, statusActive, start)); got != 100 {
		t.Errorf("an observed subscription let context in: tenure %v", got)
	}
	if got := days(early, paid(now-11*d, "in_2")); got != 100 {
		t.Errorf("an older signal let context in: tenure %v", got)
	}
	for _, sig := range []signal.Signal{paid(now-10*d, "in_2"), disputed1(now, "dp_1"), sub1(signal.CancelScheduled, now)} {
		if got := days(early, sig); got != 300 {
			t.Errorf("%s did not let context in: tenure %v", sig.Kind, got)
		}
	}
	if e := evaluated(now, paying(start, 1), early, observed(now, statusActive, start)); e.LastSignalAt != start {
		t.Errorf("last signal at %d, want %d", e.LastSignalAt, start)
	}
}

// A customer known from invoices alone still has a value and an interval; the subscription's own facts then win.
func TestFactsFromInvoices(t *testing.T) {
	bill := withInvoice(paid(now-50*d, "in_1"), func(i *signal.Invoice) {
		i.BillingReason, i.MRR, i.IntervalMonths, i.Currency, i.PeriodEnd = reasonCreate, value(700), 12, "eur", now+300*d
	})
	e := evaluated(now, []signal.Signal{bill})
	if e.MRR != 700 || e.Currency != "eur" || e.IntervalMonths != 12 || e.TenureDays != 50 || e.Tier != Normal {
		t.Errorf("from the invoice: %+v", e)
	}
	own := observed(now-50*d, statusActive, now-50*d)
	if e := evaluated(now, []signal.Signal{own, bill}); e.MRR != 5000 || e.IntervalMonths != 1 {
		t.Errorf("from the subscription: %+v", e)
	}
}

func TestAtRiskSegment(t *testing.T) {
	base := paying(now-225*d, 1)
	cases := map[string]struct {
		more []signal.Signal
		want bool
	}{
		"quiet":              {nil, false},
		"score of 60":        {[]signal.Signal{failed(now, "in_1", 1)}, true},
		"half the price":     {[]signal.Signal{repriced(now, 10000, 5000)}, true},
		"a fifth less":       {[]signal.Signal{repriced(now, 10000, 8000)}, false},
		"paused":             {[]signal.Signal{sub1(signal.SubscriptionPaused, now)}, true},
		"resumed":            {[]signal.Signal{sub1(signal.SubscriptionPaused, now), sub1(signal.SubscriptionResumed, now)}, false},
		"paid again":         {[]signal.Signal{failed(now, "in_1", 1), paid(now, "in_1")}, false},
		"leaving":            {[]signal.Signal{sub1(signal.CancelScheduled, now)}, true},
		"churned":            {[]signal.Signal{sub1(signal.SubscriptionDeleted, now)}, false},
		"upgrade offsets no": {[]signal.Signal{repriced(now, 5000, 10000), failed(now-20*d, "in_1", 1)}, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if e := evaluated(now, base, c.more...); e.Segment != c.want {
				t.Errorf("at risk %v, want %v: %+v", e.Segment, c.want, e)
			}
		})
	}
}

func TestLess(t *testing.T) {
	order := []Ranked{
		{"cus_9", Critical, 95, 0}, {"cus_8", Critical, 91, 0}, {"cus_7", Leaving, 89, 0}, {"cus_6", Normal, 88, 200},
		{"cus_4", Normal, 88, 100}, {"cus_5", Normal, 88, 100}, {"cus_3", Normal, 20, 900}, {"cus_2", Churned, 100, 0}, {"cus_1", Unscored, 0, 0},
	}
	for i := range order {
		for j := range order {
			if got := Less(order[i], order[j]); got != (i < j) {
				t.Errorf("Less(%v, %v) = %v", order[i], order[j], got)
			}
		}
	}
}

func TestInterceptShiftsTheBaseline(t *testing.T) {
	s := Fold(paying(now-225*d, 1))
	e := Evaluate(s, at(now), Params{Intercept: 0.5, Version: "fit-7"})
	if math.Abs(e.Eta+2.406) > 0.0001 || e.ModelVersion != "fit-7" {
		t.Errorf("η %v, model %s", e.Eta, e.ModelVersion)
	}
}

// What customer-success people read.
func TestLabels(t *testing.T) {
	base := paying(now-225*d, 1)
	ending := about(signal.CancelScheduled, now, signal.Subscription{ID: "sub_1", CurrentPeriodEnd: 1_801_000_000})
	cases := map[string]struct {
		more  []signal.Signal
		name  string
		label string
		basis string
	}{
		"baseline":   {nil, "baseline", "Usual risk for a monthly plan after 225 days", BasisData},
		"downgrade":  {[]signal.Signal{repriced(now, 10000, 5000)}, "price_change", "Downgraded, 50 % less a month", BasisPrior},
		"won back":   {[]signal.Signal{repriced(now-d, 10000, 5000), repriced(now, 5000, 8000)}, "price_change", "An earlier downgrade, partly made up for", BasisPrior},
		"upgrade":    {[]signal.Signal{repriced(now, 5000, 10000)}, "price_change", "Upgraded to a higher monthly value", BasisPrior},
		"pause":      {[]signal.Signal{sub1(signal.SubscriptionPaused, now)}, "pause", "Subscription paused", BasisData},
		"dispute":    {[]signal.Signal{disputed1(now, "dp_1")}, "dispute", "Disputed a charge with the bank", BasisPrior},
		"disputes":   {[]signal.Signal{disputed1(now-d, "dp_1"), disputed1(now, "dp_2")}, "dispute", "Disputed 2 charges with the bank", BasisPrior},
		"cancelling": {[]signal.Signal{ending}, "cancel_scheduled", "Cancellation scheduled, the period ends on 26 January 2027", BasisPrior},
		"ended":      {[]signal.Signal{sub1(signal.SubscriptionDeleted, now)}, "subscription_deleted", "Last subscription ended", BasisPrior},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			term := termOf(t, evaluated(now, base, c.more...), c.name)
			if term.Label != c.label || term.Basis != c.basis || (c.name != "baseline" && len(term.Evidence) != len(c.more)) {
				t.Errorf("term = %+v, want %q (%s)", term, c.label, c.basis)
			}
		})
	}
}

// One update of a subscription may be several signals; a term names Stripe's event.
func TestEvidenceIsNamedAsStripeNamesIt(t *testing.T) {
	down, ending := repriced(now, 10000, 5000), sub1(signal.CancelScheduled, now)
	down.ID, down.EventID, ending.ID, ending.EventID = "evt_1", "evt_1", "evt_1#2", "evt_1"
	e := evaluated(now, paying(now-225*d, 1), down, ending)
	for _, name := range []string{"price_change", "cancel_scheduled"} {
		if got := termOf(t, e, name).Evidence; !slices.Equal(got, []string{"evt_1"}) {
			t.Errorf("evidence of %s: %q", name, got)
		}
	}
	if got := named([]string{"in_1:failed:2", "evt_1", "evt_1#2", "evt_1#3"}); !slices.Equal(got, []string{"in_1:failed:2", "evt_1"}) {
		t.Errorf("named: %q", got)
	}
}
