package crash_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/internal/devcluster"
)

// mostEffects bounds the search for the end of a reconcile: no scenario here has as many.
const mostEffects = 40

func startCluster(t *testing.T) *devcluster.Cluster {
	t.Helper()
	crds, err := config.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := devcluster.Start(t.Context(), devcluster.Options{Dir: filepath.Join(t.TempDir(), "cluster"), CRDs: crds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// eachDeath calls kill for the moment before and after each effect, until an operator outlives its work. kill returns
// where it died. It returns how many deaths there were.
func eachDeath(t *testing.T, kill func(t *testing.T, f *fate) (death string)) int {
	t.Helper()
	deaths := 0
	for _, after := range []bool{false, true} {
		for at := 1; ; at++ {
			if at > mostEffects {
				t.Fatalf("no end after %d effects", at)
			}
			death := kill(t, &fate{at: at, after: after})
			if death == "" {
				break
			}
			deaths++
		}
	}
	return deaths
}

func TestAnOperatorKilled(t *testing.T) {
	cluster := startCluster(t)
	for _, app := range []bool{false, true} {
		flavor := map[bool]string{false: "connect", true: "app"}[app]
		for name, scenario := range map[string]func(*testing.T, *world){
			"while it rotates a token":    rotation,
			"while it redeems a consent":  redemption,
			"while it replaces a secret":  replacement,
			"while it ends a connection":  ending,
			"before it ends a connection": abandonment,
		} {
			t.Run(flavor+" "+name, func(t *testing.T) { scenario(t, newWorld(t, cluster, app)) })
		}
	}
}

// rotation: whatever the moment of death, and however long nobody takes over, the grant goes on without its owner, and
// still does when the token that was got then has ended.
func rotation(t *testing.T, w *world) {
	c, _ := w.connected()
	deaths := 0
	for _, away := range []time.Duration{0, 50 * time.Minute, 3 * time.Hour} {
		deaths += eachDeath(t, func(t *testing.T, f *fate) string {
			w.show(c, v1alpha1.ConditionReady)
			before := c.Status.Token.Generation
			w.clock.SetTime(c.Status.Token.NextRotation.Time.Add(time.Minute))
			death := w.live(c, f)
			w.clock.Step(away)
			w.live(c, &fate{})
			w.mustBeReady(c, "killed "+death)
			if c.Status.Token.Generation <= before {
				t.Fatalf("killed %s: the token was not rotated", death)
			}
			record, err := w.tokens.Load(t.Context(), string(c.UID))
			w.must(err)
			if _, err := w.api.Account(record.Access).Get(t.Context()); err != nil || record.Previous != nil {
				t.Fatalf("killed %s: the token that is kept: %v, with one before it: %v", death, err, record.Previous)
			}
			for _, later := range []time.Duration{20 * time.Minute, 40 * time.Minute} {
				// A Stripe App's token that came to the second operator is as old as the first one's answer.
				w.clock.Step(later)
				w.live(c, &fate{})
				w.mustBeReady(c, "killed "+death+", and later")
			}
			return death
		})
	}
	t.Logf("%d deaths", deaths)
	if deaths < 16 {
		t.Errorf("only %d deaths: does a rotation still do what it did?", deaths)
	}
}

// redemption: a code works once, so an operator that dies with it needs another consent, and says so; nothing stays
// half-made.
func redemption(t *testing.T, w *world) {
	again := 0
	deaths := eachDeath(t, func(t *testing.T, f *fate) string {
		c, a := w.declare()
		w.live(c, &fate{})
		w.consent(c, a)
		death := w.live(c, f)
		w.live(c, &fate{})
		if ready := w.show(c, v1alpha1.ConditionReady); ready.Status != metav1.ConditionTrue {
			again++
			if ready.Reason != v1alpha1.ReasonAwaitingConsent {
				t.Fatalf("killed %s: %s: %s", death, ready.Reason, ready.Message)
			}
			w.consent(c, a)
			w.live(c, &fate{})
			w.mustBeReady(c, "killed "+death+", then authorised again")
		}
		if own := w.own(); len(own) != 1 {
			t.Fatalf("killed %s: %d endpoints", death, len(own))
		}
		w.must(w.k8s.Delete(t.Context(), c))
		w.live(c, &fate{})
		return death
	})
	t.Logf("%d deaths, %d of them asked for another consent", deaths, again)
	if again == 0 || again > 4 {
		t.Errorf("%d of %d deaths asked for another consent", again, deaths)
	}
}

// replacement: there are never more than two endpoints, and every one of them can be verified once somebody has taken
// over.
func replacement(t *testing.T, w *world) {
	c, _ := w.connected()
	asked := 0
	deaths := eachDeath(t, func(t *testing.T, f *fate) string {
		asked++
		w.must(w.k8s.Get(t.Context(), client.ObjectKeyFromObject(c), c))
		generation := c.Status.Endpoint.SecretGeneration
		c.Annotations = map[string]string{v1alpha1.RotateSecretAtAnnotation: fmt.Sprint(asked)}
		w.must(w.k8s.Update(t.Context(), c))
		death := w.live(c, f)
		if own := w.own(); len(own) > 2 {
			t.Fatalf("killed %s: %d endpoints", death, len(own))
		}
		w.live(c, &fate{})
		w.mustBeReady(c, "killed "+death)
		if c.Status.Endpoint.SecretGeneration <= generation || c.Status.Handled.RotateSecretAt != fmt.Sprint(asked) {
			t.Fatalf("killed %s: not replaced: %+v", death, c.Status.Endpoint)
		}
		w.everyEndpointVerifies(death)
		w.retire(c, f, death)
		return death
	})
	t.Logf("%d deaths", deaths)
}

// retire goes past the overlap with another operator that is killed at the same effect.
func (w *world) retire(c *v1alpha1.StripeConnection, f *fate, death string) {
	w.t.Helper()
	for _, pass := range []time.Duration{14 * time.Hour, 15 * time.Minute} {
		w.clock.Step(pass)
		w.live(c, &fate{at: f.at, after: f.after})
		w.live(c, &fate{})
		w.mustBeReady(c, "killed "+death+", past the overlap")
		w.everyEndpointVerifies(death)
	}
	published, _, err := w.eye.Endpoints().Get(w.t.Context(), "live")
	w.must(err)
	if own := w.own(); len(own) != 1 || len(published.SecretIDs) != 1 {
		w.t.Fatalf("killed %s: %d endpoints and %d secrets are left after the overlap", death, len(own), len(published.SecretIDs))
	}
}

// everyEndpointVerifies says that the receiver knows the secret of each endpoint at Stripe.
func (w *world) everyEndpointVerifies(death string) {
	w.t.Helper()
	published, _, err := w.eye.Endpoints().Get(w.t.Context(), "live")
	w.must(err)
	known := map[string]bool{}
	for i, id := range published.SecretIDs {
		_, err := w.vault.Unseal(published.Secrets[i], "endpoint/"+id)
		known[id] = err == nil
	}
	for _, e := range w.own() {
		if !known[e.ID] {
			w.t.Fatalf("killed %s: nobody can verify what %s signs", death, e.ID)
		}
	}
}

// ending: nothing is left, here or at Stripe.
func ending(t *testing.T, w *world) {
	deaths := eachDeath(t, func(t *testing.T, f *fate) string {
		c, _ := w.connected()
		record, err := w.tokens.Load(t.Context(), string(c.UID))
		w.must(err)
		w.must(w.k8s.Delete(t.Context(), c))
		death := w.live(c, f)
		w.live(c, &fate{})
		w.mustBeGone(c, death)
		if _, err := w.api.Account(record.Access).Get(t.Context()); err == nil {
			t.Fatalf("killed %s: Stripe still honours the grant", death)
		}
		return death
	})
	t.Logf("%d deaths", deaths)
}

// abandonment: a connection that is deleted after its operator died while it redeemed the consent leaves nothing either,
// except for a grant whose token died with the operator: nobody knows of that.
func abandonment(t *testing.T, w *world) {
	unknown := 0
	deaths := eachDeath(t, func(t *testing.T, f *fate) string {
		c, a := w.declare()
		w.live(c, &fate{})
		w.consent(c, a)
		death := w.live(c, f)
		w.must(w.k8s.Delete(t.Context(), c))
		w.live(c, &fate{})
		w.mustBeGone(c, death)
		granted, err := w.api.Connected(t.Context(), w.credentials(), a.ID)
		w.must(err)
		if granted {
			unknown++
		}
		return death
	})
	t.Logf("%d deaths, %d of them with the only token", deaths, unknown)
	if unknown > 2 { // after the exchange, and before the token is kept
		t.Errorf("%d of %d deaths left the grant at Stripe", unknown, deaths)
	}
}

// mustBeGone says that nothing of a connection is left in the cluster, on the bus, or on the platform's account.
func (w *world) mustBeGone(c *v1alpha1.StripeConnection, death string) {
	w.t.Helper()
	ctx := w.t.Context()
	if err := w.k8s.Get(ctx, client.ObjectKeyFromObject(c), c); client.IgnoreNotFound(err) != nil || err == nil {
		w.t.Fatalf("killed %s: still there: %v", death, err)
	}
	if _, err := w.tokens.Load(ctx, string(c.UID)); err == nil {
		w.t.Fatalf("killed %s: the token is left", death)
	}
	if routes, err := w.eye.Routes().All(ctx); err != nil || len(routes) > 0 {
		w.t.Fatalf("killed %s: routes %v are left, %v", death, routes, err)
	}
	if policies, err := w.eye.MatchPolicies().All(ctx); err != nil || len(policies) > 0 {
		w.t.Fatalf("killed %s: match policies %v are left, %v", death, policies, err)
	}
	if own := w.own(); len(own) > 0 {
		w.t.Fatalf("killed %s: %d endpoints are left", death, len(own))
	}
}
