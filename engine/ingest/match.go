package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

const (
	// rematchCustomers bounds one transaction of a rematch, so that batches of signals get their turn in between.
	rematchCustomers = 500
	// publishEvery is the shortest time between two counts of one account: a backfill changes them with every batch.
	publishEvery = 3 * time.Second
	// rematchIdle is how long a rematch waits at most that another process's import asks for.
	rematchIdle = 30 * time.Second
)

// matcher keeps all customers matched under their account's policy, and tells the operator the counts.
type matcher struct {
	policies board[bus.MatchPolicy]
	counts   board[bus.Matches]
	// inbox has the RouteKeys whose counts may have changed, and wakes for a rematch.
	inbox *inbox

	mu sync.Mutex
	// known are the policies by RouteKey.
	known map[string]bus.MatchPolicy
	// gone are the RouteKeys of withdrawn policies whose counts are still on the board.
	gone map[string]bool
	// check says that a policy or the profiles may have changed since the rematches were looked at.
	check bool

	// publishAt is by RouteKey when counts may be published next, checkAt when rematches are looked at unasked. Only the
	// worker uses them, and decisions.
	publishAt map[string]time.Time
	checkAt   time.Time
	// decisions are how often persons had decided on an account's matches when its counts were last told.
	decisions map[store.AccountRef]int64
}

func newMatcher(policies board[bus.MatchPolicy], counts board[bus.Matches]) *matcher {
	return &matcher{policies: policies, counts: counts, inbox: newInbox(), known: map[string]bus.MatchPolicy{},
		gone: map[string]bool{}, publishAt: map[string]time.Time{}}
}

func accountOf(p bus.MatchPolicy) store.AccountRef {
	return store.AccountRef{Scope: store.Scope{Workspace: p.Workspace, Livemode: p.Livemode}, Account: p.Account}
}

// policy returns an account's; ok is false as long as the operator has published none.
func (m *matcher) policy(ref store.AccountRef) (p bus.MatchPolicy, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok = m.known[bus.RouteKey(ref.Account, ref.Livemode)]
	return p, ok && p.Workspace == ref.Workspace
}

// accounts are the workspace's that have a policy.
func (m *matcher) accounts(workspace string) (refs []store.AccountRef) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.known {
		if p.Workspace == workspace {
			refs = append(refs, accountOf(p))
		}
	}
	return refs
}

// minimum is the confidence that the account's matches need; 0 stands for the least allowed.
func (m *matcher) minimum(ref store.AccountRef) int {
	p, _ := m.policy(ref)
	return p.MinimumConfidence
}

// changed notes that the accounts' counts may have changed.
func (m *matcher) changed(refs []store.AccountRef) {
	for _, ref := range refs {
		if _, ok := m.policy(ref); ok { // without one nobody asks, and its counts are told when it comes
			m.inbox.put(bus.RouteKey(ref.Account, ref.Livemode))
		}
	}
}

// look makes the worker see whether a rematch is due.
func (m *matcher) look() {
	m.mu.Lock()
	m.check = true
	m.mu.Unlock()
	m.inbox.put()
}

// watchPolicies keeps the known policies current. A policy that is withdrawn takes its counts with it.
func (e *Engine) watchPolicies(ctx context.Context) error {
	m := e.matcher
	return follow(ctx, e, m.policies, "match_policies", func(key string, policy *bus.MatchPolicy) {
		m.mu.Lock()
		if policy == nil {
			delete(m.known, key)
		} else {
			m.known[key] = *policy
		}
		m.gone[key] = policy == nil
		m.mu.Unlock()
		m.inbox.put(key)
		m.look()
	})
}

// match rematches the accounts that it is due for, publishes what has changed, and returns when to look again.
func (e *Engine) match(ctx context.Context) (again time.Duration) {
	m, now := e.matcher, e.clock.Now()
	m.mu.Lock()
	known, check := len(m.known), m.check || !now.Before(m.checkAt)
	m.check = false
	m.mu.Unlock()
	if known > 0 && check {
		m.checkAt = now.Add(rematchIdle)
		if err := e.rematchDue(ctx); err != nil {
			e.logger.Warn("matching customers again failed and is tried again", "after", watchRetry, "error", err)
			m.checkAt = now.Add(watchRetry)
		}
	}
	again = e.publishChanged(ctx)
	if known == 0 {
		return again
	}
	idle := max(m.checkAt.Sub(e.clock.Now()), time.Millisecond)
	if again == 0 {
		return idle
	}
	return min(again, idle)
}

// rematchDue finds the accounts whose customers were last matched under something else than what holds now.
func (e *Engine) rematchDue(ctx context.Context) error {
	imports, last, decisions, err := e.store.Rematches(ctx)
	if err != nil {
		return err
	}
	var decidedOn []store.AccountRef
	for ref, n := range decisions {
		if e.matcher.decisions[ref] != n {
			decidedOn = append(decidedOn, ref)
		}
	}
	e.matcher.decisions = decisions
	e.matcher.changed(decidedOn)
	e.matcher.mu.Lock()
	policies := make([]bus.MatchPolicy, 0, len(e.matcher.known))
	for _, p := range e.matcher.known {
		policies = append(policies, p)
	}
	e.matcher.mu.Unlock()
	var failed error
	for _, p := range policies {
		ref := accountOf(p)
		due := store.Rematch{MinimumConfidence: p.MinimumConfidence, Asked: p.RematchAt, Imports: imports[p.Workspace]}
		if done, ok := last[ref]; ok && done == due {
			continue
		}
		if err := e.rematch(ctx, ref, due); err != nil {
			failed = errors.Join(failed, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}

// rematch matches all customers of an account, a bounded page after the other. What is due is noted at the end only, so
// that a rematch which breaks off starts anew; an import meanwhile has a higher number and asks for the next one.
func (e *Engine) rematch(ctx context.Context, ref store.AccountRef, due store.Rematch) error {
	key := bus.RouteKey(ref.Account, ref.Livemode)
	for after := ""; ; {
		last, err := e.rematchPage(ctx, ref, due.MinimumConfidence, after)
		if err != nil {
			return err
		}
		if last == "" {
			break
		}
		after = last
		e.matcher.inbox.keep(key)
		e.publishChanged(ctx)
	}
	if err := e.store.Rematched(ctx, ref, due); err != nil {
		return err
	}
	e.matcher.inbox.keep(key)
	return nil
}

func (e *Engine) rematchPage(ctx context.Context, ref store.AccountRef, minimum int, after string) (last string, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	return e.store.RematchPage(ctx, ref, minimum, after, rematchCustomers)
}
