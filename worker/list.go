package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/internal/bus"
)

// list is one list of a run: its slices, and what was found in it. The run's mu guards all but saving, saved and revision.
type list struct {
	section  section
	slices   sliced
	requests int64
	signals  int64
	splits   int
	attempts int64
	found    map[signal.Kind]bus.Provenances
	// roundTrip is how long a page takes lately, from its request to its checkpoint.
	roundTrip time.Duration
	// version counts changes.
	version int

	// saving is held by the one who writes the checkpoint. Those who wait for it find theirs written with it.
	saving   sync.Mutex
	saved    int
	revision uint64
}

// load takes up the checkpoint of each list, or makes the first, and marks them with this run: whoever had them before
// can write them no more. What was read before is nothing new: it does not end a time in which Stripe lets nothing through.
func (r *run) load(ctx context.Context) error {
	var lists []*list
	for _, s := range r.sections {
		l := &list{section: s}
		key, bucket := bus.ListKey(r.task.UID, s.name), r.w.bus.Lists()
		stored, revision, err := bucket.Get(ctx, key)
		missing := errors.Is(err, bus.ErrNotFound)
		if err != nil && !missing {
			return fmt.Errorf("read the checkpoint of %s: %w", s.name, err)
		}
		if missing {
			stored.Slices = []bus.Slice{{From: s.params.CreatedGTE, To: s.params.CreatedLTE}}
		}
		stored.Owner = r.id
		if missing {
			l.revision, err = bucket.Create(ctx, key, stored)
		} else {
			l.revision, err = bucket.Update(ctx, key, stored, revision)
		}
		if errors.Is(err, bus.ErrConflict) || errors.Is(err, bus.ErrExists) {
			return errOvertaken
		}
		if err != nil {
			return fmt.Errorf("take up the checkpoint of %s: %w", s.name, err)
		}
		l.slices, l.requests, l.signals, l.splits = newSliced(stored.Slices), stored.Requests, stored.Signals, stored.Splits
		l.attempts, l.found = stored.Attempts, stored.Found
		if l.found == nil {
			l.found = map[signal.Kind]bus.Provenances{}
		}
		lists = append(lists, l)
	}
	r.saving.Lock()
	defer r.saving.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lists = lists
	r.tallied.read = r.objectsRead()
	return nil
}

// checkpoint returns when the list is written down at least as far as its version. What many pages have changed
// meanwhile is written at once.
func (r *run) checkpoint(ctx context.Context, l *list, version int) error {
	l.saving.Lock()
	defer l.saving.Unlock()
	if l.saved >= version {
		return nil
	}
	r.mu.Lock()
	now := l.version
	stored := bus.ListProgress{
		Slices: l.slices.stored(), Requests: l.requests, Signals: l.signals, Splits: l.splits, Attempts: l.attempts, Found: copied(l.found), Owner: r.id,
	}
	r.mu.Unlock()
	revision, err := r.w.bus.Lists().Update(ctx, bus.ListKey(r.task.UID, l.section.name), stored, l.revision)
	if errors.Is(err, bus.ErrConflict) {
		return r.displaced(ctx)
	}
	if err != nil {
		return fmt.Errorf("write the checkpoint of %s: %w", l.section.name, err)
	}
	l.revision, l.saved = revision, now
	return nil
}

// displaced tells why a run may not write any more.
func (r *run) displaced(ctx context.Context) error {
	_, _, err := r.w.bus.Progress().Get(ctx, r.task.UID)
	if errors.Is(err, bus.ErrNotFound) {
		return errCancelled
	}
	return errOvertaken
}

func copied(found map[signal.Kind]bus.Provenances) map[signal.Kind]bus.Provenances {
	out := make(map[signal.Kind]bus.Provenances, len(found))
	add(out, found)
	return out
}

// add sums counts up.
func add(to, more map[signal.Kind]bus.Provenances) {
	for kind, n := range more {
		sum := to[kind]
		sum.Event, sum.Object, sum.Inferred = sum.Event+n.Event, sum.Object+n.Object, sum.Inferred+n.Inferred
		to[kind] = sum
	}
}

// count adds signals.
func count(to map[signal.Kind]bus.Provenances, signals []signal.Signal) {
	for _, s := range signals {
		sum := to[s.Kind]
		switch s.Provenance {
		case signal.FromEvent:
			sum.Event++
		case signal.FromListed:
			sum.Object++
		default:
			sum.Inferred++
		}
		to[s.Kind] = sum
	}
}

// grow divides a slice when more pages could be under way than are, and returns the new parts. r.mu is held.
func (r *run) grow(l *list, s *slice) (added []*slice) {
	parts := l.split(s, r.target(l), r.spare())
	if parts < 1 {
		return nil
	}
	l.slices, added = l.slices.divide(s, parts)
	l.splits += len(added)
	return added
}

// split is how many parts to cut off a slice when target pages of the list should be under way. A list of which little is
// known is halved, to find where it has objects at all.
// Beyond its own allowance it may use what is spare of the run's.
func (l *list) split(s *slice, target, spare int) int {
	wanted, allowed := target-l.slices.open(), max(int(l.slices.allowance())-l.splits, spare)
	if s.Done || wanted < 1 || allowed < 1 {
		return 0
	}
	if !l.slices.located() {
		return 1
	}
	// Of the slices that there can be it gets its part of all that is left, so that one does not take what a longer one
	// needs. A single one that is left over goes to the longest.
	reachable := float64(l.slices.open() + min(wanted, allowed))
	part := int(reachable*s.expected()/l.slices.expected()+0.5) - 1
	if part < 1 && s.expected() >= l.slices.longest() {
		part = 1
	}
	return min(part, wanted, allowed)
}

// spare is how many divisions those lists of which it is known how long they are do not need. Short ones may use them, which
// otherwise take as long as long ones: what counts is the requests of the whole run.
func (r *run) spare() (n int) {
	for _, l := range r.lists {
		if l.slices.located() {
			n += int(l.slices.allowance()) - l.splits - max(r.target(l)-l.slices.open(), 0)
		}
	}
	return max(n, 0)
}

// target is how many pages of a list have to be under way to use the whole of the rate: as many as fall due while one
// is, a few that wait for their frame, and some for pages that take longer than others.
func (r *run) target(l *list) int {
	active, longer := 0, 0
	for _, other := range r.lists {
		if other.slices.open() > 0 {
			active++
		}
		if other != l && other.slices.expected() > l.slices.expected() {
			longer++
		}
	}
	f := r.budget.frames
	share := share(f.most, active, longer)
	return min(int(1.3*share*float64(l.roundTrip)/float64(f.length))+horizon+2, inFlight)
}

// share is the part of all frames that a list can have when so many of the active lists have more left and go first. All but
// one place of a frame are theirs who have the most left; the others have the last one in common.
func share(places, active, longer int) float64 {
	if active <= places || longer < places-1 {
		return 1
	}
	return 1 / float64(active-places+1)
}

// left is how many pages are left of a path's list. One that was not looked at goes first, and so does what a page waits for.
func (r *run) left(path string) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lists {
		if l.section.name == path && l.slices.begun() {
			return l.slices.expected()
		}
	}
	return math.Inf(1)
}
