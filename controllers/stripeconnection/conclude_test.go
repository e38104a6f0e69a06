package stripeconnection

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
)

// stop is a step's end, for tests.
func stop(condition string, err error, aside bool) step.Stop {
	return step.Stop{Step: "do it", Condition: condition, Aside: aside, Outcome: step.OutcomeOf(err)}
}

// allTrue are the conditions of a connection that works.
func allTrue() []metav1.Condition {
	c := kube.NewConditions(nil, 1, noon)
	for _, name := range declared {
		c.True(name, "Fine", "")
	}
	c.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, "")
	return c.Sorted()
}

func TestConclusion(t *testing.T) {
	type conclusion struct{ ready, reason, mark string }
	for name, tc := range map[string]struct {
		before []metav1.Condition
		set    []string // conditions that the steps made True
		stops  []step.Stop
		want   conclusion
	}{
		"all well": {nil, declared, nil, conclusion{"True", "Ready", ""}},
		"a person must act": {allTrue(), declared[:1],
			[]step.Stop{stop(v1alpha1.ConditionAuthorized, step.UserAction(errcode.ST401, "again"), false)},
			conclusion{"False", "ERR_ST_401", kube.Stalled}},
		"waiting for consent": {nil, declared[:1],
			[]step.Stop{stop(v1alpha1.ConditionAuthorized, step.Wait(v1alpha1.ReasonAwaitingConsent, 0, "open"), false)},
			conclusion{"False", "AwaitingConsent", kube.Reconciling}},
		"suspended": {allTrue(), declared[:1],
			[]step.Stop{stop(v1alpha1.ConditionReady, step.Wait(v1alpha1.ReasonSuspended, 0, "resume"), false)},
			conclusion{"False", "Suspended", kube.Reconciling}},
		"a hiccup of a connection that works": {allTrue(), declared[:2],
			[]step.Stop{stop(v1alpha1.ConditionAuthorized, errors.New("timeout"), false)},
			conclusion{"True", "Ready", ""}},
		"a hiccup of a new one": {nil, declared[:2],
			[]step.Stop{stop(v1alpha1.ConditionAuthorized, errors.New("timeout"), false)},
			conclusion{"Unknown", "Progressing", kube.Reconciling}},
		"the route cannot be published": {allTrue(), declared,
			[]step.Stop{stop(v1alpha1.ConditionReady, errors.New("bus is down"), false)},
			conclusion{"Unknown", "Progressing", kube.Reconciling}},
		"a rotation that fails holds up nothing else": {allTrue(), without(v1alpha1.ConditionTokenFresh),
			[]step.Stop{stop(v1alpha1.ConditionTokenFresh, step.Wait(v1alpha1.ReasonRotationFailed, 0, ""), true)},
			conclusion{"False", "RotationFailed", kube.Reconciling}},
		"reading history": {nil, without(v1alpha1.ConditionBackfillComplete),
			[]step.Stop{stop(v1alpha1.ConditionBackfillComplete, step.Wait(v1alpha1.ReasonInProgress, 0, ""), true)},
			conclusion{"True", "Ready", ""}},
		"held back by Stripe": {nil, without(v1alpha1.ConditionBackfillComplete),
			[]step.Stop{stop(v1alpha1.ConditionBackfillComplete, step.Wait(v1alpha1.ReasonStripe429, 0, ""), true)},
			conclusion{"True", "Ready", ""}},
		"held back for too long": {nil, without(v1alpha1.ConditionBackfillComplete),
			[]step.Stop{stop(v1alpha1.ConditionBackfillComplete, step.UserAction(errcode.ST429, ""), true)},
			conclusion{"False", "ERR_ST_429", kube.Stalled}},
		"few customers match": {nil, without(v1alpha1.ConditionCustomersMatched),
			[]step.Stop{stop(v1alpha1.ConditionCustomersMatched, step.UserAction(errcode.MatchLow, ""), true)},
			conclusion{"True", "Ready", ""}},
		"the first in the order of the table": {nil, without(v1alpha1.ConditionAccountActive, v1alpha1.ConditionEventsVerified),
			[]step.Stop{
				stop(v1alpha1.ConditionEventsVerified, step.UserAction(errcode.WebhookSig, ""), true),
				stop(v1alpha1.ConditionAccountActive, step.UserAction(errcode.AcctRestricted, ""), true),
			},
			conclusion{"False", "ERR_ACCT_RESTRICTED", kube.Stalled}},
	} {
		t.Run(name, func(t *testing.T) {
			c := kube.NewConditions(tc.before, 1, noon)
			for _, condition := range tc.set {
				c.True(condition, "Fine", "")
			}
			settleConditions(c, tc.stops)
			sumUp(c, tc.stops)
			for _, condition := range declared {
				if c.Get(condition) == nil {
					t.Errorf("%s is absent", condition)
				}
			}
			ready := c.Get(v1alpha1.ConditionReady)
			got := conclusion{string(ready.Status), ready.Reason, ""}
			for _, mark := range []string{kube.Reconciling, kube.Stalled} {
				if c.Get(mark) != nil {
					got.mark += mark
				}
			}
			if got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func without(names ...string) []string {
	var rest []string
	for _, name := range declared {
		keep := true
		for _, out := range names {
			keep = keep && name != out
		}
		if keep {
			rest = append(rest, name)
		}
	}
	return rest
}

func TestWhatIsNotLookedAtIsUnknown(t *testing.T) {
	c := kube.NewConditions(allTrue(), 1, noon)
	stops := []step.Stop{stop(v1alpha1.ConditionEntitled, step.UserAction(errcode.PlanRequired, "upgrade"), false)}
	settleConditions(c, stops)
	for _, name := range declared[1:] {
		if got := c.Get(name); got.Status != metav1.ConditionUnknown || got.Reason != v1alpha1.ReasonPending {
			t.Errorf("%s: %s %s, though nobody looked", name, got.Status, got.Reason)
		}
	}
}

func TestTransitionNotes(t *testing.T) {
	to := func(conditionType string, status metav1.ConditionStatus, reason string) kube.Transition {
		return kube.Transition{To: metav1.Condition{Type: conditionType, Status: status, Reason: reason}}
	}
	notes := transitionNotes([]kube.Transition{
		to(v1alpha1.ConditionEntitled, metav1.ConditionFalse, v1alpha1.ReasonPlanRequired),
		to(v1alpha1.ConditionAuthorized, metav1.ConditionFalse, v1alpha1.ReasonAwaitingConsent),
		to(v1alpha1.ConditionTokenFresh, metav1.ConditionUnknown, v1alpha1.ReasonPending),
		to(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPlanRequired),
		to(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady),
		to(kube.Stalled, metav1.ConditionTrue, v1alpha1.ReasonUserAction),
	})
	var got []string
	for _, n := range notes {
		got = append(got, n.kind+" "+n.reason)
	}
	want := []string{"Warning ERR_PLAN_REQUIRED", "Normal AwaitingConsent", "Normal Ready"}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("notes %v, want %v", got, want)
	}
}
