package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kustiq/kustiq/engine/notify"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

// result is what a committed batch tells the metrics.
type result struct {
	signals map[outcome]int
	// received are the times of receipt of live messages that changed a score, in unix milliseconds.
	received []int64
	// matched are the accounts whose customers were matched.
	matched []store.AccountRef
	// announced are the churn events of the batch.
	announced announced
}

// change is what a batch brings to one customer.
type change struct {
	record  *store.CustomerRecord
	account string
	signals []signal.Signal
	state   *scoring.State
	// receivedAtMs is the earliest receipt among the live messages; 0 without one.
	receivedAtMs int64
	// origin is live as soon as one of the signals is.
	origin notify.Origin
}

// apply is one batch inside its transaction: what was seen before is dropped, the rest is folded into its customers.
func (e *Engine) apply(ctx context.Context, tx *store.Tx, batch []item) (result, error) {
	r := result{signals: map[outcome]int{}}
	now := e.clock.Now()
	usable, err := e.triage(ctx, tx, batch, now, &r)
	if err != nil {
		return r, err
	}
	fresh, err := dropKnownEvents(ctx, tx, usable, now, &r)
	if err != nil {
		return r, err
	}
	changes, err := dropKnownSignals(ctx, tx, fresh, &r)
	if err != nil {
		return r, err
	}
	saved, err := e.score(ctx, tx, changes, now, &r)
	if err != nil {
		return r, err
	}
	if r.matched, err = tx.MatchCustomers(ctx, saved, e.matcher.minimum); err != nil {
		return r, err
	}
	return r, tx.ClearFailed(ctx, events(usable))
}

// events names the messages as the ledger and the failed list do.
func events(messages []item) []store.EventRef {
	refs := make([]store.EventRef, len(messages))
	for n, i := range messages {
		refs[n] = store.EventRef{Scope: i.scope(), EventID: i.id(), Account: i.Account}
	}
	return refs
}

// dropKnownEvents keeps the first message of each event that the ledger does not know. Messages without an event are
// all kept: their signals' own ids are checked next.
func dropKnownEvents(ctx context.Context, tx *store.Tx, messages []item, now time.Time, r *result) (fresh []item, err error) {
	var withEvent []item
	for _, i := range messages {
		if i.EventID != "" {
			withEvent = append(withEvent, i)
		}
	}
	unseen, err := tx.RecordEvents(ctx, events(withEvent), now)
	if err != nil {
		return nil, err
	}
	for _, i := range messages {
		ref := store.EventRef{Scope: i.scope(), EventID: i.EventID, Account: i.Account}
		if i.EventID != "" && !unseen[ref] {
			r.signals[duplicate] += len(i.Signals)
			continue
		}
		delete(unseen, ref)
		fresh = append(fresh, i)
	}
	return fresh, nil
}

// dropKnownSignals stores the signals and groups those that were not stored before by customer.
func dropKnownSignals(ctx context.Context, tx *store.Tx, messages []item, r *result) (map[store.CustomerKey]*change, error) {
	var all []store.ScopedSignal
	for _, i := range messages {
		for _, s := range i.Signals {
			all = append(all, store.ScopedSignal{Scope: i.scope(), Signal: s})
		}
	}
	unseen, err := tx.InsertSignals(ctx, all)
	if err != nil {
		return nil, err
	}
	changes := map[store.CustomerKey]*change{}
	for _, i := range messages {
		brought := 0
		for _, s := range i.Signals {
			ref := store.ScopedSignal{Scope: i.scope(), Signal: s}.Ref()
			if !unseen[ref] {
				continue
			}
			delete(unseen, ref)
			brought++
			c := changes[ref.CustomerKey]
			if c == nil {
				c = &change{account: i.Account, origin: notify.ByHistory}
				changes[ref.CustomerKey] = c
			}
			c.signals = append(c.signals, s)
			if i.live {
				c.origin = notify.BySignal
			}
			if i.live && (c.receivedAtMs == 0 || i.ReceivedAtMs < c.receivedAtMs) {
				c.receivedAtMs = i.ReceivedAtMs
			}
		}
		r.signals[scored] += brought
		r.signals[duplicate] += len(i.Signals) - brought
		if i.live && brought > 0 {
			r.received = append(r.received, i.ReceivedAtMs)
		}
	}
	return changes, nil
}

// score folds the changes into their customers, saves them and returns what it saved. Customers are worked on side by
// side; the transaction is not.
func (e *Engine) score(
	ctx context.Context, tx *store.Tx, changes map[store.CustomerKey]*change, now time.Time, r *result,
) ([]*store.CustomerRecord, error) {
	keys := make([]store.CustomerKey, 0, len(changes))
	for key := range changes {
		keys = append(keys, key)
	}
	records, err := tx.Customers(ctx, keys)
	if err != nil {
		return nil, err
	}
	all := make([]*change, 0, len(keys))
	for key, c := range changes {
		c.record = records[key]
		c.record.Account = cmp.Or(c.record.Account, c.account)
		all = append(all, c)
	}
	_ = sideBySide(all, func(c *change) error {
		c.state = e.advance(c)
		return nil
	})
	if err := e.rebuild(ctx, tx, changes); err != nil {
		return nil, err
	}
	saved := make([]*store.CustomerRecord, len(all))
	for i, c := range all {
		saved[i] = c.record
		if c.receivedAtMs > 0 {
			c.record.FreshnessMs = max(0, now.UnixMilli()-c.receivedAtMs)
		}
	}
	r.announced, err = e.save(ctx, tx, all, now)
	return saved, err
}

