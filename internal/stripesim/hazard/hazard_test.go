package hazard

import (
	"math"
	"testing"
)

const now = 1_700_000_000

// The worked examples of the model's text (section 8): monthly plan, tenure held at 225 days unless said.
func TestWorkedExamples(t *testing.T) {
	month := Facts{Months: 1, Tenure: 225}
	annual := Facts{Months: 12, Tenure: 200, ToRenewal: 165}
	cases := map[string]struct {
		facts    Facts
		happened func(m *Mood)
		eta      float64
	}{
		"nothing":           {month, func(*Mood) {}, -2.9060},
		"one failure":       {month, func(m *Mood) { m.Failed(now, false) }, -1.0060},
		"two failures":      {month, func(m *Mood) { m.Failed(now-3*Day, false); m.Failed(now, false) }, 0.0940},
		"four, the last":    {month, func(m *Mood) { fail(m, 4, now) }, 1.5940},
		"two, then paid":    {month, func(m *Mood) { fail(m, 2, now); m.Settled(now, 2) }, -1.6060},
		"one, then paid":    {month, func(m *Mood) { fail(m, 1, now); m.Settled(now, 1) }, -1.8060},
		"paid 60 days ago":  {month, func(m *Mood) { fail(m, 2, now-60*Day); m.Settled(now-60*Day, 2) }, -2.2560},
		"annual":            {annual, func(*Mood) {}, -4.6690},
		"annual, two":       {annual, func(m *Mood) { fail(m, 2, now) }, -1.6690},
		"dispute":           {month, func(m *Mood) { m.Disputed(now) }, -.7060},
		"dispute 7 days":    {month, func(m *Mood) { m.Disputed(now - 7*Day) }, -1.8060},
		"halved":            {month, func(m *Mood) { m.PriceChanged(now, 100, 50) }, -2.0060},
		"halved and back":   {month, func(m *Mood) { m.PriceChanged(now-10*Day, 100, 50); m.PriceChanged(now, 50, 100) }, -2.9715},
		"a fifth less":      {month, func(m *Mood) { m.PriceChanged(now, 100, 80) }, -2.6163},
		"paused":            {month, func(m *Mood) { m.Paused() }, -1.6060},
		"resumed":           {month, func(m *Mood) { m.Paused(); m.Resumed(now) }, -2.5060},
		"failure 28 days":   {month, func(m *Mood) { m.Failed(now-28*Day, false) }, -1.9560},
		"failure 42 days":   {month, func(m *Mood) { m.Failed(now-42*Day, false) }, -2.4310},
		"unknown price":     {month, func(m *Mood) { m.PriceChanged(now, 0, 50) }, -2.9060},
		"many at tenure 18": {Facts{Months: 1, Tenure: 18}, func(m *Mood) { m.Failed(now, false); m.Disputed(now); m.PriceChanged(now, 100, 50) }, 2.8843},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var m Mood
			c.happened(&m)
			if got := Baseline(c.facts) + m.Terms(now); math.Abs(got-c.eta) > 1e-4 {
				t.Errorf("η = %.4f, want %.4f", got, c.eta)
			}
		})
	}
}

func fail(m *Mood, n int, at int64) {
	for i := 1; i <= n; i++ {
		m.Failed(at, i == 4)
	}
}

func TestPayingOneOfTwoKeepsTheOther(t *testing.T) {
	var m Mood
	fail(&m, 3, now)
	m.Settled(now, 2)
	if got := m.Dunning(now); got != DunningOf(1, false) {
		t.Errorf("dunning = %v after two of three were settled", got)
	}
	if m.Lasting(now) != 0 {
		t.Error("a recovery was noted while an invoice is unpaid")
	}
}

func TestReturningForgetsWhatWasUnpaid(t *testing.T) {
	var m Mood
	fail(&m, 4, now)
	m.Returned(now)
	if got := m.Terms(now); math.Abs(got-0.8) > 1e-9 {
		t.Errorf("terms = %v, want 0.8", got)
	}
}

func TestAnnualBaselineByRenewal(t *testing.T) {
	cases := []struct {
		f Facts
		p float64
	}{
		{Facts{Months: 12, Tenure: 3, ToRenewal: 362}, .0428},
		{Facts{Months: 12, Tenure: 20, ToRenewal: 345}, .0229},
		{Facts{Months: 12, Tenure: 360, ToRenewal: 5}, .255},
		{Facts{Months: 12, Tenure: 340, ToRenewal: 25}, .148},
		{Facts{Months: 12, Tenure: 310, ToRenewal: 55}, .041},
		{Facts{Months: 12, Tenure: 380, ToRenewal: 350}, .15},
		{Facts{Months: 12, Tenure: 380, ToRenewal: 350, TermPaid: true}, .05},
		{Facts{Months: 12, Tenure: 500, ToRenewal: 230}, .0145},
	}
	for _, c := range cases {
		want := math.Log(c.p/(1-c.p)) + shift
		if got := Baseline(c.f); math.Abs(got-want) > 1e-9 {
			t.Errorf("%+v: %v, want %v", c.f, got, want)
		}
	}
}

func TestWithin(t *testing.T) {
	if got := Within(.3, 30); math.Abs(got-.3) > 1e-12 {
		t.Errorf("30 days of .3 = %v", got)
	}
	if got := 1 - math.Pow(1-Within(.3, 1), 30); math.Abs(got-.3) > 1e-12 {
		t.Errorf("30 single days of .3 add to %v", got)
	}
}
