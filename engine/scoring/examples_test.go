package scoring

import (
	"math"
	"testing"

	"github.com/kustiq/kustiq/engine/signal"
)

// The worked examples of the model. Tenure is held: the history begins that many days before the evaluation.
func TestWorkedExamples(t *testing.T) {
	monthly := paying(now-225*d, 1)
	yearly := paying(now-225*d, 12)
	cases := map[string]struct {
		history []signal.Signal
		more    []signal.Signal
		eta     float64
		p30     float64
		score   int
		tier    Tier
	}{
		"no signal":     {monthly, nil, -2.9060, .0519, 38, Normal},
		"1 failure now": {monthly, []signal.Signal{failed(now, "in_1", 1)}, -1.0060, .2678, 65, Normal},
		"2nd failure 3 d later": {monthly, []signal.Signal{failed(now-3*d, "in_1", 1), failed(now, "in_1", 2)},
			0.0940, .5235, 95, Critical},
		"4 failures in the window, final": {monthly, []signal.Signal{failed(now-12*d, "in_1", 1), failed(now-9*d, "in_1", 2),
			failed(now-5*d, "in_1", 3), failedLast(now, "in_1", 4)}, 1.5940, .8312, 97, Critical},
		"2 failures, then paid": {monthly, []signal.Signal{failed(now-3*d, "in_1", 1), failed(now, "in_1", 2), paid(now, "in_1")},
			-1.6060, .1671, 57, Normal},
		"1 failure, then paid": {monthly, []signal.Signal{failed(now, "in_1", 1), paid(now, "in_1")}, -1.8060, .1411, 54, Normal},
		"2 failures, paid 60 d ago": {monthly, []signal.Signal{failed(now-63*d, "in_1", 1), failed(now-60*d, "in_1", 2),
			paid(now-60*d, "in_1")}, -2.2560, .0948, 47, Normal},
		"yearly mid-term": {yearly, nil, -4.6690, .0093, 13, Normal},
		"yearly mid-term, 2 failures": {yearly, []signal.Signal{failed(now-3*d, "in_1", 1), failed(now, "in_1", 2)},
			-1.6690, .1586, 91, Critical},
		"tenure 18 d, failure, dispute, half the price": {paying(now-18*d, 1), []signal.Signal{failed(now, "in_1", 1),
			disputed1(now, "dp_1"), repriced(now, 10000, 5000)}, 2.8843, .9471, 88, Normal},
		"dispute, day 0":  {monthly, []signal.Signal{disputed1(now, "dp_1")}, -.7060, .3305, 70, Normal},
		"dispute, day 7":  {monthly, []signal.Signal{disputed1(now-7*d, "dp_1")}, -1.8060, .1411, 54, Normal},
		"dispute, day 14": {monthly, []signal.Signal{disputed1(now-14*d, "dp_1")}, -2.3560, .0866, 46, Normal},
		"dispute, day 28": {monthly, []signal.Signal{disputed1(now-28*d, "dp_1")}, -2.7685, .0590, 40, Normal},
		"$100 to $50":     {monthly, []signal.Signal{repriced(now, 10000, 5000)}, -2.0060, .1186, 51, Normal},
		"$100 to $50, back after 10 d": {monthly, []signal.Signal{repriced(now-10*d, 10000, 5000), repriced(now, 5000, 10000)},
			-2.9715, .0487, 37, Normal},
		"$100 to $80": {monthly, []signal.Signal{repriced(now, 10000, 8000)}, -2.6163, .0681, 42, Normal},
		"paused":      {monthly, []signal.Signal{sub1(signal.SubscriptionPaused, now-5*d)}, -1.6060, .1671, 57, Normal},
		"resumed": {monthly, []signal.Signal{sub1(signal.SubscriptionPaused, now-5*d), sub1(signal.SubscriptionResumed, now)},
			-2.5060, .0754, 44, Normal},
		"one open failure, 28 d old": {monthly, []signal.Signal{failed(now-28*d, "in_1", 1)}, -1.9560, .1239, 52, Normal},
		"one open failure, 42 d old": {monthly, []signal.Signal{failed(now-42*d, "in_1", 1)}, -2.4310, .0808, 45, Normal},
		"two open failures 15 d apart": {monthly, []signal.Signal{failed(now-15*d, "in_1", 1), failed(now, "in_2", 1)},
			0.0940, .5235, 81, Normal},
		"one of several deleted": {append(monthly, about(signal.SubscriptionObserved, now-100*d, signal.Subscription{ID: "sub_2", Status: "active", Start: now - 100*d})),
			[]signal.Signal{about(signal.SubscriptionDeleted, now, signal.Subscription{ID: "sub_2"})}, -1.7060, .1537, 55, Normal},
		"cancellation withdrawn": {monthly, []signal.Signal{sub1(signal.CancelScheduled, now-d), sub1(signal.CancelWithdrawn, now)},
			-2.0060, .1186, 51, Normal},
		"cancellation scheduled": {monthly, []signal.Signal{sub1(signal.CancelScheduled, now)}, 2.1972, .9, 89, Leaving},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := evaluated(now, c.history, c.more...)
			if math.Abs(e.Eta-c.eta) > 0.00005001 || math.Abs(e.P30-c.p30) > 0.00005001 || e.Score != c.score || e.Tier != c.tier {
				t.Errorf("η %.4f p30 %.4f score %d %s, want %.4f %.4f %d %s\n%+v",
					e.Eta, e.P30, e.Score, e.Tier, c.eta, c.p30, c.score, c.tier, e.Terms)
			}
		})
	}
}

