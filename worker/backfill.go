package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
)

// Why a run stops that has nothing to do with Stripe.
var (
	// errOvertaken says that another worker has taken this backfill over.
	errOvertaken = errors.New("another worker runs this backfill")
	// errCancelled says that the backfill's progress was removed, which is how it is called off.
	errCancelled = errors.New("the backfill was called off")
	// errSuspended says that somebody wants it to stop where it is.
	errSuspended = errors.New("the backfill was suspended")
	// errOver says that there is nothing left to do.
	errOver = errors.New("the backfill has ended")
)

// run is one delivery of one backfill.
type run struct {
	*caller
	task bus.BackfillTask
	// id is the owner's mark on everything that this run writes.
	id       string
	sections []section
	log      *slog.Logger

	// mu guards the lists, which many goroutines read at once, and what is measured of them.
	mu      sync.Mutex
	lists   []*list
	began   time.Time
	samples []sample
	// inferred and lost are known when all lists have been compared.
	inferred map[signal.Kind]bus.Provenances
	lost     []bus.Loss

	// saving guards the progress and its revision at the bus, and what is counted in it.
	saving   sync.Mutex
	progress bus.Progress
	revision uint64
	tallied  tally
}

func (w *Worker) backfill(ctx context.Context, d bus.TaskDelivery, task bus.BackfillTask) settlement {
	r := &run{task: task, id: rand.Text(), began: w.clock.Now(), log: w.log.With("backfill", task.Namespace+"/"+task.Name, "account", task.Account)}
	r.caller = &caller{w: w}
	err := r.begin(ctx, d.Attempt)
	if err == nil {
		w.metrics.running.Inc()
		err = r.work(ctx)
		w.metrics.running.Dec()
	}
	return r.settle(ctx, err)
}

// begin takes the lease of the stored progress. The operator creates that before it publishes the task: where it is
// missing, the backfill was called off while its task waited. A first delivery looks again, for a replica of the bus may
// not have heard of it yet.
func (r *run) begin(ctx context.Context, attempt int) error {
	bucket, now := r.w.bus.Progress(), r.w.clock.Now()
	stored, revision, err := bucket.Get(ctx, r.task.UID)
	missing := errors.Is(err, bus.ErrNotFound)
	r.progress, r.revision = stored, revision
	switch {
	case missing && attempt <= 1:
		return &later{after: time.Second, cause: errCancelled}
	case missing:
		return errCancelled
	case err != nil:
		return fmt.Errorf("read progress: %w", err)
	case stored.Phase == bus.PhaseSucceeded || stored.Phase == bus.PhaseFailed:
		return errOver
	case stored.Suspend:
		return errSuspended
	case stored.Owner != "" && stored.LeaseUntil > now.Unix():
		return &later{after: time.Unix(stored.LeaseUntil, 0).Sub(now), cause: errOvertaken}
	}
	p := &r.progress
	p.Phase, p.Owner, p.LeaseUntil = bus.PhaseRunning, r.id, now.Add(lease).Unix()
	if p.StartedAt == 0 {
		p.StartedAt = now.Unix()
	}
	r.revision, err = bucket.Update(ctx, r.task.UID, *p, r.revision)
	if errors.Is(err, bus.ErrConflict) {
		return &later{after: time.Second, cause: errOvertaken}
	}
	if err != nil {
		return fmt.Errorf("take the lease: %w", err)
	}
	return nil
}

// work reads every list to its end, and concludes what only all of them tell.
func (r *run) work(ctx context.Context) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	defer keeping.Wait()
	defer stop(nil)
	keeping.Go(func() { r.keep(ctx, stop) })

	c, err := r.w.newCaller(ctx, r.task.Connection, r.task.Account, r.task.Livemode)
	if err != nil {
		return err
	}
	r.caller, c.left = c, r.left
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := r.read(ctx, stop); err != nil {
		return err
	}
	if err := r.conclude(ctx); err != nil {
		return cause(ctx, err)
	}
	err = r.save(context.WithoutCancel(ctx), func(p *bus.Progress) {
		p.Phase, p.Percent, p.CompletedAt, p.EndsAt = bus.PhaseSucceeded, 100, r.w.clock.Now().Unix(), 0
		p.Code, p.Message, p.Owner, p.LeaseUntil = "", "", "", 0
	})
	if errors.Is(err, errSuspended) {
		return nil // too late: there is nothing left to suspend
	}
	return err
}

// cause prefers why a run was stopped to what that led to.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return err
}

// open plans the lists and takes up their checkpoints.
func (r *run) open(ctx context.Context) (err error) {
	if err := r.plan(); err != nil {
		return err
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	if !r.beyondReach() {
		return nil
	}
	r.log.Info("the oldest events to be read are gone by now: the reading starts over")
	if err := r.w.bus.RemoveBackfill(ctx, r.task.UID); err != nil {
		return fmt.Errorf("start over: %w", err)
	}
	r.saving.Lock()
	r.progress.StartedAt = r.w.clock.Now().Unix()
	r.saving.Unlock()
	if err := r.plan(); err != nil {
		return err
	}
	return r.load(ctx)
}

func (r *run) plan() (err error) {
	r.saving.Lock()
	until, started := time.Unix(r.task.Until, 0), time.Unix(r.progress.StartedAt, 0)
	r.saving.Unlock()
	if r.sections, err = plan(r.task.Window, r.task.Since, until, started); err != nil {
		return &unworkable{err}
	}
	return nil
}

// beyondReach says whether events that are still to be read have vanished in a long interruption.
func (r *run) beyondReach() bool {
	for _, l := range r.lists {
		if l.section.name != "events" {
			continue
		}
		for _, s := range l.slices {
			if !s.Done && s.From < r.w.clock.Now().Add(-eventsReach).Unix() {
				return true
			}
		}
	}
	return false
}

// read follows every slice that is not done until all are, or one fails.
func (r *run) read(ctx context.Context, stop context.CancelCauseFunc) error {
	var reading sync.WaitGroup
	for _, l := range r.lists {
		for _, s := range l.slices {
			if !s.Done {
				r.start(ctx, &reading, stop, l, s)
			}
		}
	}
	reading.Wait()
	return context.Cause(ctx)
}

func (r *run) start(ctx context.Context, reading *sync.WaitGroup, stop context.CancelCauseFunc, l *list, s *slice) {
	reading.Go(func() {
		for !s.Done && ctx.Err() == nil {
			added, err := r.turn(ctx, l, s)
			if err != nil {
				stop(err)
				return
			}
			for _, other := range added {
				r.start(ctx, reading, stop, l, other)
			}
		}
	})
}

// unworkable is a task that no repetition can help.
type unworkable struct{ cause error }

func (u *unworkable) Error() string { return u.cause.Error() }
