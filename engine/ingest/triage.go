package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

// triage sets aside what cannot become a score: messages without signals, from before an erasure, and those that came
// with a failure or name no customer, whose events are listed as failed.
func (e *Engine) triage(ctx context.Context, tx *store.Tx, batch []item, now time.Time, r *result) (usable []item, err error) {
	erasedAtMs, err := erasures(ctx, tx, batch)
	if err != nil {
		return nil, err
	}
	failed := map[string]map[string]store.FailedEvent{} // by workspace and event: one statement cannot name a row twice
	list := func(i item, reason string) {
		if failed[i.Workspace] == nil {
			failed[i.Workspace] = map[string]store.FailedEvent{}
		}
		failed[i.Workspace][fmt.Sprint(i.Livemode, i.id())] = failedEvent(i, reason, now)
	}
	for _, i := range batch {
		switch {
		case len(i.Signals) == 0 && i.Failure == "" && i.Redrive == 0:
		case i.ReceivedAtMs > 0 && i.ReceivedAtMs <= erasedAtMs[i.account()]:
			r.signals[erased] += len(i.Signals)
		case i.Failure != "":
			r.signals[gaveUp]++
			list(i, string(i.Failure))
		case slices.ContainsFunc(i.Signals, func(s signal.Signal) bool { return s.Customer == "" }):
			r.signals[unattributed] += len(i.Signals)
			list(i, store.FailureUnattributed)
		default:
			usable = append(usable, i)
		}
	}
	for workspace, events := range failed {
		list := make([]store.FailedEvent, 0, len(events))
		for _, event := range events {
			list = append(list, event)
		}
		if err := tx.RecordFailed(ctx, workspace, list); err != nil {
			return nil, err
		}
	}
	return usable, nil
}

// erasures opens the messages' workspaces and returns, for each account, up to when its messages are not to be stored.
func erasures(ctx context.Context, tx *store.Tx, batch []item) (map[store.AccountRef]int64, error) {
	var scopes []store.Scope
	var accounts []store.AccountRef
	for n, i := range batch {
		if n == 0 || i.account() != batch[n-1].account() { // most batches are of one account
			scopes, accounts = append(scopes, i.scope()), append(accounts, i.account())
		}
	}
	workspaces, err := tx.Workspaces(ctx, scopes)
	if err != nil {
		return nil, err
	}
	atMs, err := tx.ErasedAccounts(ctx, accounts)
	if err != nil {
		return nil, err
	}
	for _, account := range accounts {
		atMs[account] = max(atMs[account], workspaces[account.Workspace])
	}
	return atMs, nil
}
