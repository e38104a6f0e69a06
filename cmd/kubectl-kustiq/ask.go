package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// request is something that a connection is asked for by an annotation, and that its status says is done.
type request struct {
	use, short, long, annotation, done string
	handled                            func(v1alpha1.HandledStatus) string
}

var (
	rematch = request{
		use: "rematch CONNECTION...", short: "Match all customers of a connection's account anew",
		long:       `Sets the annotation kustiq.io/rematch-at, as a GitOps pipeline may do just as well.`,
		annotation: v1alpha1.RematchAtAnnotation, done: "all customers are matched",
		handled: func(h v1alpha1.HandledStatus) string { return h.RematchAt },
	}
	rotateSecret = request{
		use: "rotate-secret CONNECTION...", short: "Give the webhook endpoint of a connection a new signing secret",
		long: `Sets the annotation kustiq.io/rotate-secret-at, as a GitOps pipeline may do just as well. Stripe's endpoint is replaced by a
second one, and both secrets are accepted until the old endpoint is removed: no event is lost.`,
		annotation: v1alpha1.RotateSecretAtAnnotation, done: "events are signed with a new secret",
		handled: func(h v1alpha1.HandledStatus) string { return h.RotateSecretAt },
	}
)

func (p *plugin) requestCommand(r request) *cobra.Command {
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: r.use, Short: r.short, Long: r.long,
		Example: fmt.Sprintf("  kubectl kustiq %[1]s stripe-live\n  kubectl kustiq %[1]s stripe-live --wait", r.name()),
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: p.connectionNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			at := time.Now().UTC().Format(time.RFC3339Nano)
			for _, name := range args {
				conn := &v1alpha1.StripeConnection{}
				if err := p.kube.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: name}, conn); err != nil {
					return err
				}
				before := client.MergeFrom(conn.DeepCopy())
				if conn.Annotations == nil {
					conn.Annotations = map[string]string{}
				}
				conn.Annotations[r.annotation] = at
				if err := p.kube.Patch(ctx, conn, before); err != nil {
					return fmt.Errorf("annotate the connection: %w", err)
				}
				printf(cmd.OutOrStdout(), "stripeconnection.integrations.kustiq.io/%s asked\n", name)
				if !wait {
					continue
				}
				if err := p.awaitHandled(ctx, conn, r, at, cmd.OutOrStdout()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is done")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait")
	return cmd
}

func (r request) name() string {
	var name string
	_, _ = fmt.Sscan(r.use, &name)
	return name
}

// awaitHandled waits until the connection's status repeats the annotation.
func (p *plugin) awaitHandled(ctx context.Context, conn *v1alpha1.StripeConnection, r request, at string, out io.Writer) error {
	watch, err := p.kube.Watch(ctx, &v1alpha1.StripeConnectionList{}, &client.ListOptions{
		Namespace: conn.Namespace, FieldSelector: fields.OneTermEqualSelector("metadata.name", conn.Name),
	})
	if err != nil {
		return fmt.Errorf("watch the connection: %w", err)
	}
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: it is not done in time: kubectl kustiq status %s says what stands in the way", conn.Name, conn.Name)
		case event, ok := <-watch.ResultChan():
			if !ok {
				return errors.New("the API server ended the watch: try again")
			}
			seen, ok := event.Object.(*v1alpha1.StripeConnection)
			if !ok || seen.Name != conn.Name || r.handled(seen.Status.Handled) != at {
				continue
			}
			printf(out, "stripeconnection.integrations.kustiq.io/%s: %s\n", conn.Name, r.done)
			return nil
		}
	}
}
