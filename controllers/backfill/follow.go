package backfill

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
)

// follow shows what the workers have written of their progress.
func (r *Reconciler) follow(_ context.Context, s *scope) error {
	show(s.status, s.progress, s.now)
	switch p := s.progress; p.Phase {
	case bus.PhaseSucceeded:
		s.conditions.True(v1alpha1.ConditionComplete, v1alpha1.ReasonSucceeded, fmt.Sprintf(
			"%d objects read in %d requests, %d signals found.", p.Objects, p.Requests, p.Signals))
		return nil
	case bus.PhaseFailed:
		s.conditions.True(v1alpha1.ConditionComplete, v1alpha1.ReasonFailed, failure(p))
		return nil
	}
	if since := s.progress.ThrottledSince; s.progress.Code == string(errcode.ST429) || since > 0 && s.now.Sub(time.Unix(since, 0)) > throttledShown {
		entry, _ := errcode.Lookup(errcode.ST429)
		message := fmt.Sprintf("%s: %d of %d requests were answered 429. %s", entry.Title, s.progress.Throttled, s.progress.Requests, entry.Remedy)
		if since > 0 && s.now.Sub(time.Unix(since, 0)) > v1alpha1.ThrottledTooLong {
			return step.UserAction(errcode.ST429, message)
		}
		return step.Wait(v1alpha1.ReasonStripe429, 0, message)
	}
	return step.Wait(v1alpha1.ReasonInProgress, 0, fmt.Sprintf("%s of history is being read. Nothing to do.", s.backfill.Spec.Window))
}

// throttledShown is how long Stripe may let nothing through before it is worth a word.
const throttledShown = time.Minute

func failure(p bus.Progress) string {
	text := p.Message
	if text == "" {
		text = "Reading was given up."
	}
	if entry, ok := errcode.Lookup(errcode.Code(p.Code)); ok {
		text = p.Code + ": " + text + " " + entry.Remedy
	}
	return text + " Create another Backfill to read the history again."
}

// show copies the progress to the status. Rate and ETA change only when something was read since, so that looking
// again writes nothing.
func show(status *v1alpha1.BackfillStatus, p bus.Progress, now time.Time) {
	moved := status.Objects != p.Objects || string(status.Phase) != p.Phase
	status.Phase = v1alpha1.BackfillPhase(p.Phase)
	status.Percent = int32(min(max(p.Percent, 0), 100))
	status.Objects, status.Requests, status.Signals, status.Throttled = p.Objects, p.Requests, p.Signals, p.Throttled
	status.Resources, status.SignalKinds, status.Unrecoverable = resources(p.Resources), kinds(p.Found), losses(p.Lost)
	status.StartTime, status.CompletionTime, status.ThrottledSince = at(p.StartedAt), at(p.CompletedAt), at(p.ThrottledSince)
	if !moved || p.StartedAt == 0 {
		return
	}
	end := now
	if p.CompletedAt > 0 {
		end = time.Unix(p.CompletedAt, 0)
	}
	elapsed := end.Sub(time.Unix(p.StartedAt, 0))
	status.Rate, status.ETA = rate(p.Objects, elapsed), nil
	switch {
	case p.CompletedAt > 0:
	case p.Rate > 0 && p.EndsAt > 0:
		status.Rate, status.ETA = inWords(p.Rate), at(p.EndsAt)
	default:
		status.ETA = eta(p.Percent, elapsed, now)
	}
}

func resources(of map[string]bus.ResourceProgress) []v1alpha1.ResourceStatus {
	var list []v1alpha1.ResourceStatus
	for _, name := range slices.Sorted(maps.Keys(of)) {
		p := of[name]
		list = append(list, v1alpha1.ResourceStatus{Name: name, Objects: p.Objects, Requests: p.Requests, Percent: int32(p.Percent),
			Windows: int32(p.Windows), WindowsLeft: int32(p.Left), Done: p.Done, Cursor: p.Cursor})
	}
	return list
}

func kinds(of map[signal.Kind]bus.Provenances) []v1alpha1.SignalCount {
	var list []v1alpha1.SignalCount
	for _, kind := range slices.Sorted(maps.Keys(of)) {
		n := of[kind]
		list = append(list, v1alpha1.SignalCount{Kind: string(kind), Events: n.Event, Objects: n.Object, Inferred: n.Inferred})
	}
	return list
}

func losses(of []bus.Loss) []v1alpha1.SignalLoss {
	var list []v1alpha1.SignalLoss
	for _, l := range of {
		list = append(list, v1alpha1.SignalLoss{Kind: string(l.Kind), Count: l.Count, Reason: l.Reason})
	}
	return list
}

// rate in objects per second, or per minute when that is below one; "" when nothing can be said.
func rate(objects int64, elapsed time.Duration) string {
	if elapsed < time.Second {
		return ""
	}
	return inWords(float64(objects) / elapsed.Seconds())
}

func inWords(second float64) string {
	if second >= 1 {
		return fmt.Sprintf("%.0f objects/s", second)
	}
	return fmt.Sprintf("%.0f objects/min", second*60)
}

// eta extrapolates the percentage; nil when there is none yet.
func eta(percent int, elapsed time.Duration, now time.Time) *metav1.Time {
	if percent <= 0 || percent >= 100 || elapsed <= 0 {
		return nil
	}
	left := time.Duration(float64(elapsed) * float64(100-percent) / float64(percent))
	t := metav1.NewTime(now.Add(left).Truncate(time.Second))
	return &t
}

// at is a unix time as a status keeps it; nil for 0.
func at(unix int64) *metav1.Time {
	if unix == 0 {
		return nil
	}
	t := metav1.Unix(unix, 0)
	return &t
}
