package stripeconnection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// authorize sees to it that there is a token: it redeems what the consent page has brought, or waits for somebody to
// open it. Whether Stripe honours the token is for probe to say.
func (r *Reconciler) authorize(ctx context.Context, s *scope) error {
	if err := r.loadToken(ctx, s); err != nil {
		return err
	}
	grant, revision, err := s.bus.Grants().Get(ctx, s.uid)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		if granted := r.memory.of(s.uid).granted; granted != nil { // for longer than the bus keeps a claim
			if err := r.settleGrant(ctx, s, *granted, 0); err != nil {
				return err
			}
		}
	case err != nil:
		return fmt.Errorf("read grant: %w", err)
	default:
		if err := r.redeem(ctx, s, grant, revision); err != nil {
			return err
		}
	}
	if s.token == nil {
		return r.awaitConsent(ctx, s)
	}
	s.describeToken()
	return nil
}

// awaitConsent waits for the connect URL to be used. What the last attempt came to stays on display until the next.
func (r *Reconciler) awaitConsent(ctx context.Context, s *scope) error {
	last := s.conditions.Before(v1alpha1.ConditionAuthorized)
	if last != nil && last.Status == metav1.ConditionFalse && s.conn.Status.ConnectURL == s.status.ConnectURL {
		switch last.Reason {
		case v1alpha1.ReasonAwaitingConsent:
			return step.Wait(last.Reason, 0, last.Message)
		case v1alpha1.ReasonConsentDenied, v1alpha1.ReasonAccountTaken, v1alpha1.ReasonModeMismatch, v1alpha1.ReasonStripe403:
			return step.UserActionFor(last.Reason, last.Message)
		case v1alpha1.ReasonPlatformCredentialsRejected:
			if r.platformStands(ctx, s) {
				break
			}
			return step.UserActionFor(last.Reason, last.Message)
		}
	}
	return step.Wait(v1alpha1.ReasonAwaitingConsent, 0, fmt.Sprintf(
		"Nobody has authorised the Stripe account yet. Open %s and agree.", s.status.ConnectURL))
}

// platformStands asks Stripe whether it has come to accept the platform's own key, which it refused.
func (r *Reconciler) platformStands(ctx context.Context, s *scope) bool {
	_, err := r.api(s.platform).Endpoints(s.platform).List(ctx)
	var refused *stripeapi.Error
	return err == nil || (errors.As(err, &refused) && refused.Status == http.StatusForbidden) // known, and may not list
}

// loadToken reads the token, after saving one that an earlier reconcile could not.
func (r *Reconciler) loadToken(ctx context.Context, s *scope) error {
	if unsaved := r.memory.of(s.uid).unsaved; unsaved != nil {
		return r.saveToken(ctx, s, *unsaved)
	}
	token, err := r.Tokens.Load(ctx, s.uid)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil
	case errors.Is(err, tokenstore.ErrUnreadable):
		// A token that cannot be read is none; the account's owner can give another.
		s.note(warning, "TokenUnreadable", "Authorize", "The stored token cannot be unsealed. Authorise the account again.")
		return nil
	case err != nil:
		return err
	}
	s.token = &token
	return nil
}

// saveToken keeps a token, in memory too until the cluster has it: Stripe gives each one only once.
func (r *Reconciler) saveToken(ctx context.Context, s *scope, token tokenstore.Record) error {
	r.memory.change(s.uid, func(m *remembered) { m.unsaved = &token })
	saved, err := r.Tokens.Save(ctx, s.uid, token)
	if errors.Is(err, tokenstore.ErrConflict) {
		saved, err = r.resolveToken(ctx, s.uid, token)
	}
	if err != nil {
		return err
	}
	r.memory.change(s.uid, func(m *remembered) { m.unsaved = nil })
	s.token = &saved
	return nil
}

// resolveToken settles a token that somebody else has written too: another operator's, when there were two for a moment,
// or the same one sealed again under a new key. The higher generation stays.
func (r *Reconciler) resolveToken(ctx context.Context, uid string, token tokenstore.Record) (tokenstore.Record, error) {
	found, err := r.Tokens.LoadDirect(ctx, uid)
	switch {
	case errors.Is(err, tokenstore.ErrNotFound), errors.Is(err, tokenstore.ErrUnreadable):
		found = tokenstore.Record{}
	case err != nil:
		return token, err
	case found.Generation > token.Generation:
		return found, nil
	}
	return r.Tokens.Save(ctx, uid, token.Replaces(found))
}

// describeToken copies to the status what may be shown of the token.
func (s *scope) describeToken() {
	t := s.token
	livemode := t.Livemode
	s.status.AccountID, s.status.Livemode, s.status.Scope = t.Account, &livemode, t.Scope
	s.status.ConnectedAt = timeOf(t.IssuedAt)
	s.status.Token = v1alpha1.TokenStatus{
		LastRotation: timeOf(t.RotatedAt),
		NextRotation: timeOf(nextRotation(*t, s.uid)),
		Generation:   t.Generation,
	}
}

// timeOf is a time as a status keeps it, to the second; nil for the zero time.
func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	kept := metav1.NewTime(t.Truncate(time.Second))
	return &kept
}
