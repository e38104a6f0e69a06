package backfill

import (
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRate(t *testing.T) {
	for _, tc := range []struct {
		objects int64
		elapsed time.Duration
		want    string
	}{
		{0, 0, ""}, {100, 500 * time.Millisecond, ""}, {420, 10 * time.Second, "42 objects/s"}, {30, time.Minute, "30 objects/min"}, {0, time.Minute, "0 objects/min"},
	} {
		if got := rate(tc.objects, tc.elapsed); got != tc.want {
			t.Errorf("%d in %s: %q, want %q", tc.objects, tc.elapsed, got, tc.want)
		}
	}
}

func TestETA(t *testing.T) {
	for _, tc := range []struct {
		percent int
		elapsed time.Duration
		want    time.Duration // from noon; 0 means none
	}{
		{0, time.Minute, 0}, {100, time.Minute, 0}, {50, time.Minute, time.Minute}, {25, time.Minute, 3 * time.Minute}, {10, 0, 0},
	} {
		got := eta(tc.percent, tc.elapsed, noon)
		if (got == nil) != (tc.want == 0) || (got != nil && !got.Time.Equal(noon.Add(tc.want))) {
			t.Errorf("%d %% after %s: %v", tc.percent, tc.elapsed, got)
		}
	}
}

func TestShowChangesNothingWithoutProgress(t *testing.T) {
	p := bus.Progress{Phase: bus.PhaseRunning, Percent: 50, Objects: 100, StartedAt: noon.Add(-time.Minute).Unix(),
		Resources: map[string]bus.ResourceProgress{"invoices": {Objects: 60, Cursor: "in_1"}, "customers": {Objects: 40, Done: true}}}
	var status v1alpha1.BackfillStatus
	show(&status, p, noon)
	if status.ETA == nil || !status.ETA.Time.Equal(noon.Add(time.Minute)) || status.Rate != "2 objects/s" {
		t.Errorf("ETA %v, rate %q", status.ETA, status.Rate)
	}
	if len(status.Resources) != 2 || status.Resources[0].Name != "customers" || !status.Resources[0].Done {
		t.Errorf("resources %+v", status.Resources)
	}
	first := status.DeepCopy()
	show(&status, p, noon.Add(30*time.Second))
	if !reflect.DeepEqual(*first, status) {
		t.Errorf("looking again changed the status:\n%+v\n%+v", *first, status)
	}
	p.Phase, p.Percent, p.Objects, p.CompletedAt = bus.PhaseSucceeded, 100, 120, noon.Unix()
	show(&status, p, noon.Add(time.Hour))
	if status.ETA != nil || status.Rate != "2 objects/s" || !status.CompletionTime.Time.Equal(noon) {
		t.Errorf("the end: %+v", status)
	}
}

func TestSettle(t *testing.T) {
	type settled struct{ complete, ready, reason, mark string }
	stopped := func(err error) []step.Stop {
		return []step.Stop{{Step: "s", Condition: v1alpha1.ConditionComplete, Outcome: step.OutcomeOf(err)}}
	}
	for name, tc := range map[string]struct {
		reason string // of Complete=True, when the steps set it
		stops  []step.Stop
		want   settled
	}{
		"succeeded": {v1alpha1.ReasonSucceeded, nil, settled{"True", "True", "Succeeded", ""}},
		"failed":    {v1alpha1.ReasonFailed, nil, settled{"True", "False", "Failed", kube.Stalled}},
		"running":   {"", stopped(step.Wait(v1alpha1.ReasonInProgress, 0, "")), settled{"False", "False", "InProgress", kube.Reconciling}},
		"no connection": {"", stopped(step.UserActionFor(v1alpha1.ReasonConnectionNotFound, "")),
			settled{"False", "False", "ConnectionNotFound", kube.Stalled}},
		"a hiccup": {"", stopped(bus.ErrUnavailable), settled{"Unknown", "Unknown", "Progressing", ""}},
	} {
		c := kube.NewConditions(nil, 1, noon)
		if tc.reason != "" {
			c.True(v1alpha1.ConditionComplete, tc.reason, "")
		}
		settle(c, tc.stops)
		got := settled{string(c.Get(v1alpha1.ConditionComplete).Status), string(c.Get(v1alpha1.ConditionReady).Status), c.Get(v1alpha1.ConditionReady).Reason, ""}
		for _, mark := range []string{kube.Reconciling, kube.Stalled} {
			if c.Get(mark) != nil {
				got.mark += mark
			}
		}
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestFailureSaysWhatToDo(t *testing.T) {
	for _, p := range []bus.Progress{{}, {Code: "ERR_ST_401", Message: "Stripe refused."}} {
		if got := failure(p); !strings.HasSuffix(got, "Create another Backfill to read the history again.") || !strings.HasPrefix(got, p.Code) {
			t.Errorf("%+v: %q", p, got)
		}
	}
}

func TestSubmitted(t *testing.T) {
	for reason, want := range map[string]bool{
		"": false, v1alpha1.ReasonConnectionNotReady: false, v1alpha1.ReasonSuspended: false, v1alpha1.ReasonInProgress: true, v1alpha1.ReasonStripe429: true,
	} {
		var before []metav1.Condition
		if reason != "" {
			before = []metav1.Condition{{Type: v1alpha1.ConditionComplete, Reason: reason}}
		}
		if got := submitted(&scope{conditions: kube.NewConditions(before, 1, noon)}); got != want {
			t.Errorf("%q: %v", reason, got)
		}
	}
}
