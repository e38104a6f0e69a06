package stripeconnection

import (
	"context"
	"errors"
	"net/http"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
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

// fallBack does what can be done when Stripe refuses the current token with what probe made of it: it renews one that
// expires, and else tries the generation before. If Stripe still honours that one it becomes the current one again, as a
// generation of its own, and a rotation is due.
func (r *Reconciler) fallBack(ctx context.Context, s *scope, refused error) (stripeapi.AccountInfo, error) {
	if step.OutcomeOf(refused).Reason != string(errcode.ST401) {
		return stripeapi.AccountInfo{}, refused
	}
	if !s.token.ExpiresAt.IsZero() {
		account, err := r.renew(ctx, s)
		if !refusedForGood(err) {
			return account, err
		}
		if newer, err := r.newerToken(ctx, s); err != nil {
			return stripeapi.AccountInfo{}, err
		} else if newer {
			return r.ask(ctx, s)
		}
	}
	if s.token.Previous == nil {
		return stripeapi.AccountInfo{}, refused
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

// renew refreshes a short-lived token that ended before its time: when an operator was killed between Stripe's answer and
// its keeping, the answer that Stripe repeats to the next one, however much later, holds a token that is as old as the
// first answer. The refresh token that came with it is alive, though, and only Stripe's refusal of that says that the
// grant is gone.
func (r *Reconciler) renew(ctx context.Context, s *scope) (stripeapi.AccountInfo, error) {
	granted, err := r.refresh(ctx, s)
	var refused *stripeapi.Error
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
		return stripeapi.AccountInfo{}, platformRefused(s.regionName)
	}
	if err == nil {
		err = r.succeed(ctx, s, granted)
	}
	if err != nil {
		return stripeapi.AccountInfo{}, err
	}
	return r.ask(ctx, s)
}

// refusedForGood says whether Stripe refused a refresh in a way that no repetition mends.
func refusedForGood(err error) bool {
	var refused *stripeapi.Error
	return errors.As(err, &refused) && refused.Status/100 == 4 && refused.Status != http.StatusTooManyRequests
}
