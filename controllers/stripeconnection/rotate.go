package stripeconnection

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

const (
	// rotationInterval is the product's promise: tokens are refreshed and sealed again every 6 hours.
	rotationInterval = 6 * time.Hour
	// rotationSpread is the part of the interval over which connections are spread, always earlier.
	rotationSpread = 30 * time.Minute
	// expiryMargin is how long before its expiry a short-lived token is replaced: two regular looks.
	expiryMargin = 2 * regularPace
	// rotationRetry and rotationRetryMax space the attempts at a rotation that fails.
	rotationRetry, rotationRetryMax = time.Minute, 30 * time.Minute
)

// rotate refreshes the token when it is due, and comes before probe: a token that ended while the operator was away
// must be replaced before it is judged. A failure leaves the old token in use; probe lets go of it once the new one
// has worked.
//
// With a Stripe App the refresh token dies with the request that uses it. The operator may be killed after Stripe has
// answered and before the answer is kept, so every attempt at one generation bears the same idempotency key: whoever
// tries again gets the very same token (docs/adr/0003).
func (r *Reconciler) rotate(ctx context.Context, s *scope) error {
	due := nextRotation(*s.token, s.uid)
	attempts := r.memory.of(s.uid).rotation
	switch {
	case s.now.Before(due):
		s.again(due.Sub(s.now))
		s.fresh()
		return nil
	case s.now.Before(attempts.until):
		return rotationFailed(attempts, s.now)
	}
	granted, err := r.refresh(ctx, s)
	if err != nil {
		return r.rotationFails(ctx, s, err)
	}
	if err := r.succeed(ctx, s, granted); err != nil {
		return err
	}
	s.note(normal, v1alpha1.ReasonRotated, "Rotate", fmt.Sprintf("Token refreshed and sealed again (generation %d).", s.token.Generation))
	return nil
}

// refresh asks Stripe for the generation after the current one.
func (r *Reconciler) refresh(ctx context.Context, s *scope) (stripeapi.Token, error) {
	spent := r.memory.of(s.uid).rotation.spentKeys
	granted, err := r.api(s.platform).Refresh(ctx, s.platform, s.token.Refresh, rotationKey(s.uid, s.token.Generation, spent))
	var refused *stripeapi.Error
	switch {
	case err == nil && granted.Account != s.token.Account:
		return granted, errors.New("refreshed token belongs to another account")
	case errors.As(err, &refused) && refused.Status >= http.StatusInternalServerError:
		r.memory.change(s.uid, func(m *remembered) { m.rotation.spentKeys++ }) // Stripe would repeat this answer
	}
	return granted, err
}

func (s *scope) fresh() {
	s.conditions.True(v1alpha1.ConditionTokenFresh, v1alpha1.ReasonRotated, "The token is younger than its next rotation.")
}

// succeed makes what Stripe has granted the current generation.
func (r *Reconciler) succeed(ctx context.Context, s *scope, granted stripeapi.Token) error {
	if err := r.saveToken(ctx, s, successor(*s.token, granted, s)); err != nil {
		return err
	}
	r.memory.change(s.uid, func(m *remembered) { m.rotation = backoff{} })
	s.describeToken()
	s.fresh()
	return nil
}

// successor is the generation after previous, which is kept in it.
func successor(previous tokenstore.Record, granted stripeapi.Token, s *scope) tokenstore.Record {
	record := recordFrom(granted, s.platform, s.now)
	record.Generation, record.IssuedAt, record.Previous = previous.Generation+1, previous.IssuedAt, &previous
	if record.Refresh == "" {
		record.Refresh = previous.Refresh // Stripe sends a new one only when the old one is dead
	}
	return record.Replaces(previous)
}

// rotationKey names one rotation to Stripe. It follows from what is stored, so that an operator that knows nothing of an
// earlier attempt names it the same.
func rotationKey(uid string, generation int64, spent int) string {
	return fmt.Sprintf("kustiq-rotate-%s-%d-%d", uid, generation, spent)
}

// rotationFails remembers a failed attempt. A refused refresh token may have been used by another operator, so what is
// stored is read again; when Stripe says that the grant is gone, probe is made to ask at once.
func (r *Reconciler) rotationFails(ctx context.Context, s *scope, err error) error {
	var refused *stripeapi.Error
	gone := errors.As(err, &refused) && refused.Code == errcode.ST401
	if gone {
		if newer, err := r.newerToken(ctx, s); err != nil || newer {
			return err
		}
	}
	log.FromContext(ctx).Error(err, "refreshing the token")
	var attempts backoff
	r.memory.change(s.uid, func(m *remembered) {
		m.rotation.attempts++
		m.rotation.until = s.now.Add(retryAfter(m.rotation.attempts))
		attempts = m.rotation
		if gone {
			m.probe = nil
		}
	})
	return rotationFailed(attempts, s.now)
}

// newerToken takes what is stored when that is younger than what the cache gave.
func (r *Reconciler) newerToken(ctx context.Context, s *scope) (bool, error) {
	stored, err := r.Tokens.LoadDirect(ctx, s.uid)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokenstore.ErrUnreadable):
		return false, nil
	case err != nil:
		return false, err
	case stored.Generation <= s.token.Generation:
		return false, nil
	}
	s.token = &stored
	s.describeToken()
	s.fresh()
	return true, nil
}

func rotationFailed(b backoff, now time.Time) error {
	return step.Wait(v1alpha1.ReasonRotationFailed, b.until.Sub(now), fmt.Sprintf(
		"The token could not be refreshed (%d attempts); the one before it stays in use. Nothing to do unless Authorized is False too.", b.attempts))
}

// retryAfter doubles from a minute to half an hour.
func retryAfter(attempts int) time.Duration {
	if attempts > 5 {
		return rotationRetryMax
	}
	return min(rotationRetry<<(attempts-1), rotationRetryMax)
}

// nextRotation is when a token is due. The spread comes from the connection and the generation rather than from
// chance, so that the answer is the same after a restart.
func nextRotation(token tokenstore.Record, uid string) time.Time {
	hash := fnv.New32a()
	// A hash never fails to write.
	_, _ = fmt.Fprintf(hash, "%s/%d", uid, token.Generation)
	early := time.Duration(hash.Sum32()%uint32(rotationSpread/time.Second)) * time.Second
	due := token.RotatedAt.Add(rotationInterval - early)
	if !token.ExpiresAt.IsZero() && token.ExpiresAt.Add(-expiryMargin).Before(due) {
		due = token.ExpiresAt.Add(-expiryMargin)
	}
	return due
}
