package backfill

import (
	"context"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
)

// hold suspends a reading that has begun, or lets one that was suspended go on. The worker that is at it sees the mark in
// the progress, writes its checkpoints and lets go of the task; resuming publishes another.
func hold(ctx context.Context, s *scope) error {
	suspend := s.backfill.Spec.Suspend
	if over(s.progress.Phase) {
		return nil
	}
	if s.progress.Suspend != suspend {
		if err := mark(ctx, s, suspend); err != nil {
			return err
		}
	}
	if !suspend {
		return nil
	}
	show(s.status, s.progress, s.now)
	s.status.Phase, s.status.Rate, s.status.ETA = v1alpha1.BackfillSuspended, "", nil
	return step.Wait(v1alpha1.ReasonSuspended, 0, "Reading has stopped; what was read is kept. Set spec.suspend to false to go on.")
}

func over(phase string) bool { return phase == bus.PhaseSucceeded || phase == bus.PhaseFailed }

const markTries = 10

// mark writes the wish into the progress, which a worker writes every second.
func mark(ctx context.Context, s *scope, suspend bool) error {
	for range markTries {
		stored, revision, err := s.bus.Progress().Get(ctx, s.uid)
		if err != nil {
			return fmt.Errorf("read progress: %w", err)
		}
		if s.progress = stored; over(stored.Phase) || stored.Suspend == suspend {
			return nil
		}
		s.progress.Suspend = suspend
		if !suspend {
			s.progress.Resumes++
			s.progress.Phase = bus.PhasePending
		}
		_, err = s.bus.Progress().Update(ctx, s.uid, s.progress, revision)
		if err == nil {
			return nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return fmt.Errorf("write progress: %w", err)
		}
	}
	return fmt.Errorf("write progress: %w", bus.ErrConflict)
}
