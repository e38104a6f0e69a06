package step_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/step"
)

var errBroken = errors.New("broken")

func TestOutcomeOf(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		kind   step.Kind
		reason string
		after  time.Duration
	}{
		"nothing":             {nil, step.Done, "", 0},
		"a code":              {step.UserAction(errcode.PlanRequired, "upgrade"), step.NeedsAction, "ERR_PLAN_REQUIRED", 0},
		"a reason":            {step.UserActionFor("AccountTaken", "choose"), step.NeedsAction, "AccountTaken", 0},
		"a wait":              {step.Wait("AwaitingConsent", time.Minute, "open it"), step.Waiting, "AwaitingConsent", time.Minute},
		"a wrapped wait":      {fmt.Errorf("authorize: %w", step.Wait("AwaitingConsent", 0, "open it")), step.Waiting, "AwaitingConsent", 0},
		"a wrapped action":    {fmt.Errorf("probe: %w", step.UserAction(errcode.ST401, "again")), step.NeedsAction, "ERR_ST_401", 0},
		"anything else":       {errBroken, step.Failed, "", 0},
		"a joined user error": {errors.Join(errBroken, step.UserAction(errcode.ST403, "again")), step.NeedsAction, "ERR_ST_403", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := step.OutcomeOf(tc.err)
			if got.Kind != tc.kind || got.Reason != tc.reason || got.After != tc.after {
				t.Errorf("got %+v, want kind %d, reason %q, after %s", got, tc.kind, tc.reason, tc.after)
			}
			if (got.Kind == step.Failed) != (got.Err != nil) {
				t.Errorf("an error is kept for failures and only for them: %+v", got)
			}
		})
	}
}

// chain runs steps named a, b, c… that end as given and returns the names of those that ran.
func chain(t *testing.T, steps []step.Step[*[]string]) (ran []string, stops []step.Stop) {
	t.Helper()
	stops = step.Run(context.Background(), &ran, steps)
	return ran, stops
}

func link(name string, err error) step.Step[*[]string] {
	return step.Step[*[]string]{Name: name, Condition: "C" + name, Run: func(_ context.Context, ran *[]string) error {
		*ran = append(*ran, name)
		return err
	}}
}

func always(s step.Step[*[]string]) step.Step[*[]string] { s.Always = true; return s }
func aside(s step.Step[*[]string]) step.Step[*[]string]  { s.Aside = true; return s }

func TestRun(t *testing.T) {
	wait := step.Wait("Later", time.Second, "wait")
	for name, tc := range map[string]struct {
		steps []step.Step[*[]string]
		ran   []string
		stops []string
	}{
		"all pass":                   {[]step.Step[*[]string]{link("a", nil), link("b", nil)}, []string{"a", "b"}, nil},
		"the first stop ends it":     {[]step.Step[*[]string]{link("a", wait), link("b", nil)}, []string{"a"}, []string{"a"}},
		"an error ends it":           {[]step.Step[*[]string]{link("a", errBroken), link("b", nil)}, []string{"a"}, []string{"a"}},
		"always runs after a stop":   {[]step.Step[*[]string]{link("a", wait), link("b", nil), always(link("c", wait))}, []string{"a", "c"}, []string{"a", "c"}},
		"an aside holds nothing up":  {[]step.Step[*[]string]{aside(link("a", wait)), link("b", nil)}, []string{"a", "b"}, []string{"a"}},
		"an aside revives no chain":  {[]step.Step[*[]string]{link("a", wait), always(aside(link("b", wait))), link("c", nil)}, []string{"a", "b"}, []string{"a", "b"}},
		"an aside error holds on it": {[]step.Step[*[]string]{aside(link("a", errBroken)), link("b", nil)}, []string{"a", "b"}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			ran, stops := chain(t, tc.steps)
			if !slices.Equal(ran, tc.ran) {
				t.Errorf("ran %v, want %v", ran, tc.ran)
			}
			var stopped []string
			for _, stop := range stops {
				stopped = append(stopped, stop.Step)
				if stop.Condition != "C"+stop.Step {
					t.Errorf("stop of %s falls on %s", stop.Step, stop.Condition)
				}
			}
			if !slices.Equal(stopped, tc.stops) {
				t.Errorf("stopped %v, want %v", stopped, tc.stops)
			}
		})
	}
}

func TestSchedule(t *testing.T) {
	waits := func(d time.Duration) step.Stop {
		return step.Stop{Outcome: step.Outcome{Kind: step.Waiting, After: d}}
	}
	for name, tc := range map[string]struct {
		stops []step.Stop
		chance,
		want float64 // seconds
	}{
		"the regular pace":              {nil, 0, 300},
		"never later than it":           {[]step.Stop{waits(time.Hour)}, 0, 300},
		"the soonest wait":              {[]step.Stop{waits(time.Minute), waits(20 * time.Second)}, 0, 20},
		"a wait without a time":         {[]step.Stop{waits(0)}, 0, 300},
		"chance only shortens":          {nil, 0.5, 285},
		"chance never beyond a tenth":   {nil, 0.999999, 270},
		"a user action is looked after": {[]step.Stop{{Outcome: step.Outcome{Kind: step.NeedsAction}}}, 0, 300},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := step.Schedule(tc.stops, 5*time.Minute, func() float64 { return tc.chance })
			if err != nil {
				t.Fatal(err)
			}
			if got := result.RequeueAfter.Seconds(); got < tc.want || got > tc.want+0.001 {
				t.Errorf("again after %v s, want %v", got, tc.want)
			}
		})
	}
}

func TestScheduleReturnsFailuresForBackoff(t *testing.T) {
	_, stops := chain(t, []step.Step[*[]string]{link("fetch", errBroken), always(link("b", step.Wait("Later", time.Second, "")))})
	result, err := step.Schedule(stops, time.Minute, step.Random())
	if !errors.Is(err, errBroken) || result.RequeueAfter != 0 {
		t.Fatalf("got %v, %v; want the failure and no requeue of our own", result, err)
	}
	if got := err.Error(); got != "fetch: broken" {
		t.Errorf("error %q does not name its step", got)
	}
}
