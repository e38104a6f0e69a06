package stripeconnection

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
)

// holders are the other connections that have an account in one mode, whether they are being deleted or not. Both the
// routes and the statuses are asked: a suspended connection has no route, one of another operator no status.
func (r *Reconciler) holders(ctx context.Context, s *scope, account string, livemode bool) ([]v1alpha1.StripeConnection, error) {
	var connections v1alpha1.StripeConnectionList
	if err := r.Client.List(ctx, &connections, client.MatchingFields{indexAccount: account}); err != nil {
		return nil, fmt.Errorf("list connections of an account: %w", err)
	}
	var found []v1alpha1.StripeConnection
	for _, other := range connections.Items {
		if string(other.UID) != s.uid && modeOf(other.Spec.Mode).livemode() == livemode {
			found = append(found, other)
		}
	}
	if s.bus == nil {
		return found, nil
	}
	route, _, err := s.bus.Routes().Get(ctx, bus.RouteKey(account, livemode))
	if errors.Is(err, bus.ErrNotFound) || (err == nil && route.Connection == s.uid) {
		return found, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read route: %w", err)
	}
	alive, err := r.byUID(ctx, route.Connection)
	if err != nil || alive == nil {
		return found, err
	}
	return append(found, *alive), nil
}

// holderOf names another connection, as namespace/name, that has this account in this mode; "" when there is none.
func (r *Reconciler) holderOf(ctx context.Context, s *scope, account string, livemode bool) (string, error) {
	found, err := r.holders(ctx, s, account, livemode)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return client.ObjectKeyFromObject(&found[0]).String(), nil
}

// heir names a connection, as namespace/name, that goes on with the account of one that is deleted, and that shares; ""
// when there is none. Of two that are deleted at once neither is the other's.
func (r *Reconciler) heir(ctx context.Context, s *scope, shares func(*v1alpha1.StripeConnection) bool) (string, error) {
	found, err := r.holders(ctx, s, s.status.AccountID, s.mode.livemode())
	if err != nil {
		return "", err
	}
	for i := range found {
		if other := &found[i]; other.DeletionTimestamp.IsZero() && shares(other) {
			return client.ObjectKeyFromObject(other).String(), nil
		}
	}
	return "", nil
}

// keptFor says whether a deletion leaves something to an heir; an Event of the reason then tells what.
func (r *Reconciler) keptFor(
	ctx context.Context, s *scope, shares func(*v1alpha1.StripeConnection) bool, reason, what string,
) (bool, error) {
	heir, err := r.heir(ctx, s, shares)
	if heir == "" || err != nil {
		return false, err
	}
	s.note(normal, reason, "Delete", fmt.Sprintf("%s: StripeConnection %s has the account too.", what, heir))
	return true, nil
}

// sharesGrant says whether another connection of the same account has its grant from the same platform, which is the
// region's: then it is one and the same to Stripe. Before its first status a connection is known by its region's route.
func (s *scope) sharesGrant(other *v1alpha1.StripeConnection) bool {
	return other.Status.Region == "" || string(other.Status.Region) == s.regionName
}

// sharesScores says whether another connection of the same account feeds the scores of the same Workspace.
func (s *scope) sharesScores(other *v1alpha1.StripeConnection) bool {
	return other.Namespace == s.conn.Namespace && other.Spec.WorkspaceRef.Name == s.conn.Spec.WorkspaceRef.Name
}
