package stripeconnection

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// However many connections a platform has, their probes stay within their share, and are no rarer than they must be.
func TestLookKeepsProbesWithinTheirShare(t *testing.T) {
	p, eu, us := newPacer(), stripeapi.Platform{ClientID: "ca_eu"}, stripeapi.Platform{ClientID: "ca_us"}
	add := func(from, to int) {
		for i := from; i < to; i++ {
			p.count(fmt.Sprint(i), eu.ClientID)
			p.count(fmt.Sprint(i), eu.ClientID) // each reconcile says so
		}
	}
	expect := func(what string, want time.Duration) {
		t.Helper()
		if got := p.look(eu).Round(time.Second); got != want {
			t.Errorf("%s: every %s, want %s", what, got, want)
		}
	}
	expect("none", regularPace)
	add(0, 4500)
	expect("as many as are probed at the regular pace", regularPace)
	add(4500, 10_000)
	expect("10,000", 667*time.Second)
	if got := p.look(us); got != regularPace {
		t.Errorf("another platform: every %s", got)
	}
	for i := range 2500 {
		p.count(fmt.Sprint(i), us.ClientID)
	}
	expect("some moved to other credentials", 500*time.Second)
	for i := range 5500 {
		p.count(fmt.Sprint(i), "")
	}
	expect("some are not probed any more", regularPace)
	if got := p.counts[eu.ClientID] + p.counts[us.ClientID]; got != len(p.probed) || got != 4500 {
		t.Errorf("%d are counted, of %d", got, len(p.probed))
	}
}

func TestWhoIsNotReadyGoesFirst(t *testing.T) {
	for status, want := range map[metav1.ConditionStatus]int{
		metav1.ConditionTrue: handler.LowPriority, metav1.ConditionFalse: 0, metav1.ConditionUnknown: 0,
	} {
		s := &scope{conditions: kube.NewConditions(nil, 1, noon)}
		s.conditions.Set(v1alpha1.ConditionReady, status, "R", "")
		if got := s.priority(); *got != want {
			t.Errorf("%s: %d, want %d", status, *got, want)
		}
	}
}
