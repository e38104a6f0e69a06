package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
)

func (p *plugin) connectCommand() *cobra.Command {
	var wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "connect NAME",
		Short: "Print the URL where a Stripe account is connected, and wait until it is",
		Example: `  # print the URL and return
  kubectl kustiq connect stripe-live

  # print it and wait until events are accepted
  kubectl kustiq connect stripe-live --wait`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: p.connectionNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			conn := &v1alpha1.StripeConnection{}
			conn.Namespace, conn.Name = p.namespace, args[0]
			if err := p.kube.Get(ctx, client.ObjectKeyFromObject(conn), conn); err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if conn.Status.ConnectURL == "" && !wait {
				return errors.New("the operator has not published a connect URL yet: try again in a moment, or use --wait")
			}
			if conn.Status.ConnectURL != "" {
				printf(out, "%s\n", conn.Status.ConnectURL)
			}
			if !wait {
				return nil
			}
			return follow(ctx, p.kube, conn, out)
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the connection is Ready, with a line for each step")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait")
	return cmd
}

// follow prints each condition as it comes true, until Ready is.
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

func (p *plugin) statusCommand() *cobra.Command {
	var all bool
	var format output
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show what each connection's conditions say, and what to do",
		Example: `  kubectl kustiq status
  kubectl kustiq status stripe-live -n kustiq-demo`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: p.connectionNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			var list v1alpha1.StripeConnectionList
			var in []client.ListOption
			if !all {
				in = append(in, client.InNamespace(p.namespace))
			}
			if err := p.kube.List(cmd.Context(), &list, in...); err != nil {
				return fmt.Errorf("list StripeConnections: %w", err)
			}
			if len(args) > 0 {
				list.Items = slices.DeleteFunc(list.Items, func(c v1alpha1.StripeConnection) bool { return c.Name != args[0] })
			}
			list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("StripeConnectionList"))
			if done, err := format.document(cmd.OutOrStdout(), list); done || err != nil {
				return err
			}
			for i := range list.Items {
				printStatus(cmd.OutOrStdout(), &list.Items[i])
			}
			if len(list.Items) == 0 {
				return fmt.Errorf("there is no such StripeConnection in namespace %s: kubectl get stripeconnections -A lists them", p.namespace)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "connections of all namespaces")
	format.addTo(cmd, "json or yaml")
	return cmd
}

func printStatus(out io.Writer, conn *v1alpha1.StripeConnection) {
	printf(out, "%s/%s  %s", conn.Namespace, conn.Name, conn.Spec.Mode)
	if conn.Status.AccountID != "" {
		printf(out, "  %s", conn.Status.AccountID)
	}
	printf(out, "\n")
	for i, c := range conn.Status.Conditions {
		branch := "├─"
		if i == len(conn.Status.Conditions)-1 {
			branch = "└─"
		}
		printf(out, "%s %-19s %-8s %s\n", branch, c.Type, c.Status, c.Reason)
		if c.Status == "True" {
			continue
		}
		if c.Message != "" {
			printf(out, "   %s\n", c.Message)
		}
		if entry, ok := errcode.Lookup(errcode.Code(c.Reason)); ok {
			printf(out, "   %s (docs/troubleshooting.md#%s)\n", entry.Remedy, entry.Anchor)
		}
	}
}
