package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

// lastAccepted is how long after a request the receiver may still have accepted the account's events: the route goes
// first, and each receiver learns of it on its own. What comes later is sent because the account was connected again.
const lastAccepted = time.Minute

// eraser meets the operator's requests to erase an account.
type eraser struct {
	board board[bus.Erasure]
	inbox *inbox
	// erased holds by key what was removed but could not be answered yet. Only the worker uses it.
	erased map[string]store.ErasedCounts
}

func newEraser(b board[bus.Erasure]) *eraser {
	return &eraser{board: b, inbox: newInbox(), erased: map[string]store.ErasedCounts{}}
}

// watchErasures notes each request that nobody has met yet.
func (e *Engine) watchErasures(ctx context.Context) error {
	return follow(ctx, e, e.eraser.board, "erasures", func(key string, request *bus.Erasure) {
		if request != nil && request.DoneAt == 0 {
			e.eraser.inbox.put(key)
		}
	})
}

// collectErasures notes all requests that are there already.
func (e *Engine) collectErasures(ctx context.Context) error {
	requests, err := e.eraser.board.All(ctx)
	for key, request := range requests {
		if request.DoneAt == 0 {
			e.eraser.inbox.keep(key)
		}
	}
	return err
}

// eraseAccounts meets the requests that were noted. One that fails stays, for another try.
func (e *Engine) eraseAccounts(ctx context.Context) (again time.Duration) {
	for _, key := range e.eraser.inbox.take() {
		if err := e.eraseAccount(ctx, key); err != nil {
			e.logger.Warn("an account cannot be erased yet", "connection", key, "again", watchRetry, "error", err)
			e.eraser.inbox.keep(key)
			again = watchRetry
		}
	}
	return again
}

// eraseAccount erases and then answers, in this order: an engine that dies in between erases once more, which finds
// nothing left, but never answers for what it has not done.
func (e *Engine) eraseAccount(ctx context.Context, key string) error {
	request, _, err := e.eraser.board.Get(ctx, key)
	switch {
	case errors.Is(err, bus.ErrNotFound) || (err == nil && request.DoneAt > 0):
		return nil
	case err != nil:
		return err
	}
	account := store.AccountRef{
		Scope: store.Scope{Workspace: request.Workspace, Livemode: request.Livemode}, Account: request.Account,
	}
	until := time.Unix(request.RequestedAt, 0).Add(lastAccepted)
	if now := e.clock.Now(); now.Before(until) {
		until = now
	}
	n, err := e.eraseFromStore(ctx, account, until)
	before := e.eraser.erased[key]
	n.Customers, n.Identities = n.Customers+before.Customers, n.Identities+before.Identities
	n.Signals, n.Scores = n.Signals+before.Signals, n.Scores+before.Scores
	n.Keys += before.Keys
	e.eraser.erased[key] = n
	if err != nil {
		return err
	}
	if err := e.answerErasure(ctx, key, n); err != nil {
		return err
	}
	delete(e.eraser.erased, key)
	e.logger.Info("erased", "workspace", request.Workspace, "account", request.Account, "livemode", request.Livemode,
		"customers", n.Customers, "signals", n.Signals, "scores", n.Scores, "identities", n.Identities)
	return nil
}

// eraseFromStore erases the account, or without one the workspace.
func (e *Engine) eraseFromStore(ctx context.Context, account store.AccountRef, until time.Time) (store.ErasedCounts, error) {
	if account.Account == "" {
		n, err := e.store.Erase(ctx, account.Workspace)
		e.matcher.changed(e.matcher.accounts(account.Workspace))
		return n, err
	}
	n, err := e.store.EraseAccount(ctx, account, until)
	e.matcher.changed([]store.AccountRef{account})
	return n, err
}

// answerErasure adds the counts to the answer. Several engines may meet one request at once, and each row is removed by
// one of them only, so that their counts add up.
func (e *Engine) answerErasure(ctx context.Context, key string, n store.ErasedCounts) error {
	for {
		answer, revision, err := e.eraser.board.Get(ctx, key)
		switch {
		case errors.Is(err, bus.ErrNotFound):
			return nil // nobody waits for it any more
		case err != nil:
			return err
		case answer.DoneAt > 0 && n.Customers+n.Signals+n.Scores+n.Identities+n.Keys == 0:
			return nil
		case answer.DoneAt == 0:
			answer.DoneAt = e.clock.Now().Unix()
		}
		answer.Customers, answer.Signals = answer.Customers+n.Customers, answer.Signals+n.Signals
		answer.Scores, answer.Identities = answer.Scores+n.Scores, answer.Identities+n.Identities
		answer.Keys += n.Keys
		_, err = e.eraser.board.Update(ctx, key, answer, revision)
		if !errors.Is(err, bus.ErrConflict) {
			return err
		}
	}
}
