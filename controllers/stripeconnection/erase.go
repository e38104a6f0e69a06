package stripeconnection

import (
	"context"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
)

// erase has the engine remove what the account has left in the store, when the deletion policy says so. An engine that
// is away does it when it is back: the request outlives the connection. Nothing is asked while another connection of the
// Workspace has the account: what the account has left is that one's too.
func (r *Reconciler) erase(ctx context.Context, s *scope) error {
	if s.bus == nil || s.conn.Spec.DeletionPolicy != v1alpha1.DeletionErase || s.status.AccountID == "" {
		return nil
	}
	wanted, _, err := s.bus.Erasures().Get(ctx, s.uid)
	if errors.Is(err, bus.ErrNotFound) {
		kept, failed := r.keptFor(ctx, s, s.sharesScores, "ScoresKept", fmt.Sprintf("What account %s has left is not erased", s.status.AccountID))
		if kept || failed != nil {
			return failed
		}
		wanted, err = askErasure(ctx, s)
	}
	switch {
	case err != nil:
		return fmt.Errorf("ask for erasure: %w", err)
	case wanted.DoneAt > 0:
		s.note(normal, "Erased", "Delete", fmt.Sprintf(
			"Erased what account %s has left: %d customers, %d signals, %d daily scores, %d identities.",
			wanted.Account, wanted.Customers, wanted.Signals, wanted.Scores, wanted.Identities))
		return nil // the answer stays, or a reconcile that the cache lets run once more would ask again
	case s.now.Before(s.deadline()):
		return step.Wait(v1alpha1.ReasonDeleting, 0, "Waiting for the engine to erase the account's scores.")
	}
	s.note(warning, "ErasurePending", "Delete", fmt.Sprintf(
		"No engine has answered. What account %s has left is erased as soon as one runs.", wanted.Account))
	return nil
}

func askErasure(ctx context.Context, s *scope) (bus.Erasure, error) {
	wanted := bus.Erasure{
		Workspace: s.workspaceKey(), Account: s.status.AccountID, Livemode: s.mode.livemode(), RequestedAt: s.now.Unix(),
	}
	if _, err := s.bus.Erasures().Create(ctx, s.uid, wanted); err != nil && !errors.Is(err, bus.ErrExists) {
		return wanted, err
	}
	return wanted, nil
}
