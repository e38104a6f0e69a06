package stripeconnection

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
)

// declared are the conditions of a connection in the order of their precedence: Ready carries the first that blocks.
var declared = []string{
	v1alpha1.ConditionEntitled,
	v1alpha1.ConditionRegionPinned,
	v1alpha1.ConditionAuthorized,
	v1alpha1.ConditionAccountActive,
	v1alpha1.ConditionTokenFresh,
	v1alpha1.ConditionEndpointRegistered,
	v1alpha1.ConditionEventsVerified,
	v1alpha1.ConditionBackfillComplete,
	v1alpha1.ConditionCustomersMatched,
}

// conclude turns what the steps found into conditions and writes the status, once. Transitions become Events when the
// status is written, so that an Event never tells what the resource does not show.
func (r *Reconciler) conclude(ctx context.Context, s *scope, stops []step.Stop) error {
	s.status.Handled.ReconcileAt = s.asked(v1alpha1.ReconcileAtAnnotation)
	settleConditions(s.conditions, stops)
	sumUp(s.conditions, stops)
	return r.writeStatus(ctx, s)
}

func (r *Reconciler) writeStatus(ctx context.Context, s *scope) error {
	s.status.ObservedGeneration = s.conn.Generation
	s.status.Conditions = s.conditions.Sorted(append(declared, v1alpha1.ConditionReady)...)
	if _, err := kube.ApplyStatus(ctx, r.Client, fieldOwner, s.conn, &s.conn.Status, s.status); err != nil {
		return err
	}
	for _, n := range append(s.notes, transitionNotes(s.conditions.Transitions())...) {
		r.event(s, n)
	}
	return nil
}

// settleConditions gives every declared condition a value: what its step set, else what its step was stopped by, else
// why its step did not run.
func settleConditions(c *kube.Conditions, stops []step.Stop) {
	var halt *step.Stop
	failed := map[string]*step.Stop{}
	for i := range stops {
		stop := &stops[i]
		if halt == nil && !stop.Aside {
			halt = stop
		}
		if stop.Outcome.Kind == step.Failed {
			failed[stop.Condition] = stop
		} else if stop.Condition != v1alpha1.ConditionReady && !c.IsSet(stop.Condition) {
			c.False(stop.Condition, stop.Outcome.Reason, stop.Outcome.Message)
		}
	}
	for _, name := range declared {
		cause := failed[name]
		if cause == nil {
			cause = halt
		}
		if !c.IsSet(name) {
			settle(c, name, cause)
		}
	}
}

// settle gives a condition whose step came to nothing a value. A failure that may pass proves nothing: the last word
// stands while it is tried again.
func settle(c *kube.Conditions, name string, cause *step.Stop) {
	switch {
	case cause == nil:
		c.Unknown(name, v1alpha1.ReasonPending, "Not looked at yet.")
	case cause.Outcome.Kind != step.Failed:
		c.Unknown(name, v1alpha1.ReasonPending, fmt.Sprintf("Not looked at while %s is False for %s.", cause.Condition, cause.Outcome.Reason))
	case !c.Keep(name):
		c.Unknown(name, v1alpha1.ReasonProgressing, retrying(cause))
	}
}

func retrying(stop *step.Stop) string {
	return fmt.Sprintf("The last attempt to %s failed and is being repeated. Nothing to do.", stop.Step)
}

// sumUp computes Ready from the declared conditions, and the marks of kstatus from what kind of obstacle blocks it.
func sumUp(c *kube.Conditions, stops []step.Stop) {
	if stop := stopOf(v1alpha1.ConditionReady, stops); stop != nil {
		block(c, metav1.ConditionFalse, stop.Outcome.Reason, stop.Outcome.Message, stop.Outcome.Kind)
		return
	}
	for _, name := range declared {
		if condition := c.Get(name); condition.Status == metav1.ConditionFalse && blocks(name, stops) {
			block(c, metav1.ConditionFalse, condition.Reason, condition.Message, kindOf(name, stops))
			return
		}
	}
	for i := range stops {
		if stops[i].Condition == v1alpha1.ConditionReady { // a failure: the others were looked for above
			block(c, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, retrying(&stops[i]), step.Waiting)
			return
		}
	}
	for _, name := range declared {
		if condition := c.Get(name); condition.Status == metav1.ConditionUnknown && name != v1alpha1.ConditionCustomersMatched {
			block(c, metav1.ConditionUnknown, v1alpha1.ReasonProgressing, condition.Message, step.Waiting)
			return
		}
	}
	c.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "Events are received, verified and scored.")
	c.Settled()
}

// blocks says whether a False condition keeps the connection from being ready. Scoring works while history is still
// being read, and however many customers match; history that cannot be read is worth a person's attention.
func blocks(condition string, stops []step.Stop) bool {
	switch condition {
	case v1alpha1.ConditionCustomersMatched:
		return false
	case v1alpha1.ConditionBackfillComplete:
		return kindOf(condition, stops) == step.NeedsAction
	}
	return true
}

// stopOf finds the stop that a condition is False for; failures make no condition False.
func stopOf(condition string, stops []step.Stop) *step.Stop {
	for i := range stops {
		if stops[i].Condition == condition && stops[i].Outcome.Kind != step.Failed {
			return &stops[i]
		}
	}
	return nil
}

// kindOf is how the step behind a condition was stopped; a condition that only stands from before is taken for a wait.
func kindOf(condition string, stops []step.Stop) step.Kind {
	if stop := stopOf(condition, stops); stop != nil {
		return stop.Outcome.Kind
	}
	return step.Waiting
}

func block(c *kube.Conditions, status metav1.ConditionStatus, reason, message string, kind step.Kind) {
	c.Set(v1alpha1.ConditionReady, status, reason, message)
	if kind == step.NeedsAction {
		c.Stuck(v1alpha1.ReasonUserAction, message)
		return
	}
	c.Progressing(v1alpha1.ReasonProgressing, message)
}

// transitionNotes tells of every declared condition that has become True or False, or False for another reason.
func transitionNotes(transitions []kube.Transition) []note {
	var notes []note
	for _, t := range transitions {
		switch {
		case t.To.Status == metav1.ConditionUnknown || t.To.Type == kube.Reconciling || t.To.Type == kube.Stalled:
		case t.To.Status == metav1.ConditionTrue:
			notes = append(notes, note{kind: normal, reason: t.To.Reason, action: t.To.Type, text: t.To.Message})
		case t.To.Type != v1alpha1.ConditionReady: // Ready only repeats what another condition says
			notes = append(notes, note{kind: eventKind(t.To.Reason), reason: t.To.Reason, action: t.To.Type, text: t.To.Message})
		}
	}
	return notes
}

// eventKind keeps warnings for what is wrong: waiting for a consent or reading history is not.
func eventKind(reason string) string {
	switch reason {
	case v1alpha1.ReasonAwaitingConsent, v1alpha1.ReasonInProgress, v1alpha1.ReasonSuspended:
		return normal
	}
	return warning
}
