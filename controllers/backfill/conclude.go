package backfill

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
)

// conclude turns what the steps found into conditions and writes the status, once. The end of a Backfill becomes an
// Event when the status is written.
func (r *Reconciler) conclude(ctx context.Context, s *scope, stops []step.Stop) error {
	settle(s.conditions, stops)
	s.status.ObservedGeneration = s.backfill.Generation
	s.status.Conditions = s.conditions.Sorted(v1alpha1.ConditionComplete, v1alpha1.ConditionReady)
	if _, err := kube.ApplyStatus(ctx, r.Client, fieldOwner, s.backfill, &s.backfill.Status, s.status); err != nil {
		return err
	}
	for _, t := range s.conditions.Transitions() {
		if t.To.Type != v1alpha1.ConditionComplete {
			continue
		}
		kind := corev1.EventTypeNormal
		if t.To.Reason == v1alpha1.ReasonFailed || t.To.Reason == v1alpha1.ReasonConnectionNotFound {
			kind = corev1.EventTypeWarning
		}
		r.Recorder.Eventf(s.backfill, nil, kind, t.To.Reason, "Backfill", "%s", t.To.Message)
	}
	return nil
}

// settle computes Complete, Ready and the marks of kstatus.
func settle(c *kube.Conditions, stops []step.Stop) {
	for _, stop := range stops {
		switch outcome := stop.Outcome; outcome.Kind {
		case step.Failed:
			if !c.Keep(v1alpha1.ConditionComplete) {
				c.Unknown(v1alpha1.ConditionComplete, v1alpha1.ReasonProgressing, "The last attempt to "+stop.Step+" failed and is being repeated. Nothing to do.")
			}
			if !c.Keep(v1alpha1.ConditionReady) {
				c.Unknown(v1alpha1.ConditionReady, v1alpha1.ReasonProgressing, c.Get(v1alpha1.ConditionComplete).Message)
			}
			return
		case step.NeedsAction:
			c.Stuck(v1alpha1.ReasonUserAction, outcome.Message)
		case step.Waiting, step.Done:
			c.Progressing(v1alpha1.ReasonProgressing, outcome.Message)
		}
		c.False(v1alpha1.ConditionComplete, stop.Outcome.Reason, stop.Outcome.Message)
		c.False(v1alpha1.ConditionReady, stop.Outcome.Reason, stop.Outcome.Message)
		return
	}
	complete := c.Get(v1alpha1.ConditionComplete)
	if complete.Reason == v1alpha1.ReasonFailed {
		c.False(v1alpha1.ConditionReady, complete.Reason, complete.Message)
		c.Stuck(v1alpha1.ReasonUserAction, complete.Message)
		return
	}
	c.True(v1alpha1.ConditionReady, complete.Reason, complete.Message)
	c.Settled()
}
