package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// replayKept is how long a finished replay stays to be looked at.
const replayKept = 24 * time.Hour

func (p *plugin) replayCommand() *cobra.Command {
	var window string
	var wait bool
	cmd := &cobra.Command{
		Use:   "replay CONNECTION",
		Short: "Read a connection's history again by creating a Backfill",
		Long: `Creates a Backfill for the connection. What was read before is recognised and counts once.
A Backfill may just as well be applied from a file: see config/samples.`,
		Example: `  kubectl kustiq replay stripe-live
  kubectl kustiq replay stripe-live --window 90d --wait`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			conn := &v1alpha1.StripeConnection{}
			if err := p.kube.Get(cmd.Context(), client.ObjectKey{Namespace: p.namespace, Name: args[0]}, conn); err != nil {
				return err
			}
			backfill := &v1alpha1.Backfill{
				ObjectMeta: metav1.ObjectMeta{Namespace: conn.Namespace, GenerateName: conn.Name + "-replay-"},
				Spec: v1alpha1.BackfillSpec{
					ConnectionRef: v1alpha1.LocalRef{Name: conn.Name}, Window: v1alpha1.Window(window),
					TTLAfterFinished: &metav1.Duration{Duration: replayKept},
				},
			}
			if err := p.kube.Create(cmd.Context(), backfill); err != nil {
				return fmt.Errorf("create the Backfill: %w", err)
			}
			printf(cmd.OutOrStdout(), "backfill.integrations.kustiq.io/%s created\n", backfill.Name)
			if !wait {
				return nil
			}
			return followBackfill(cmd.Context(), p.kube, backfill, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&window, "window", string(v1alpha1.Window30d), "how far back to read: 30d, 90d or AllTime")
	cmd.Flags().BoolVar(&wait, "wait", false, "show progress until it ends")
	return cmd
}

// followBackfill draws a progress bar until the backfill ends.
func followBackfill(ctx context.Context, kube client.WithWatch, backfill *v1alpha1.Backfill, out io.Writer) error {
	watch, err := kube.Watch(ctx, &v1alpha1.BackfillList{}, &client.ListOptions{
		Namespace: backfill.Namespace, FieldSelector: fields.OneTermEqualSelector("metadata.name", backfill.Name),
	})
	if err != nil {
		return fmt.Errorf("watch the Backfill: %w", err)
	}
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, ok := <-watch.ResultChan():
			if !ok {
				return errors.New("the API server ended the watch: kubectl get backfills -w goes on showing it")
			}
			seen, ok := event.Object.(*v1alpha1.Backfill)
			if !ok || seen.Name != backfill.Name {
				continue
			}
			printf(out, "\r%s", progressBar(seen.Status))
			switch seen.Status.Phase {
			case v1alpha1.BackfillSucceeded:
				printf(out, "\n")
				return nil
			case v1alpha1.BackfillFailed:
				printf(out, "\n")
				return fmt.Errorf("it failed: kubectl describe backfill %s says why", seen.Name)
			}
		}
	}
}

const barWidth = 30

func progressBar(s v1alpha1.BackfillStatus) string {
	done := int(s.Percent) * barWidth / 100
	return fmt.Sprintf("[%s%s] %3d %%  %d objects  %d signals  %s", strings.Repeat("#", done), strings.Repeat(".", barWidth-done), s.Percent, s.Objects, s.Signals, s.Rate)
}