// save evaluates customers by their states, stores them, and announces what is news about them.
func (e *Engine) save(ctx context.Context, tx *store.Tx, all []*change, now time.Time) (announced, error) {
	scopes := make([]store.Scope, 0, 1)
	for i, c := range all {
		if i == 0 || c.record.Scope != all[i-1].record.Scope { // most batches are of one scope
			scopes = append(scopes, c.record.Scope)
		}
	}
	if err := e.model.Refresh(ctx, tx, scopes); err != nil {
		return nil, err
	}
	err := sideBySide(all, func(c *change) error { return e.evaluate(c.record, c.state, now) })
	if err != nil {
		return nil, err
	}
	counts, err := e.announce(ctx, tx, all, now)
	if err != nil {
		return nil, err
	}
	records := make([]*store.CustomerRecord, len(all))
	for i, c := range all {
		records[i] = c.record
	}
	return counts, tx.SaveCustomers(ctx, records)
}

// sideBySide does something with each change, on all cores when there are enough, and returns the first error.
func sideBySide(all []*change, do func(*change) error) error {
	const enough = 16 // below it, starting a goroutine takes longer than it saves
	var group errgroup.Group
	for part := range slices.Chunk(all, max(enough, len(all)/runtime.GOMAXPROCS(0)+1)) {
		group.Go(func() error {
			for _, c := range part {
				if err := do(c); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// advance is the fast path: it applies the signals to the stored state. nil means that the state must be rebuilt,
// because a signal belongs before one that is already in it, or because the state cannot be read.
func (e *Engine) advance(c *change) (s *scoring.State) {
	for _, sig := range c.signals {
		c.record.Observe(sig)
	}
	defer func() {
		// A rebuild meets the same signals and turns a second panic into an error.
		if recover() != nil {
			s = nil
		}
	}()
	if len(c.record.State) == 0 {
		return scoring.Fold(withoutPersons(c.signals))
	}
	s = &scoring.State{}
	if json.Unmarshal(c.record.State, s) != nil {
		return nil
	}
	slices.SortFunc(c.signals, func(a, b signal.Signal) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), strings.Compare(a.ID, b.ID))
	})
	for _, sig := range withoutPersons(c.signals) {
		if !s.Apply(sig) {
			return nil
		}
	}
	return s
}

// withoutPersons returns signals as they are stored, so that no personal data gets into a state.
func withoutPersons(signals []signal.Signal) []signal.Signal {
	out := make([]signal.Signal, len(signals))
	for i, s := range signals {
		out[i] = store.WithoutPerson(s)
	}
	return out
}

// rebuild folds those customers from all their stored signals that have no state yet.
func (e *Engine) rebuild(ctx context.Context, tx *store.Tx, changes map[store.CustomerKey]*change) error {
	var keys []store.CustomerKey
	for key, c := range changes {
		if c.state == nil {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	stored, err := tx.CustomerSignals(ctx, keys)
	if err != nil {
		return err
	}
	for _, key := range keys {
		err := e.guard(func() error {
			changes[key].state = scoring.Fold(stored[key])
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// evaluate fills the record from the state.
func (e *Engine) evaluate(r *store.CustomerRecord, s *scoring.State, now time.Time) error {
	return e.guard(func() (err error) {
		r.Evaluation = scoring.Evaluate(s, now, e.params(r.Scope))
		r.EvaluatedAt = now
		r.TopTerm, r.TopReason = topReason(r.Evaluation)
		if next := r.Evaluation.NextChangeAt; !next.IsZero() && next.Before(now.Add(minRest)) {
			// Without a rest, rounding could make a customer due for ever.
			r.Evaluation.NextChangeAt = now.Add(minRest)
		}
		r.State, err = json.Marshal(s)
		return err
	})
}

// params are what a scope's customers are scored with now.
func (e *Engine) params(s store.Scope) scoring.Params {
	p := e.model.Params(s)
	p.AtRisk = e.settings.of(s.Workspace).AtRiskThreshold
	return p
}

// errScoring stands for a panic of the pure code. What was thrown may quote a signal and is not passed on.
var errScoring = errors.New("scoring failed on this customer's signals")

// guard keeps a defect in scoring from taking the engine down: only the customer at fault is held back.
func (e *Engine) guard(fn func() error) (err error) {
	defer func() {
		if recover() != nil {
			e.logger.Error("scoring panicked", "stack", string(debug.Stack()))
			err = errScoring
		}
	}()
	return fn()
}