// 365 days after the payment the customer would have a longer tenure; invoices that do not tell their creation hold it.
func TestResidualAfterAYear(t *testing.T) {
	history := []signal.Signal{failed(now-368*d, "in_1", 1), failed(now-365*d, "in_1", 2), paid(now-365*d, "in_1"), paid(now-225*d, "in_first")}
	for i := range history[:3] {
		history[i].Invoice.Created = 0
	}
	if e := evaluated(now, history); math.Abs(e.Eta+2.8868) > 0.00005 || math.Abs(e.P30-.0528) > 0.00005 || e.Score != 38 {
		t.Errorf("η %.4f p30 %.4f score %d", e.Eta, e.P30, e.Score)
	}
}

func TestBaselineByTenure(t *testing.T) {
	for days, want := range map[int64]int{3: 45, 18: 49, 45: 48, 225: 38, 365: 35, 1000: 30} {
		if e := evaluated(now, paying(now-days*d, 1)); e.Score != want {
			t.Errorf("tenure %d d: score %d, want %d", days, e.Score, want)
		}
	}
}

func TestYearlyBaseline(t *testing.T) {
	const year = 365 * d
	cases := map[string]struct {
		start, end    int64
		paidAt, trial int64
		p             float64
	}{
		"first week":                     {now - 7*d, now + 358*d, 0, 0, .0428},
		"first month":                    {now - 8*d, now + 357*d, 0, 0, .0229},
		"last day of it":                 {now - 30*d, now + 335*d, 0, 0, .0229},
		"mid-term":                       {now - 31*d, now + 334*d, 0, 0, .0145},
		"60 days before renewal":         {now - 305*d, now + 60*d, 0, 0, .041},
		"61 days before renewal":         {now - 304*d, now + 61*d, 0, 0, .0145},
		"30 days before renewal":         {now - 335*d, now + 30*d, 0, 0, .148},
		"7 days before renewal":          {now - 358*d, now + 7*d, 0, 0, .255},
		"renewed, unpaid":                {now - 10*d - year, now + 355*d, 0, 0, .15},
		"renewed, paid":                  {now - 10*d - year, now + 355*d, now - 9*d, 0, .05},
		"renewed long ago":               {now - 31*d - year, now + 334*d, 0, 0, .0145},
		"renewal not heard of":           {now - 10*d - year, now - 10*d, 0, 0, .15},
		"in a trial":                     {now - 10*d, now + 4*d, 0, now + 4*d, .0229},
		"first week after a trial":       {now - 21*d, now - 7*d + year, now - 7*d, now - 7*d, .0428},
		"first month after a trial":      {now - 24*d, now - 10*d + year, now - 10*d, now - 10*d, .0229},
		"the trial's end not heard of":   {now - 24*d, now - 10*d, 0, now - 10*d, .0229},
		"no period but a trial known":    {now - 24*d, 0, 0, now - 10*d, .0229},
		"billed from a date after it":    {now - 60*d, now + 5*d - 335*d + year, now - 10*d, now - 10*d, .0229},
		"renewed a year after its trial": {now - 24*d - year, now + 355*d, now - 9*d, now - 10*d - year, .05},
		"no period known":                {now - 100*d, 0, 0, 0, .0145},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sub := subscription{ID: "sub_1", Months: 12, Start: c.start, PeriodEnd: c.end, LastPaid: c.paidAt, TrialEnd: c.trial}
			b := newBaseline(c.start, &sub, now, 0)
			if got, want := b.logOdds(now), logit(c.p)+baselineShift; math.Abs(got-want) > 1e-12 {
				t.Errorf("ℓ = %.4f, want %.4f", got, want)
			}
		})
	}
}

func TestOtherIntervals(t *testing.T) {
	// Mid-term: 225 days in, which is 75 days before the end of the tenth month.
	for months, weight := range map[float64]float64{0.23: 0, 1: 0, 3: math.Log(3) / math.Log(12), 6: math.Log(6) / math.Log(12), 12: 1, 24: 1} {
		sub := subscription{ID: "sub_1", Months: months, Start: now - 225*d, PeriodEnd: now + int64(months/2*monthSeconds)}
		b := newBaseline(sub.Start, &sub, now, 0)
		p := (1-weight)*.0790 + weight*.0145
		if got, want := b.logOdds(now), logit(p)+baselineShift; math.Abs(got-want) > 1e-9 {
			t.Errorf("%v months: ℓ = %.4f, want %.4f", months, got, want)
		}
	}
	// The renewal windows scale: the last week of a year is the last 1.75 days of a quarter.
	sub := subscription{ID: "sub_1", Months: 3, Start: now - 225*d, PeriodEnd: now + 2*d}
	b := newBaseline(sub.Start, &sub, now, 0)
	if p := b.termChurn(now); p != churnRenewal {
		t.Errorf("2 days before a quarter's end: %v", p)
	}
	if p := b.termChurn(now + d/2); p != churnRenewalWeek {
		t.Errorf("1.5 days before a quarter's end: %v", p)
	}
}
