package kube

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Conditions is a working copy of a resource's conditions. What is not set in a reconcile stays as it was read.
type Conditions struct {
	before     []metav1.Condition
	list       []metav1.Condition
	generation int64
	now        metav1.Time
	set        map[string]bool
}

// NewConditions starts from what was read. Whatever is set carries the generation and, on a change of status, now
// (to the second, as the API keeps it).
func NewConditions(before []metav1.Condition, generation int64, now time.Time) *Conditions {
	return &Conditions{
		before:     before,
		list:       append([]metav1.Condition(nil), before...),
		generation: generation,
		now:        metav1.NewTime(now.Truncate(time.Second)),
		set:        map[string]bool{},
	}
}

// Set writes one condition.
func (c *Conditions) Set(conditionType string, status metav1.ConditionStatus, reason, message string) {
	c.set[conditionType] = true
	meta.SetStatusCondition(&c.list, metav1.Condition{
		Type:               conditionType,
		Status:             status,
		Reason:             reason,
		Message:            message,
		ObservedGeneration: c.generation,
		LastTransitionTime: c.now,
	})
}

// True sets a condition to True.
func (c *Conditions) True(conditionType, reason, message string) {
	c.Set(conditionType, metav1.ConditionTrue, reason, message)
}

// False sets a condition to False.
func (c *Conditions) False(conditionType, reason, message string) {
	c.Set(conditionType, metav1.ConditionFalse, reason, message)
}

// Unknown sets a condition to Unknown.
func (c *Conditions) Unknown(conditionType, reason, message string) {
	c.Set(conditionType, metav1.ConditionUnknown, reason, message)
}

// Keep confirms a condition as it was read: it was looked at, and nothing is known to have changed.
func (c *Conditions) Keep(conditionType string) bool {
	was := meta.FindStatusCondition(c.before, conditionType)
	if was == nil {
		return false
	}
	c.Set(conditionType, was.Status, was.Reason, was.Message)
	return true
}

// Remove takes a condition away: for the ones that kstatus wants present only when abnormal.
func (c *Conditions) Remove(conditionType string) { meta.RemoveStatusCondition(&c.list, conditionType) }

// IsSet says whether a condition was set in this reconcile.
func (c *Conditions) IsSet(conditionType string) bool { return c.set[conditionType] }

// Get returns a condition as it stands now, nil when there is none.
func (c *Conditions) Get(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(c.list, conditionType)
}

// Before returns a condition as it was read, nil when there was none.
func (c *Conditions) Before(conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(c.before, conditionType)
}

// Sorted returns the conditions with the given types first, in that order, and any others after them.
func (c *Conditions) Sorted(order ...string) []metav1.Condition {
	sorted := make([]metav1.Condition, 0, len(c.list))
	listed := map[string]bool{}
	for _, conditionType := range order {
		if found := c.Get(conditionType); found != nil {
			sorted = append(sorted, *found)
			listed[conditionType] = true
		}
	}
	for _, condition := range c.list {
		if !listed[condition.Type] {
			sorted = append(sorted, condition)
		}
	}
	return sorted
}

// Transition is a condition that changed its status or reason since it was read.
type Transition struct {
	// From is nil when the condition is new.
	From *metav1.Condition
	To   metav1.Condition
}

// Transitions returns what changed, in the order of the list.
func (c *Conditions) Transitions() []Transition {
	var changed []Transition
	for _, to := range c.list {
		from := c.Before(to.Type)
		if from == nil || from.Status != to.Status || from.Reason != to.Reason {
			changed = append(changed, Transition{From: from, To: to})
		}
	}
	return changed
}
