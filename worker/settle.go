package worker

import (
	"context"
	"errors"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/retry"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// settle decides what an ended run means for its task, and writes it down.
func (r *run) settle(ctx context.Context, err error) settlement {
	var (
		wait     *later
		refused  *stripeapi.Error
		hopeless *unworkable
	)
	// What is written now must be, even while the process ends.
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalTime)
	defer cancel()
	switch {
	case err == nil:
		r.log.Info("backfill done", "objects", r.progress.Objects, "signals", r.progress.Signals, "requests", r.progress.Requests)
		r.tidy(final)
		return settlement{outcome: "done"}
	case errors.Is(err, errOver):
		return settlement{outcome: "repeated"}
	case errors.As(err, &wait) && (errors.Is(err, errOvertaken) || errors.Is(err, errCancelled)):
		return settlement{outcome: "waiting", again: max(wait.after, time.Second)}
	case errors.Is(err, errCancelled):
		r.log.Info("backfill called off")
		r.tidy(final)
		return settlement{outcome: "cancelled"}
	case errors.Is(err, errSuspended):
		return r.suspend(final)
	case errors.Is(err, errOvertaken):
		return settlement{outcome: "overtaken", again: lease}
	case ctx.Err() != nil:
		_ = r.release(final, func(*bus.Progress) {})
		return interrupted()
	case errors.As(err, &hopeless):
		return r.fail(final, "", err)
	case errors.Is(err, tokenstore.ErrNotFound):
		return r.fail(final, errcode.ST401, err)
	case errors.As(err, &wait):
		return r.postpone(final, wait)
	case errors.As(err, &refused) && (refused.Code == errcode.ST401 && !r.awaitsToken() || refused.Code == errcode.ST403):
		return r.fail(final, refused.Code, err)
	}
	after, ok := nextResume(r.progress.Failures + 1)
	if !ok {
		return r.fail(final, "", err)
	}
	r.log.Warn("backfill stopped for now", "again", after, "error", err)
	_ = r.release(final, func(p *bus.Progress) { p.Failures++ })
	return settlement{outcome: "failed", again: after}
}

// renewalPatience is how many tries in a row a token that expires may be refused for: a quarter of an hour, in which the
// operator finds out and refreshes it, or the grant is gone.
const renewalPatience = 6

// awaitsToken says whether the operator may be about to replace the token that Stripe refused: when it ends is no more
// than what the operator knew.
func (r *run) awaitsToken() bool {
	_, token := r.current()
	return !token.ExpiresAt.IsZero() && r.progress.Failures < renewalPatience
}

// finalTime bounds what is written at the end of a run.
const finalTime = 5 * time.Second

// release writes the last word and gives the lease back. Should that fail, the lease runs out by itself.
func (r *run) release(ctx context.Context, change func(*bus.Progress)) error {
	if r.progress.Owner != r.id {
		return nil // the lease was never taken
	}
	err := r.save(ctx, func(p *bus.Progress) {
		change(p)
		p.Owner, p.LeaseUntil, p.Rate, p.EndsAt = "", 0, 0, 0
	})
	if err != nil && !errors.Is(err, errSuspended) {
		r.log.Warn("write the progress of a backfill that stops", "error", err)
		return err
	}
	return nil
}

// tidy removes the checkpoints of a backfill that has ended.
func (r *run) tidy(ctx context.Context) {
	if err := r.w.bus.RemoveBackfill(ctx, r.task.UID); err != nil {
		r.log.Warn("remove a backfill's checkpoints", "error", err)
	}
}

// suspend stops where it is. Whoever resumes the backfill publishes its task anew.
func (r *run) suspend(ctx context.Context) settlement {
	r.log.Info("backfill suspended")
	var err error
	if r.progress.Owner == r.id {
		err = r.release(ctx, func(p *bus.Progress) { p.Phase = bus.PhaseSuspended })
	} else {
		err = r.save(ctx, func(p *bus.Progress) { p.Phase = bus.PhaseSuspended })
	}
	if err != nil && !errors.Is(err, errSuspended) && !errors.Is(err, errCancelled) {
		return settlement{outcome: "failed", again: time.Minute}
	}
	return settlement{outcome: "suspended"}
}

// fail ends the backfill for good.
func (r *run) fail(ctx context.Context, code errcode.Code, cause error) settlement {
	r.log.Error("backfill failed", "code", code, "error", cause)
	err := r.release(ctx, func(p *bus.Progress) {
		p.Phase, p.CompletedAt = bus.PhaseFailed, r.w.clock.Now().Unix()
		p.Code, p.Message = string(code), explain(code, cause)
	})
	if err != nil {
		return settlement{outcome: "failed", again: time.Minute}
	}
	r.tidy(ctx)
	return settlement{outcome: "gave_up"}
}

// postpone hands the task back while Stripe wants to be left alone: for as long as it asked, or by the product's retry
// schedule, whose last step repeats.
func (r *run) postpone(ctx context.Context, wait *later) settlement {
	after := wait.after
	var refused *stripeapi.Error
	throttled := errors.As(wait, &refused) && refused.Code == errcode.ST429
	if throttled {
		after = max(after, retry.Pause(r.progress.Postponed+1))
	}
	_ = r.release(ctx, func(p *bus.Progress) {
		if throttled {
			p.Postponed++
			p.Code, p.Message = string(refused.Code), explain(refused.Code, nil)
			if p.ThrottledSince == 0 {
				p.ThrottledSince = r.w.clock.Now().Unix()
			}
		}
	})
	r.log.Info("backfill postponed", "again", after)
	return settlement{outcome: "deferred", again: max(after, time.Second)}
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

// stripeCodeOf is Stripe's own code in an error; "" when there is none.
func stripeCodeOf(err error) string {
	var refused *stripeapi.Error
	if errors.As(err, &refused) {
		return refused.StripeCode
	}
	return ""
}
