package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// Why a run stops that has nothing to do with Stripe.
var (
	// errOvertaken says that another worker has written this backfill's progress since.
	errOvertaken = errors.New("another worker runs this backfill")
	// errCancelled says that the backfill's progress was removed, which is how it is called off.
	errCancelled = errors.New("the backfill was called off")
)

// run is one delivery of one backfill.
type run struct {
	*caller
	task     bus.BackfillTask
	sections []section
	progress bus.Progress
	revision uint64
	log      *slog.Logger
}

func (w *Worker) backfill(ctx context.Context, d bus.TaskDelivery, task bus.BackfillTask) settlement {
	r := &run{task: task, log: w.log.With("backfill", task.Namespace+"/"+task.Name, "account", task.Account)}
	r.caller = &caller{w: w}
	err := r.begin(ctx)
	if err == nil && r.over() {
		return settlement{outcome: "repeated"}
	}
	if err == nil {
		err = r.work(ctx, d)
	}
	return r.settle(ctx, d.Attempt, err)
}

// begin takes up the stored progress, or stores the first.
func (r *run) begin(ctx context.Context) (err error) {
	bucket := r.w.bus.Progress()
	r.progress, r.revision, err = bucket.Get(ctx, r.task.UID)
	if errors.Is(err, bus.ErrNotFound) {
		r.progress = bus.Progress{Phase: bus.PhaseRunning, StartedAt: r.w.clock.Now().Unix()}
		r.revision, err = bucket.Create(ctx, r.task.UID, r.progress)
		if errors.Is(err, bus.ErrExists) {
			return errOvertaken
		}
	}
	if err != nil {
		return fmt.Errorf("read progress: %w", err)
	}
	if r.progress.StartedAt == 0 {
		r.progress.StartedAt = r.w.clock.Now().Unix()
	}
	if r.progress.Resources == nil {
		r.progress.Resources = map[string]bus.ResourceProgress{}
	}
	return nil
}

func (r *run) over() bool {
	return r.progress.Phase == bus.PhaseSucceeded || r.progress.Phase == bus.PhaseFailed
}

// work reads every section to its end.
func (r *run) work(ctx context.Context, d bus.TaskDelivery) (err error) {
	until, started := time.Unix(r.task.Until, 0), time.Unix(r.progress.StartedAt, 0)
	if r.sections, err = plan(r.task.Window, r.task.Since, until, started); err != nil {
		return &unworkable{err}
	}
	caller, err := r.w.newCaller(ctx, r.task.Connection, r.task.Account, r.task.Livemode, d.InProgress)
	if err != nil {
		return err
	}
	r.caller = caller
	for _, s := range r.sections {
		// Lists that are still to come are shown too.
		if _, begun := r.progress.Resources[s.name]; !begun {
			r.progress.Resources[s.name] = bus.ResourceProgress{}
		}
	}
	for _, s := range r.sections {
		if err := r.read(ctx, s); err != nil {
			return err
		}
	}
	r.progress.Phase, r.progress.Percent, r.progress.CompletedAt = bus.PhaseSucceeded, 100, r.w.clock.Now().Unix()
	r.progress.Code, r.progress.Message = "", ""
	return r.save(ctx)
}

// unworkable is a task that no repetition can help.
type unworkable struct{ cause error }

func (u *unworkable) Error() string { return u.cause.Error() }

// settle decides what an ended run means for its task, and writes it down.
func (r *run) settle(ctx context.Context, attempt int, err error) settlement {
	var (
		wait     *later
		refused  *stripeapi.Error
		hopeless *unworkable
	)
	switch {
	case err == nil:
		r.log.Info("backfill done", "objects", r.progress.Objects, "signals", r.progress.Signals, "requests", r.progress.Requests)
		return settlement{outcome: "done"}
	case ctx.Err() != nil:
		return interrupted()
	case errors.Is(err, errCancelled):
		r.log.Info("backfill called off")
		return settlement{outcome: "cancelled"}
	case errors.Is(err, errOvertaken):
		return settlement{outcome: "overtaken", leave: true}
	case errors.As(err, &hopeless):
		return r.fail(ctx, attempt, "", err)
	case errors.Is(err, tokenstore.ErrNotFound):
		return r.fail(ctx, attempt, errcode.ST401, err)
	case errors.As(err, &wait):
		return r.postpone(ctx, wait)
	case errors.As(err, &refused) && (refused.Code == errcode.ST401 || refused.Code == errcode.ST403):
		return r.fail(ctx, attempt, refused.Code, err)
	}
	after, ok := nextResume(attempt)
	if !ok {
		return r.fail(ctx, attempt, "", err)
	}
	r.log.Warn("backfill stopped for now", "attempt", attempt, "again", after, "error", err)
	return settlement{outcome: "failed", again: after}
}

// fail ends the backfill for good.
func (r *run) fail(ctx context.Context, attempt int, code errcode.Code, cause error) settlement {
	r.log.Error("backfill failed", "code", code, "attempt", attempt, "error", cause)
	r.count()
	r.progress.Phase, r.progress.CompletedAt = bus.PhaseFailed, r.w.clock.Now().Unix()
	r.progress.Code, r.progress.Message = string(code), explain(code, cause)
	switch err := r.save(ctx); {
	case errors.Is(err, errCancelled):
		return settlement{outcome: "cancelled"}
	case errors.Is(err, errOvertaken):
		return settlement{outcome: "overtaken", leave: true}
	case err != nil:
		r.log.Warn("write progress of a failed backfill", "error", err)
		return settlement{outcome: "failed", again: time.Minute}
	}
	return settlement{outcome: "gave_up"}
}

// postpone hands the task back while Stripe wants to be left alone.
func (r *run) postpone(ctx context.Context, wait *later) settlement {
	r.count()
	var refused *stripeapi.Error
	if errors.As(wait, &refused) && refused.Code == errcode.ST429 {
		r.progress.Code, r.progress.Message = string(refused.Code), explain(refused.Code, nil)
	}
	if err := r.save(ctx); err != nil {
		r.log.Warn("write progress of a postponed backfill", "error", err)
	}
	r.log.Info("backfill postponed", "again", wait.after)
	return settlement{outcome: "deferred", again: wait.after}
}

// explain gives the words for a progress message: those of the code, or the cause, which never quotes Stripe.
func explain(code errcode.Code, cause error) string {
	if entry, ok := errcode.Lookup(code); ok {
		return entry.Title + ". " + entry.Remedy
	}
	if cause != nil {
		return cause.Error()
	}
	return ""
}

// count moves what the caller has counted since the last save into the progress.
func (r *run) count() {
	r.progress.Requests += r.requests
	r.progress.Throttled += r.throttled
	r.requests, r.throttled = 0, 0
}

// save writes the progress over the revision this run has seen, and so never over another worker's.
func (r *run) save(ctx context.Context) error {
	bucket := r.w.bus.Progress()
	revision, err := bucket.Update(ctx, r.task.UID, r.progress, r.revision)
	if err == nil {
		r.revision = revision
		return nil
	}
	if !errors.Is(err, bus.ErrConflict) {
		return fmt.Errorf("write progress: %w", err)
	}
	if _, _, err := bucket.Get(ctx, r.task.UID); errors.Is(err, bus.ErrNotFound) {
		return errCancelled
	}
	return errOvertaken
}
