package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

func (p *plugin) connectCommand() *cobra.Command {
	var wait bool
	var timeout time.Duration
	var format output
	cmd := &cobra.Command{
		Use:   "connect NAME",
		Short: "Print the URL where a Stripe account is connected, and wait until it is",
		Example: `  # print the URL and return
  kubectl kustiq connect stripe-live

  # print it and wait until events are accepted
  kubectl kustiq connect stripe-live --wait

  # the connection for a script, its .status.connectURL
  kubectl kustiq connect stripe-live -o json`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: p.connectionNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			conn := &v1alpha1.StripeConnection{}
			conn.Namespace, conn.Name = p.namespace, args[0]
			if err := p.kube.Get(ctx, client.ObjectKeyFromObject(conn), conn); err != nil {
				return err
			}
			if conn.Status.ConnectURL == "" && !wait {
				return errors.New("the operator has not published a connect URL yet: try again in a moment, or use --wait")
			}
			if conn.Status.ConnectURL != "" {
				printf(format.notes(cmd), "%s\n", conn.Status.ConnectURL)
			}
			if wait {
				if err := follow(ctx, p.kube, conn, format.notes(cmd)); err != nil {
					return err
				}
			}
			_, err := format.connectionDocuments(cmd.OutOrStdout(), []v1alpha1.StripeConnection{*conn})
			return err
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the connection is Ready, with a line for each step")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait")
	format.addTo(cmd, "json", "yaml")
	return cmd
}

// follow prints each condition as it comes true, until Ready is, and keeps the connection as it is then.
func follow(ctx context.Context, kube client.WithWatch, conn *v1alpha1.StripeConnection, out io.Writer) error {
	var list v1alpha1.StripeConnectionList
	watch, err := kube.Watch(ctx, &list, &client.ListOptions{
		Namespace: conn.Namespace, FieldSelector: fields.OneTermEqualSelector("metadata.name", conn.Name),
	})
	if err != nil {
		return fmt.Errorf("watch the connection: %w", err)
	}
	defer watch.Stop()
	url, said := conn.Status.ConnectURL, map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return errors.New("it is not Ready in time: kubectl kustiq status says what it waits for")
		case event, ok := <-watch.ResultChan():
			if !ok {
				return errors.New("the API server ended the watch: try again")
			}
			seen, ok := event.Object.(*v1alpha1.StripeConnection)
			if !ok || seen.Name != conn.Name {
				continue
			}
			if url == "" && seen.Status.ConnectURL != "" {
				url = seen.Status.ConnectURL
				printf(out, "%s\n", url)
			}
			tell(out, seen, said)
			if meta.IsStatusConditionTrue(seen.Status.Conditions, v1alpha1.ConditionReady) {
				seen.DeepCopyInto(conn)
				return nil
			}
		}
	}
}

func tell(out io.Writer, conn *v1alpha1.StripeConnection, said map[string]string) {
	for _, c := range conn.Status.Conditions {
		now := string(c.Status) + c.Reason
		if said[c.Type] == now || c.Status == "Unknown" {
			continue
		}
		said[c.Type] = now
		printf(out, "%-20s %-6s %s\n", c.Type, c.Status, c.Reason)
	}
}
