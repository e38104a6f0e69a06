package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
)

const (
	// lease is how long a backfill stays a run's after it last said so. One that is not renewed is anybody's.
	lease = 10 * time.Second
	// reportPace is how often progress is written.
	reportPace = time.Second
	// rateSpan is the time over which the rate is measured.
	rateSpan = 30 * time.Second
)

// sample is how many objects had been read at an instant.
type sample struct {
	at      time.Time
	objects int64
}

// keep renews the lease and reports progress until ctx ends, and stops the run when it is called off, suspended or
// overtaken.
func (r *run) keep(ctx context.Context, stop context.CancelCauseFunc) {
	go func() {
		_ = r.w.bus.Progress().WatchKey(ctx, r.task.UID, func(p *bus.Progress) {
			switch {
			case p == nil:
				stop(errCancelled)
			case p.Suspend:
				stop(errSuspended)
			case p.Owner != r.id && p.Owner != "":
				stop(errOvertaken)
			}
		})
	}()
	ticker := r.w.clock.NewTicker(reportPace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		err := r.save(ctx, func(p *bus.Progress) { p.LeaseUntil = r.w.clock.Now().Add(lease).Unix() })
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, errCancelled) || errors.Is(err, errSuspended) || errors.Is(err, errOvertaken):
			stop(err)
		default:
			r.log.Warn("report progress", "error", err)
		}
	}
}

// save writes the progress: what the lists tell, and then what change makes of it. It writes over the revision that this
// run has seen, and so never over another run's. Of what the operator writes meanwhile it takes heed.
func (r *run) save(ctx context.Context, change func(*bus.Progress)) error {
	r.saving.Lock()
	defer r.saving.Unlock()
	bucket := r.w.bus.Progress()
	for {
		p := r.progress
		tallied := r.summarize(&p)
		change(&p)
		revision, err := bucket.Update(ctx, r.task.UID, p, r.revision)
		if err == nil {
			r.progress, r.revision, r.tallied = p, revision, tallied
			if p.Suspend {
				return errSuspended
			}
			return nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return fmt.Errorf("write progress: %w", err)
		}
		stored, revision, err := bucket.Get(ctx, r.task.UID)
		switch {
		case errors.Is(err, bus.ErrNotFound):
			return errCancelled
		case err != nil:
			return fmt.Errorf("read progress: %w", err)
		case stored.Owner != r.progress.Owner:
			return errOvertaken
		}
		r.progress.Suspend, r.progress.Resumes, r.revision = stored.Suspend, stored.Resumes, revision
	}
}

// summarize sums the lists up, and returns the tally that is right once that is written.
func (r *run) summarize(p *bus.Progress) tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lists) == 0 {
		return r.tallied
	}
	counts := r.count(p)
	now := r.w.clock.Now()
	p.Objects, p.Signals = 0, 0
	p.Found, p.Resources = map[signal.Kind]bus.Provenances{}, map[string]bus.ResourceProgress{}
	var read, left, longest float64
	known := true
	elapsed := now.Sub(r.began).Seconds()
	for _, l := range r.lists {
		expected, ok := l.slices.left()
		read, left, known = read+l.slices.read(), left+expected, known && ok
		pages := 0
		for _, s := range l.slices {
			pages += s.pages
		}
		if pages > 0 && expected > 0 {
			longest = max(longest, expected*elapsed/float64(pages))
		}
		p.Objects += l.slices.objects()
		p.Signals += l.signals
		add(p.Found, l.found)
		p.Resources[l.section.name] = l.progress()
	}
	add(p.Found, r.inferred)
	for _, n := range r.inferred {
		p.Signals += n.Inferred
	}
	p.Lost = r.lost
	if known {
		p.Percent = max(p.Percent, min(int(100*read/(read+left)), 99))
	}
	p.Rate, p.EndsAt = r.rate(now, p.Objects), 0
	if longest > 0 && elapsed > 0 {
		p.EndsAt = now.Add(time.Duration(longest * float64(time.Second))).Unix()
	}
	return counts
}

// tally is how much of a run's counts the stored progress holds.
type tally struct {
	requests, throttled int64
	// read is how much this run and those before had read.
	read int64
}

// count adds what was counted since the progress was last written. A refusal stands until something is let through again.
func (r *run) count(p *bus.Progress) tally {
	now := tally{requests: r.requests.Load(), throttled: r.throttled.Load(), read: r.objectsRead()}
	p.Requests += now.requests - r.tallied.requests
	p.Throttled += now.throttled - r.tallied.throttled
	if now.read > r.tallied.read {
		p.Postponed, p.Failures, p.ThrottledSince, p.Code, p.Message = 0, 0, 0, "", ""
	}
	if since := r.refusedSince.Load(); since != 0 && p.ThrottledSince == 0 {
		p.ThrottledSince = since
	}
	return now
}

// objectsRead in this run and those before.
func (r *run) objectsRead() (n int64) {
	for _, l := range r.lists {
		n += l.slices.objects() + int64(l.version)
	}
	return n
}

// rate is how many objects a second were read lately; 0 when too little time has passed.
func (r *run) rate(now time.Time, objects int64) float64 {
	r.samples = append(r.samples, sample{now, objects})
	for len(r.samples) > 2 && now.Sub(r.samples[1].at) > rateSpan {
		r.samples = r.samples[1:]
	}
	first := r.samples[0]
	elapsed := now.Sub(first.at).Seconds()
	if elapsed < 1 {
		return 0
	}
	return float64(objects-first.objects) / elapsed
}

// progress of one list.
func (l *list) progress() bus.ResourceProgress {
	p := bus.ResourceProgress{Objects: l.slices.objects(), Requests: l.requests, Windows: len(l.slices), Left: l.slices.open()}
	p.Done = p.Left == 0
	if left, ok := l.slices.left(); ok {
		p.Percent = int(100 * l.slices.read() / (l.slices.read() + left))
	}
	for _, s := range l.slices {
		if s.Cursor != "" {
			p.Cursor = s.Cursor
			if !s.Done {
				break
			}
		}
	}
	return p
}
