package crash_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// fate kills an operator at one of its outside effects: every write to the cluster and every request to Stripe counts.
// The process dies by a panic, so that nothing after the point of death runs.
type fate struct {
	// at is the effect, counted from 1, that is the last one; 0 is immortal. after lets it happen, without its answer.
	at    int
	after bool

	seen []string
}

// killed is what the panic carries.
type killed struct{ effect string }

func (f *fate) effect(name string, do func() error) error {
	f.seen = append(f.seen, name)
	if len(f.seen) == f.at && !f.after {
		panic(killed{"before " + name})
	}
	err := do()
	if len(f.seen) == f.at && f.after {
		panic(killed{"after " + name})
	}
	return err
}

// transport counts requests to Stripe.
type transport struct {
	fate *fate
	next http.RoundTripper
}

func (t transport) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	err = t.fate.effect(r.Method+" "+r.URL.Path, func() error {
		answer, err = t.next.RoundTrip(r)
		if err == nil && t.fate.at == len(t.fate.seen) && t.fate.after {
			_, _ = io.Copy(io.Discard, answer.Body) // Stripe has done it: the answer is all that is lost
			_ = answer.Body.Close()
		}
		return err
	})
	return answer, err
}

// writer counts writes to the cluster, and reads past any cache.
type writer struct {
	client.Client
	fate *fate
}

func (w writer) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	return w.fate.effect(fmt.Sprintf("create %T", o), func() error { return w.Client.Create(ctx, o, opts...) })
}

func (w writer) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	return w.fate.effect(fmt.Sprintf("update %T", o), func() error { return w.Client.Update(ctx, o, opts...) })
}

func (w writer) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.PatchOption) error {
	return w.fate.effect(fmt.Sprintf("patch %T", o), func() error { return w.Client.Patch(ctx, o, p, opts...) })
}

func (w writer) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	return w.fate.effect(fmt.Sprintf("delete %T", o), func() error { return w.Client.Delete(ctx, o, opts...) })
}

func (w writer) Apply(ctx context.Context, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	return w.fate.effect(fmt.Sprintf("apply %T", o), func() error { return w.Client.Apply(ctx, o, opts...) })
}

func (w writer) Status() client.SubResourceWriter {
	return statusWriter{w.Client.Status(), w.fate}
}

type statusWriter struct {
	client.SubResourceWriter
	fate *fate
}

func (w statusWriter) Apply(ctx context.Context, o runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	return w.fate.effect("apply status", func() error { return w.SubResourceWriter.Apply(ctx, o, opts...) })
}

// List selects by the fields that the operator's cache is indexed by, which the API server does not know.
func (w writer) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var options client.ListOptions
	options.ApplyOptions(opts)
	selector := options.FieldSelector
	options.FieldSelector = nil
	if err := w.Client.List(ctx, list, &options); err != nil || selector == nil {
		return err
	}
	switch l := list.(type) {
	case *v1alpha1.StripeConnectionList:
		l.Items = selected(l.Items, selector, func(c v1alpha1.StripeConnection) fields.Set {
			return fields.Set{"metadata.uid": string(c.UID), "status.accountID": c.Status.AccountID, "spec.workspaceRef.name": c.Spec.WorkspaceRef.Name}
		})
	case *v1alpha1.BackfillList:
		l.Items = selected(l.Items, selector, func(b v1alpha1.Backfill) fields.Set {
			return fields.Set{"spec.connectionRef.name": b.Spec.ConnectionRef.Name}
		})
	default:
		return fmt.Errorf("no fields of %T are known here", list)
	}
	return nil
}

func selected[T any](items []T, selector fields.Selector, of func(T) fields.Set) []T {
	var kept []T
	for _, item := range items {
		if selector.Matches(of(item)) {
			kept = append(kept, item)
		}
	}
	return kept
}
