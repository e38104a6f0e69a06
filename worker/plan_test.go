package worker

import (
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/retry"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

var until = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)

func TestPlan(t *testing.T) {
	recent := until.Add(-30*day + time.Hour).Unix()
	events := section{name: "events", params: stripeapi.ListParams{Types: signal.EventTypes(), CreatedGTE: recent, CreatedLTE: until.Unix()}}
	customers := section{name: "customers", params: stripeapi.ListParams{CreatedLTE: until.Unix()},
		happened: signal.ObjectOptions{Until: until.Unix()}}
	subscriptions := stripeapi.ListParams{Status: "all", CreatedLTE: until.Unix()}
	quarter := signal.ObjectOptions{From: until.Add(-90 * day).Unix(), Until: recent - 1}
	ever := signal.ObjectOptions{Until: recent - 1}
	tests := map[string][]section{
		"30d": {events, customers, {name: "subscriptions", params: subscriptions, happened: signal.ObjectOptions{From: recent, Until: until.Unix()}}},
		"90d": {events, customers, {name: "subscriptions", params: subscriptions, happened: signal.ObjectOptions{From: quarter.From, Until: until.Unix()}},
			{name: "invoices", happened: quarter, params: stripeapi.ListParams{CreatedGTE: until.Add(-150 * day).Unix(), CreatedLTE: recent - 1}},
			{name: "charges", happened: quarter, params: stripeapi.ListParams{CreatedGTE: quarter.From, CreatedLTE: recent - 1,
				Expand: []string{"data.invoice"}}},
			{name: "disputes", happened: quarter, params: stripeapi.ListParams{CreatedGTE: quarter.From, CreatedLTE: recent - 1,
				Expand: []string{"data.charge"}}}},
		"AllTime": {events, customers, {name: "subscriptions", params: subscriptions, happened: signal.ObjectOptions{Until: until.Unix()}},
			{name: "invoices", happened: ever, params: stripeapi.ListParams{CreatedLTE: recent - 1}},
			{name: "charges", happened: ever, params: stripeapi.ListParams{CreatedLTE: recent - 1, Expand: []string{"data.invoice"}}},
			{name: "disputes", happened: ever, params: stripeapi.ListParams{CreatedLTE: recent - 1, Expand: []string{"data.charge"}}}},
	}
	for window, want := range tests {
		t.Run(window, func(t *testing.T) {
			got, err := plan(window, 0, until, until)
			if err != nil {
				t.Fatal(err)
			}
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || !reflect.DeepEqual(got[i], want[i]) {
					t.Fatalf("section %d:\ngot  %+v\nwant %+v", i, got, want)
				}
			}
		})
	}
	if _, err := plan("a year", 0, until, until); err == nil {
		t.Fatal("an unknown window was planned")
	}
}

// A task that waited for days in the queue can no longer see as many events; what they no longer reach is read from
// objects, without a gap.
func TestPlanOfALateStartHasNoGap(t *testing.T) {
	sections, err := plan("90d", 0, until, until.Add(5*day))
	if err != nil {
		t.Fatal(err)
	}
	first := sections[0].params.CreatedGTE
	if first != until.Add(-25*day+time.Hour).Unix() {
		t.Fatalf("events from %s", time.Unix(first, 0).UTC())
	}
	for _, s := range sections[3:] {
		if s.happened.Until != first-1 {
			t.Errorf("%s until %s", s.name, time.Unix(s.happened.Until, 0).UTC())
		}
	}
}

func TestPlanOfAMonthStartedLate(t *testing.T) {
	sections, err := plan("30d", 0, until, until.Add(5*day))
	if err != nil {
		t.Fatal(err)
	}
	if len(sections) != 6 || sections[3].happened.From != until.Add(-30*day).Unix() {
		t.Fatalf("the five days that events no longer reach are not read: %+v", sections)
	}
}

func TestPlanOfACatchUpReadsNothingEarlier(t *testing.T) {
	gap := until.Add(-40 * day)
	sections, err := plan("90d", gap.Unix(), until, until)
	if err != nil {
		t.Fatal(err)
	}
	if len(sections) != 6 || sections[3].happened.From != gap.Unix() {
		t.Fatalf("a gap of 40 days is read as %+v", sections)
	}
	sections, err = plan("30d", until.Add(-time.Hour).Unix(), until, until)
	if err != nil {
		t.Fatal(err)
	}
	if len(sections) != 3 || sections[0].params.CreatedGTE != until.Add(-time.Hour).Unix() {
		t.Fatalf("a gap of an hour is read as %+v", sections)
	}
	sections, err = plan("30d", until.Add(-400*day).Unix(), until, until)
	if err != nil || sections[0].params.CreatedGTE != until.Add(-30*day+time.Hour).Unix() {
		t.Fatalf("the window no longer bounds what is read: %+v, %v", sections, err)
	}
}

