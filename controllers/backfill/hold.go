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
// the progress, writes its checkpoints and lets go of the task; resuming publishes another. A reading stops as soon as
// the connection bars it, and goes on only when one might begin.
func hold(ctx context.Context, s *scope) error {
	if over(s.progress.Phase) {
		return nil
	}
	if read := s.progress.Connection; read != "" && read != string(s.connection.UID) {
		return giveUp(ctx, s)
	}
	var stop error
	switch c := s.connection; {
	case s.backfill.Spec.Suspend:
		stop = step.Wait(v1alpha1.ReasonSuspended, 0, "Reading has stopped; what was read is kept. Set spec.suspend to false to go on.")
	case barred(c) || s.progress.Suspend && !readable(c):
		stop = step.Wait(v1alpha1.ReasonConnectionNotReady, 0, fmt.Sprintf(
			"Reading has stopped, since StripeConnection %q may not be read now; its conditions say why. What was read is kept, and reading goes on by itself.", c.Name))
	}
	if suspend := stop != nil; s.progress.Suspend != suspend {
		if err := mark(ctx, s, suspend); err != nil {
			return err
		}
	}
	if stop == nil || over(s.progress.Phase) {
		return nil
	}
	show(s.status, s.progress, s.now)
	s.status.Phase, s.status.Rate, s.status.ETA = v1alpha1.BackfillSuspended, "", nil
	return stop
}

// giveUp ends a reading whose connection was deleted: the one that has its name now may be another account's.
func giveUp(ctx context.Context, s *scope) error {
	return write(ctx, s, func(p *bus.Progress) bool {
		p.Suspend = true // for a worker that is at it still
		p.Phase, p.CompletedAt, p.Owner, p.LeaseUntil = bus.PhaseFailed, s.now.Unix(), "", 0
		p.Message = "The StripeConnection that was read has been deleted."
		return true
	})
}

func over(phase string) bool { return phase == bus.PhaseSucceeded || phase == bus.PhaseFailed }

// mark writes the wish into the progress.
func mark(ctx context.Context, s *scope, suspend bool) error {
	return write(ctx, s, func(p *bus.Progress) bool {
		if p.Suspend == suspend {
			return false
		}
		p.Suspend = suspend
		if !suspend {
			p.Resumes++
			p.Phase = bus.PhasePending
		}
		return true
	})
}

const writeTries = 10

// write changes the progress of a reading that is not over, which a worker writes every second.
func write(ctx context.Context, s *scope, change func(*bus.Progress) bool) error {
	for range writeTries {
		stored, revision, err := s.bus.Progress().Get(ctx, s.uid)
		if err != nil {
			return fmt.Errorf("read progress: %w", err)
		}
		if s.progress = stored; over(stored.Phase) || !change(&s.progress) {
			return nil
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
