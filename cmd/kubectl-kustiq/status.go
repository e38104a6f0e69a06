package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/report"
)

func (p *plugin) statusCommand() *cobra.Command {
	var all bool
	var format output
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show what each connection's conditions say, and what to do",
		Example: `  kubectl kustiq status
  kubectl kustiq status stripe-live -n kustiq-demo

  # with endpoint, events and token, every message, and since when each condition is so
  kubectl kustiq status -o wide`,
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
			for i := range list.Items {
				asGot(&list.Items[i], "StripeConnection")
			}
			list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("StripeConnectionList"))
			if done, err := format.document(cmd.OutOrStdout(), list); done || err != nil {
				return err
			}
			for i := range list.Items {
				printStatus(cmd.OutOrStdout(), &list.Items[i], format.wide())
			}
			if len(list.Items) == 0 {
				return fmt.Errorf("there is no such StripeConnection in namespace %s: kubectl get stripeconnections -A lists them", p.namespace)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "connections of all namespaces")
	format.addTo(cmd, "json", "yaml", "wide")
	return cmd
}

func printStatus(out io.Writer, conn *v1alpha1.StripeConnection, wide bool) {
	printf(out, "%s/%s  %s", conn.Namespace, conn.Name, conn.Spec.Mode)
	if conn.Status.AccountID != "" {
		printf(out, "  %s", conn.Status.AccountID)
	}
	printf(out, "\n")
	if wide {
		printParticulars(out, conn)
	}
	for i, c := range conn.Status.Conditions {
		branch := "├─"
		if i == len(conn.Status.Conditions)-1 {
			branch = "└─"
		}
		printf(out, "%s %-19s %-8s %s", branch, c.Type, c.Status, c.Reason)
		if wide {
			printf(out, ", %s", ago(&c.LastTransitionTime))
		}
		printf(out, "\n")
		if c.Message != "" && (wide || c.Status != "True") {
			printf(out, "   %s\n", c.Message)
		}
		if entry, ok := errcode.Lookup(errcode.Code(c.Reason)); ok && c.Status != "True" {
			printf(out, "   %s (docs/troubleshooting.md#%s)\n", entry.Remedy, entry.Anchor)
		}
	}
}

// printParticulars says what a connection's status knows beside its conditions.
func printParticulars(out io.Writer, conn *v1alpha1.StripeConnection) {
	s := conn.Status
	printf(out, "   Workspace %s, region %s, connected %s\n", conn.Spec.WorkspaceRef.Name, cmp.Or(string(s.Region), "–"), ago(s.ConnectedAt))
	printf(out, "   Endpoint %s at %s, secret %d\n", cmp.Or(s.Endpoint.ID, "–"), cmp.Or(s.Endpoint.URL, "–"), s.Endpoint.SecretGeneration)
	printf(out, "   Events: %d accepted, %d duplicates, %d rejected, the last %s\n", s.Events.Accepted, s.Events.Duplicates, s.Events.Rejected, ago(s.LastEventTime))
	printf(out, "   Customers: %d matched, %d in review, %d unmatched\n", s.Matches.Matched, s.Matches.Review, s.Matches.Unmatched)
	printf(out, "   Token %d, rotated %s\n", s.Token.Generation, ago(s.Token.LastRotation))
}

func ago(at *metav1.Time) string {
	if at == nil {
		return report.Ago(time.Time{}, time.Time{})
	}
	return report.Ago(at.Time, time.Now())
}
