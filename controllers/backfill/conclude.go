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
	if len(stops) > 0 {
		settleStopped(c, stops[0])
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

// settleStopped is settle for a Backfill that has not ended. A failure that may pass proves nothing: the last word
// stands while it is tried again.
func settleStopped(c *kube.Conditions, stop step.Stop) {
	outcome := stop.Outcome
	if outcome.Kind == step.Failed {
		for _, name := range []string{v1alpha1.ConditionComplete, v1alpha1.ConditionReady} {
			if !c.Keep(name) {
				c.Unknown(name, v1alpha1.ReasonProgressing, "The last attempt to "+stop.Step+" failed and is being repeated. Nothing to do.")
			}
		}
		return
	}
	c.False(v1alpha1.ConditionComplete, outcome.Reason, outcome.Message)
	c.False(v1alpha1.ConditionReady, outcome.Reason, outcome.Message)
	if outcome.Kind == step.NeedsAction {
		c.Stuck(v1alpha1.ReasonUserAction, outcome.Message)
		return
	}
	c.Progressing(v1alpha1.ReasonProgressing, outcome.Message)
}
