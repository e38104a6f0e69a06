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
	var format output
	cmd := &cobra.Command{
		Use: r.use, Short: r.short, Long: r.long,
		Example: fmt.Sprintf("  kubectl kustiq %[1]s stripe-live\n  kubectl kustiq %[1]s stripe-live --wait\n\n"+
			"  # the connections for a script, once it is done\n  kubectl kustiq %[1]s stripe-live stripe-test --wait -o json", r.name()),
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: p.connectionNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			at := time.Now().UTC().Format(time.RFC3339Nano)
			asked := make([]v1alpha1.StripeConnection, len(args))
			for i, name := range args {
				conn := &asked[i]
				if err := p.annotate(ctx, conn, name, r.annotation, at); err != nil {
					return err
				}
				printf(format.notes(cmd), "stripeconnection.integrations.kustiq.io/%s asked\n", name)
				if !wait {
					continue
				}
				if err := p.awaitHandled(ctx, conn, r, at, format.notes(cmd)); err != nil {
					return err
				}
			}
			_, err := format.connectionDocuments(cmd.OutOrStdout(), asked)
			return err
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it is done")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait")
	format.addTo(cmd, "json", "yaml")
	return cmd
}

// annotate reads a connection of the namespace and sets an annotation on it.
func (p *plugin) annotate(ctx context.Context, conn *v1alpha1.StripeConnection, name, annotation, value string) error {
	if err := p.kube.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: name}, conn); err != nil {
		return err
	}
	before := client.MergeFrom(conn.DeepCopy())
	if conn.Annotations == nil {
		conn.Annotations = map[string]string{}
	}
	conn.Annotations[annotation] = value
	if err := p.kube.Patch(ctx, conn, before); err != nil {
		return fmt.Errorf("annotate the connection: %w", err)
	}
	return nil
}

func (r request) name() string {
	var name string
	_, _ = fmt.Sscan(r.use, &name)
	return name
}

// awaitHandled waits until the connection's status repeats the annotation, and keeps the connection as it is then.
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
			seen.DeepCopyInto(conn)
			printf(out, "stripeconnection.integrations.kustiq.io/%s: %s\n", conn.Name, r.done)
			return nil
		}
	}
}