func TestPlanBeyondTheReachOfEvents(t *testing.T) {
	sections, err := plan("90d", 0, until, until.Add(400*day))
	if err != nil {
		t.Fatal(err)
	}
	if sections[0].name != "customers" || len(sections) != 5 {
		t.Fatalf("got %+v", sections)
	}
	for _, s := range sections[2:] {
		if s.happened.Until != until.Unix() || s.params.CreatedLTE != until.Unix() {
			t.Errorf("%s until %s", s.name, time.Unix(s.happened.Until, 0).UTC())
		}
	}
}

func TestRetries(t *testing.T) {
	for name, tc := range map[string]struct {
		attempt   int
		age, want time.Duration
	}{
		"first, at once":                   {1, 2 * time.Second, 58 * time.Second},
		"second":                           {2, time.Minute, 5 * time.Minute},
		"often put off, then failed":       {90, 2 * time.Hour, 36 * time.Minute},
		"old before its first try":         {1, 90 * time.Hour, time.Minute},
		"old before its fifth":             {5, 90 * time.Hour, 12 * time.Hour},
		"sixth, the whole promise is over": {6, retry.Whole, 0},
	} {
		if wait, ok := nextRetry(tc.attempt, tc.age); wait != tc.want || ok != (tc.want > 0) {
			t.Errorf("%s: %s, %v", name, wait, ok)
		}
	}
	previous := time.Duration(0)
	for attempt := 1; attempt < backfillPatience; attempt++ {
		wait, ok := nextResume(attempt)
		if !ok || wait < previous || wait > maxBackfillWait {
			t.Fatalf("attempt %d: %s after %s", attempt, wait, previous)
		}
		previous = wait
	}
	if _, ok := nextResume(backfillPatience); ok {
		t.Error("a backfill is repeated for ever")
	}
}

func TestThrottleWait(t *testing.T) {
	tests := []struct {
		refused     int
		asked, want time.Duration
	}{
		{1, 0, time.Second}, {2, 0, 2 * time.Second}, {5, 0, 16 * time.Second}, {50, 0, 32 * time.Second}, {1, 7 * time.Second, 7 * time.Second},
	}
	for _, tc := range tests {
		if got := throttleWait(tc.refused, tc.asked); got != tc.want {
			t.Errorf("refusal %d, asked %s: %s, want %s", tc.refused, tc.asked, got, tc.want)
		}
	}
}

func TestAConnectionHasItsShareOfLookUps(t *testing.T) {
	w := &Worker{lookUps: lookUps{under: map[string]int{}}}
	var inside func(n int) settlement
	inside = func(n int) settlement {
		if n == lookUpShare {
			if s := w.lookUp("calm", func() settlement { return settlement{outcome: "done"} }); s.outcome != "done" {
				t.Errorf("another connection is %s", s.outcome)
			}
		}
		return w.lookUp("flooded", func() settlement { return inside(n + 1) })
	}
	if s := inside(0); s.again != crowdedPause {
		t.Errorf("beyond the share: %+v", s)
	}
	if len(w.lookUps.under) != 0 {
		t.Errorf("still under way: %v", w.lookUps.under)
	}
}

func TestTryAgainEndsWithTheSchedule(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	failed := errors.New("x")
	if s, final := tryAgain(quiet, "try", 3, 6*time.Minute, failed); final || s.again != 30*time.Minute {
		t.Errorf("the third failure: %+v, final %v", s, final)
	}
	if _, final := tryAgain(quiet, "try", 6, retry.Whole, failed); !final {
		t.Error("the sixth failure is not final")
	}
	if s, final := tryAgain(quiet, "try", 2, time.Minute, &later{}); final || s.again != 5*time.Minute {
		t.Error("a refusal that says no time is not tried by the schedule")
	}
	if s, final := tryAgain(quiet, "try", 6, retry.Whole, &later{after: time.Minute}); final || s.again != time.Minute {
		t.Error("being asked to wait used up the schedule")
	}
	if _, final := tryAgain(quiet, "try", 900, deferredMost, &later{after: time.Minute}); !final {
		t.Error("a token that nobody refreshes puts a look-up off for ever")
	}
}
