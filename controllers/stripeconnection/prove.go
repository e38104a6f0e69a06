package stripeconnection

import (
	"context"
	"errors"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// prove lets go of the generation before the current one, which has just worked.
func (r *Reconciler) prove(ctx context.Context, s *scope) error {
	if s.token.Previous == nil {
		return nil
	}
	proven := *s.token
	proven.Previous = nil
	return r.saveToken(ctx, s, proven)
}

// fallBack tries the generation before, when Stripe refuses the current one with what probe made of it. If Stripe still
// honours that one it becomes the current one again, as a generation of its own, and a rotation is due.
func (r *Reconciler) fallBack(ctx context.Context, s *scope, refused error) (stripeapi.AccountInfo, error) {
	if s.token.Previous == nil || step.OutcomeOf(refused).Reason != string(errcode.ST401) {
		return stripeapi.AccountInfo{}, refused
	}
	if account, err := r.renew(ctx, s); err == nil || errors.Is(err, tokenstore.ErrConflict) {
		return account, err
	}
	before := *s.token.Previous
	account, err := r.api(s.platform).Account(before.Access).Get(ctx)
	if err != nil || account.ID != before.Account {
		return stripeapi.AccountInfo{}, refused
	}
	before.Generation = s.token.Generation + 1
	before.Refresh = s.token.Refresh // of the two refresh tokens, the younger may be the only one that is alive
	if err := r.saveToken(ctx, s, before.Replaces(*s.token)); err != nil {
		return stripeapi.AccountInfo{}, err
	}
	s.describeToken()
	s.note(warning, "TokenRestored", "Rotate", "Stripe refused the refreshed token; the one before it still works and is in use again.")
	return account, nil
}

// renew refreshes a short-lived token that was dead on arrival: when an operator was killed between Stripe's answer and
// its keeping, and the next one came hours later, the answer that Stripe repeats to it holds a token that has ended since.
// The refresh token that came with it is alive, though.
func (r *Reconciler) renew(ctx context.Context, s *scope) (stripeapi.AccountInfo, error) {
	if s.token.ExpiresAt.IsZero() {
		return stripeapi.AccountInfo{}, errors.New("a token that does not expire")
	}
	granted, err := r.api(s.platform).Refresh(ctx, s.platform, s.token.Refresh, rotationKey(s.uid, s.token.Generation, 0))
	if err != nil {
		return stripeapi.AccountInfo{}, err
	}
	if granted.Account != s.token.Account {
		return stripeapi.AccountInfo{}, errors.New("renewed token belongs to another account")
	}
	if err := r.saveToken(ctx, s, succeed(*s.token, granted, s)); err != nil {
		return stripeapi.AccountInfo{}, err
	}
	s.describeToken()
	return r.api(s.platform).Account(granted.Access).Get(ctx)
}
