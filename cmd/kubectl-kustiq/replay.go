package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// replayKept is how long a finished replay stays to be looked at.
const replayKept = 24 * time.Hour

func (p *plugin) replayCommand() *cobra.Command {
	var window string
	var wait bool
	var format output
	cmd := &cobra.Command{
		Use:   "replay CONNECTION",
		Short: "Read a connection's history again by creating a Backfill",
		Long: `Creates a Backfill for the connection. What was read before is recognised and counts once.
A Backfill may just as well be applied from a file: see config/samples.`,
		Example: `  kubectl kustiq replay stripe-live
  kubectl kustiq replay stripe-live --window 90d --wait

  # the Backfill for a script, once it has ended
  kubectl kustiq replay stripe-live --wait -o json`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: p.connectionNames,
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
			printf(format.notes(cmd), "backfill.integrations.kustiq.io/%s created\n", backfill.Name)
			var ended error
			if wait {
				ended = followBackfill(cmd.Context(), p.kube, backfill, format.notes(cmd))
			}
			asGot(backfill, "Backfill")
			_, err := format.document(cmd.OutOrStdout(), backfill)
			return errors.Join(ended, err)
		},
	}
	cmd.Flags().StringVar(&window, "window", string(v1alpha1.Window30d), "how far back to read: 30d, 90d or AllTime")
	cmd.Flags().BoolVar(&wait, "wait", false, "show progress until it ends")
	format.addTo(cmd, "json", "yaml")
	p.complete(cmd, "window", string(v1alpha1.Window30d), string(v1alpha1.Window90d), string(v1alpha1.WindowAllTime))
	return cmd
}

// followBackfill shows a backfill until it ends. The API server ends watches by itself from time to time.
func followBackfill(ctx context.Context, kube client.WithWatch, backfill *v1alpha1.Backfill, out io.Writer) error {
	show := newProgressView(out)
	for {
		ended, err := watchBackfill(ctx, kube, backfill, show)
		if ended || err != nil {
			return err
		}
	}
}

// watchBackfill shows a backfill until it ends, or the watch does, and keeps it as it was seen last.
func watchBackfill(ctx context.Context, kube client.WithWatch, backfill *v1alpha1.Backfill, show *progressView) (ended bool, err error) {
	watch, err := kube.Watch(ctx, &v1alpha1.BackfillList{}, &client.ListOptions{
		Namespace: backfill.Namespace, FieldSelector: fields.OneTermEqualSelector("metadata.name", backfill.Name),
	})
	if err != nil {
		return false, fmt.Errorf("watch the Backfill: %w", err)
	}
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case event, ok := <-watch.ResultChan():
			if !ok {
				return false, nil
			}
			seen, ok := event.Object.(*v1alpha1.Backfill)
			if !ok || seen.Name != backfill.Name {
				continue
			}
			if event.Type == apiwatch.Deleted {
				show.end()
				return true, errors.New("it was deleted, which calls it off")
			}
			seen.DeepCopyInto(backfill)
			show.state(seen.Status)
			switch seen.Status.Phase {
			case v1alpha1.BackfillSucceeded:
				show.end()
				return true, nil
			case v1alpha1.BackfillFailed:
				show.end()
				return true, fmt.Errorf("it failed: kubectl describe backfill %s says why", seen.Name)
			}
		}
	}
}

// progressView writes over one line on a terminal, and elsewhere a line for each step that is worth one.
type progressView struct {
	out      io.Writer
	terminal bool
	last     string
	written  int
}

func newProgressView(out io.Writer) *progressView {
	file, ok := out.(*os.File)
	return &progressView{out: out, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

func (v *progressView) state(s v1alpha1.BackfillStatus) {
	if v.terminal {
		line := progressBar(s)
		printf(v.out, "\r%-*s", v.written, line)
		v.written = len(line)
		return
	}
	// Every tenth of the way, and whenever something else changes.
	step := fmt.Sprint(s.Phase, s.Percent/10, s.ThrottledSince != nil)
	if step != v.last {
		printf(v.out, "%s\n", progressLine(s))
		v.last = step
	}
}

func (v *progressView) end() {
	if v.terminal {
		printf(v.out, "\n")
	}
}

const barWidth = 30

func progressBar(s v1alpha1.BackfillStatus) string {
	done := int(s.Percent) * barWidth / 100
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("#", done), strings.Repeat(".", barWidth-done), progressLine(s))
}

func progressLine(s v1alpha1.BackfillStatus) string {
	line := fmt.Sprintf("%3d %%  %d objects  %d signals", s.Percent, s.Objects, s.Signals)
	if s.Rate != "" {
		line += "  " + s.Rate
	}
	switch {
	case s.Phase == v1alpha1.BackfillSuspended:
		line += "  suspended"
	case s.ThrottledSince != nil:
		line += "  held back by Stripe"
	case s.ETA != nil && s.CompletionTime == nil:
		line += "  until " + s.ETA.Local().Format("15:04:05")
	}
	return line
}
