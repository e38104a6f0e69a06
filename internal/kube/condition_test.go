package kube_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/internal/kube"
)

var (
	then = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now  = then.Add(time.Hour)
)

func read() []metav1.Condition {
	return []metav1.Condition{
		{Type: "A", Status: metav1.ConditionTrue, Reason: "Fine", Message: "m", ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(then)},
		{Type: "B", Status: metav1.ConditionFalse, Reason: "Broken", Message: "m", ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(then)},
	}
}

func TestConditionsMoveTheirTimeOnlyWithTheirStatus(t *testing.T) {
	c := kube.NewConditions(read(), 2, now)
	c.False("B", "StillBroken", "other")
	c.False("A", "Worse", "m")
	if got := c.Get("B"); !got.LastTransitionTime.Time.Equal(then) || got.ObservedGeneration != 2 {
		t.Errorf("B kept its status: %+v", got)
	}
	if got := c.Get("A"); !got.LastTransitionTime.Time.Equal(now) {
		t.Errorf("A changed its status: %+v", got)
	}
}

func TestConditionsKeep(t *testing.T) {
	c := kube.NewConditions(read(), 2, now)
	if !c.Keep("A") || c.Keep("C") {
		t.Error("only what was read can be kept")
	}
	if got := c.Get("A"); got.Status != metav1.ConditionTrue || got.Reason != "Fine" || got.ObservedGeneration != 2 {
		t.Errorf("kept %+v", got)
	}
	if len(c.Transitions()) != 0 {
		t.Errorf("keeping is no transition: %+v", c.Transitions())
	}
}

func TestConditionsTransitions(t *testing.T) {
	c := kube.NewConditions(read(), 1, now)
	c.True("A", "Fine", "another message")
	c.False("B", "BrokenElsewhere", "m")
	c.True("C", "New", "m")
	got := c.Transitions()
	if len(got) != 2 || got[0].To.Type != "B" || got[0].From == nil || got[1].To.Type != "C" || got[1].From != nil {
		t.Errorf("transitions %+v", got)
	}
}

func TestConditionsSorted(t *testing.T) {
	c := kube.NewConditions(read(), 1, now)
	c.True("Z", "R", "")
	got := c.Sorted("Z", "B", "Missing")
	if len(got) != 3 || got[0].Type != "Z" || got[1].Type != "B" || got[2].Type != "A" {
		t.Errorf("sorted %+v", got)
	}
}

func TestMarksExcludeEachOther(t *testing.T) {
	c := kube.NewConditions(nil, 1, now)
	c.Progressing("P", "m")
	c.Stuck("S", "m")
	if c.Get(kube.Reconciling) != nil || c.Get(kube.Stalled) == nil {
		t.Error("stuck is not progressing")
	}
	c.Progressing("P", "m")
	if c.Get(kube.Stalled) != nil {
		t.Error("progressing is not stuck")
	}
	c.Settled()
	if len(c.Sorted()) != 0 {
		t.Error("settled has no marks")
	}
}

func TestWhatWasReadIsNotChanged(t *testing.T) {
	before := read()
	c := kube.NewConditions(before, 2, now)
	c.False("A", "Worse", "m")
	c.Remove("B")
	if before[0].Status != metav1.ConditionTrue || before[1].Type != "B" {
		t.Errorf("the caller's conditions changed: %+v", before)
	}
}
