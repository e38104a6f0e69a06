package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kustiq/kustiq/engine/notify"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/vault"
)

// judgePage is how many customers one transaction of judging a workspace's anew looks at, so that batches of signals get
// their turn in between. Few of them are on the wrong side.
const judgePage = 500

// settings are what each workspace asks for, as the operator has published it. They are safe for concurrent use.
type settings struct {
	board board[bus.Settings]
	// inbox has the workspaces whose customers may have to be judged anew.
	inbox *inbox
	vault *vault.Vault

	mu    sync.RWMutex
	known map[string]bus.Settings
}

func newSettings(b board[bus.Settings], v *vault.Vault) *settings {
	return &settings{board: b, inbox: newInbox(), vault: v, known: map[string]bus.Settings{}}
}

// of returns a workspace's settings; nobody has to be told of one that has none.
func (s *settings) of(workspace string) bus.Settings {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := s.known[workspace]
	if found.AtRiskThreshold == 0 {
		found.AtRiskThreshold = scoring.DefaultAtRisk
	}
	return found
}

// set takes over what was published; nil for settings that were withdrawn.
func (s *settings) set(workspace string, published *bus.Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if published == nil {
		delete(s.known, workspace)
	} else {
		s.known[workspace] = *published
	}
}

// Receiver returns where a receiver listens and what its messages are signed with; ok is false when the workspace does
// not name it any more, or names it in a way that this engine cannot read.
func (s *settings) Receiver(workspace, id string) (to notify.Receiver, ok bool) {
	receivers := s.of(workspace).Receivers
	at := slices.IndexFunc(receivers, func(r bus.Receiver) bool { return r.ID == id })
	if at < 0 || s.vault == nil {
		return to, false
	}
	plain, err := s.vault.Unseal(receivers[at].Sealed, bus.ReceiverContext(workspace, id))
	if err != nil {
		return to, false
	}
	var secret bus.ReceiverSecret
	if json.Unmarshal(plain, &secret) != nil {
		return to, false
	}
	return notify.Receiver{URL: secret.URL, Secrets: secret.Secrets}, true
}

// collectSettings takes over what is published already. It comes before any signal: a change that nobody was to be told
// of is not told later.
func (e *Engine) collectSettings(ctx context.Context) error {
	all, err := e.settings.board.All(ctx)
	if err != nil {
		return fmt.Errorf("read the workspaces' settings: %w", err)
	}
	for workspace, published := range all {
		e.settings.set(workspace, &published)
		e.settings.inbox.keep(workspace)
	}
	return nil
}

// watchSettings keeps them current.
func (e *Engine) watchSettings(ctx context.Context) error {
	return follow(ctx, e, e.settings.board, "settings", func(workspace string, published *bus.Settings) {
		e.settings.set(workspace, published)
		e.settings.inbox.put(workspace)
	})
}

// judgeAnew brings the customers of workspaces with another threshold to the right side of it. One that fails stays, for
// another try.
func (e *Engine) judgeAnew(ctx context.Context) (again time.Duration) {
	for _, workspace := range e.settings.inbox.take() {
		if err := e.judgeWorkspace(ctx, workspace); err != nil && ctx.Err() == nil {
			e.logger.Warn("a changed threshold is not in force for all customers yet", "workspace", workspace, "again", watchRetry,
				"error", err)
			e.settings.inbox.keep(workspace)
			again = watchRetry
		}
	}
	return again
}

// judgeWorkspace evaluates the customers that are on the wrong side, a bounded page after the other. The threshold is
// noted at the end only, so that an engine that dies before begins anew.
func (e *Engine) judgeWorkspace(ctx context.Context, workspace string) error {
	threshold := e.settings.of(workspace).AtRiskThreshold
	applied, ok, err := e.store.AtRiskThreshold(ctx, workspace)
	if err != nil || !ok || applied == threshold {
		return err
	}
	total := 0
	for after, more := (store.CustomerKey{}), true; more; {
		var evaluated int
		if evaluated, after, more, err = e.judgePage(ctx, workspace, threshold, after); err != nil {
			return err
		}
		total += evaluated
	}
	e.logger.Info("a changed threshold is in force", "workspace", workspace, "threshold", threshold, "evaluated", total)
	return e.store.SetAtRiskThreshold(ctx, workspace, threshold)
}

// judgePage looks at the customers after one, evaluates those on the wrong side, and returns how many and the last it saw.
func (e *Engine) judgePage(ctx context.Context, workspace string, threshold int, after store.CustomerKey) (
	evaluated int, last store.CustomerKey, more bool, err error,
) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	err = e.store.Update(ctx, func(tx *store.Tx) error {
		var keys []store.CustomerKey
		if keys, last, more, err = tx.Misjudged(ctx, workspace, threshold, after, judgePage); err != nil || len(keys) == 0 {
			return err
		}
		evaluated = len(keys)
		_, err := e.rescore(ctx, tx, keys, e.clock.Now(), notify.BySettings)
		return err
	})
	return evaluated, last, more, err
}
