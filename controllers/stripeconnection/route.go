package stripeconnection

import (
	"context"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
)

// route lets the receiver accept the account's events, or stops it. It runs whatever the steps before it found: a
// failure that may pass leaves the route as it is, so that no event is lost to a hiccup.
func (r *Reconciler) route(ctx context.Context, s *scope) error {
	switch {
	case s.withdraw:
		return r.withdrawRoute(ctx, s)
	case !s.receiving:
		return nil
	}
	return r.publishRoute(ctx, s)
}

func (r *Reconciler) publishRoute(ctx context.Context, s *scope) error {
	routes, key := s.bus.Routes(), bus.RouteKey(s.token.Account, s.token.Livemode)
	wanted := bus.Route{
		Workspace:  s.workspaceKey(),
		Connection: s.uid,
		Namespace:  s.conn.Namespace,
		Name:       s.conn.Name,
		Account:    s.token.Account,
		Livemode:   s.token.Livemode,
		Since:      s.token.IssuedAt.Unix(),
	}
	found, revision, err := routes.Get(ctx, key)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		_, err = routes.Create(ctx, key, wanted)
	case err == nil && found == wanted:
	case err == nil:
		if err = r.mayReplace(ctx, s, found); err != nil {
			return err
		}
		_, err = routes.Update(ctx, key, wanted, revision)
	}
	if err != nil {
		return fmt.Errorf("publish route: %w", err)
	}
	s.routed = true
	return nil
}

// mayReplace guards the one route of an account against two connections that were authorised at the same moment.
func (r *Reconciler) mayReplace(ctx context.Context, s *scope, found bus.Route) error {
	if found.Connection == s.uid {
		return nil
	}
	holder, err := r.byUID(ctx, found.Connection)
	if err != nil || holder == nil {
		return err
	}
	return step.UserActionFor(v1alpha1.ReasonAccountTaken, fmt.Sprintf(
		"Account %s is already connected in %s mode by StripeConnection %s/%s. Delete one of the two.",
		found.Account, s.mode, holder.Namespace, holder.Name))
}

// withdrawRoute stops the receiver from accepting the account's events. Another connection's route is left alone.
func (r *Reconciler) withdrawRoute(ctx context.Context, s *scope) error {
	if s.bus == nil || s.status.AccountID == "" {
		return nil
	}
	routes, key := s.bus.Routes(), bus.RouteKey(s.status.AccountID, s.mode.livemode())
	found, revision, err := routes.Get(ctx, key)
	if errors.Is(err, bus.ErrNotFound) || (err == nil && found.Connection != s.uid) {
		return nil
	}
	if err == nil {
		err = routes.Claim(ctx, key, revision)
	}
	if err != nil {
		return fmt.Errorf("withdraw route: %w", err)
	}
	s.note(normal, "RouteWithdrawn", "Route", "Events of this account are no longer accepted.")
	return nil
}
