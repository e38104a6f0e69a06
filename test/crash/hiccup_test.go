package crash_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/stripeconnection"
)

// once does something at the first request to a path of Stripe's, when its answer is there.
type once struct {
	path string
	do   func()
}

func (o *once) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if do := o.do; do != nil && r.URL.Path == o.path {
		o.do = nil
		do()
	}
	return answer, err
}

// absent is a cluster whose connections cannot be listed while it is away.
type absent struct {
	client.Client
	away bool
}

func (a *absent) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if _, ok := list.(*v1alpha1.StripeConnectionList); ok && a.away {
		return errors.New("away")
	}
	return a.Client.List(ctx, list, opts...)
}

// A consent that Stripe has granted is not asked for again because something else failed in the next moment, or because
// the operator was told to end.
func TestAGrantOutlivesAHiccup(t *testing.T) {
	w := newWorld(t, startCluster(t), false)
	waiting := func() *v1alpha1.StripeConnection {
		c, a := w.declare()
		w.live(c, &fate{})
		w.consent(c, a)
		return c
	}
	reconcile := func(ctx context.Context, r *stripeconnection.Reconciler, c *v1alpha1.StripeConnection) error {
		_, err := r.Reconcile(ctrl.LoggerInto(ctx, logr.Discard()), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(c)})
		return err
	}

	for _, lasts := range []bool{false, true} {
		c, cluster := waiting(), &absent{Client: writer{w.k8s, &fate{}}}
		r := w.operator(w.openBus(), cluster, &once{path: "/oauth/token", do: func() { cluster.away = true }})
		if err := reconcile(t.Context(), r, c); err == nil {
			t.Fatal("nothing failed")
		}
		if lasts { // for longer than the bus keeps the claim
			w.must(w.eye.Grants().Delete(t.Context(), string(c.UID)))
		}
		cluster.away = false
		w.must(reconcile(t.Context(), r, c))
		w.mustBeReady(c, "after a hiccup of the cluster")
	}

	c := waiting()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	r := w.operator(w.openBus(), writer{w.k8s, &fate{}}, &once{path: "/oauth/token", do: end})
	_ = reconcile(ctx, r, c) // whatever it came to: another one takes over
	w.live(c, &fate{})
	w.mustBeReady(c, "after an operator that was told to end")
}
