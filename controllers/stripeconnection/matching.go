package stripeconnection

import (
	"context"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
)

// matchedShare is the part of an account's customers that must match a profile with confidence, in per cent. It is the
// confidence that one match needs (DESIGN: at least 90), asked of all of them.
const matchedShare = 90

// match tells the engine how to match this account's customers to profiles, and tells how that goes. Without imported
// profiles there is nothing to match, and scores stand under Stripe's own customers.
func (r *Reconciler) match(ctx context.Context, s *scope) error {
	if s.bus == nil || s.status.AccountID == "" {
		return judgeMatches(s, bus.Matches{})
	}
	if s.routed {
		if err := r.publishPolicy(ctx, s); err != nil {
			return err
		}
	}
	counts, _, err := s.bus.Matches().Get(ctx, bus.RouteKey(s.status.AccountID, s.mode.livemode()))
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("read match counts: %w", err)
	}
	s.status.Handled.RematchAt = counts.RematchAt
	return judgeMatches(s, counts)
}

// publishPolicy lets the engine know what counts as a match, and whether somebody asks for all to be matched again.
func (r *Reconciler) publishPolicy(ctx context.Context, s *scope) error {
	err := publish(ctx, s.bus.MatchPolicies(), bus.RouteKey(s.token.Account, s.token.Livemode), bus.MatchPolicy{
		Workspace:         s.workspaceKey(),
		Connection:        s.uid,
		Account:           s.token.Account,
		Livemode:          s.token.Livemode,
		MinimumConfidence: int(s.conn.Spec.Matching.MinimumConfidence),
		RematchAt:         s.asked(v1alpha1.RematchAtAnnotation),
	})
	if err != nil {
		return fmt.Errorf("publish match policy: %w", err)
	}
	return nil
}

func judgeMatches(s *scope, counts bus.Matches) error {
	s.status.Matches = v1alpha1.MatchStatus{
		Matched: counts.Matched, Review: counts.Review, Unmatched: counts.Unmatched, Profiles: counts.Profiles,
	}
	all := counts.Matched + counts.Review + counts.Unmatched
	switch {
	case counts.Profiles == 0:
		s.conditions.Unknown(v1alpha1.ConditionCustomersMatched, v1alpha1.ReasonNoProfiles,
			"No profiles are imported: scores stand under Stripe's customers.")
		return nil
	case counts.Matched*100 < all*matchedShare:
		return step.UserAction(errcode.MatchLow, explain(errcode.MatchLow, fmt.Sprintf(
			"%d of %d customers match one of %d profiles, fewer than %d %%; %d wait for review and %d have no candidate.",
			counts.Matched, all, counts.Profiles, matchedShare, counts.Review, counts.Unmatched)))
	}
	s.conditions.True(v1alpha1.ConditionCustomersMatched, v1alpha1.ReasonMatched, fmt.Sprintf(
		"%d of %d customers match a profile.", counts.Matched, all))
	return nil
}
