package stripeconnection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/credentials"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// redeemTimeout bounds what is done with a code once it is claimed, even while the operator ends: a request to Stripe or
// two, and the writing down of what that came to.
const redeemTimeout = 20 * time.Second

// redeem turns what the consent page has brought into a token. The grant is claimed first, since Stripe revokes a
// connection whose code is used twice: whatever happens after that, the code is spent. The claim stays until the outcome
// is known, so that an operator that was killed in between is followed by one that says so.
//
// When there is a token already, a failed attempt to renew the consent is told in an Event and changes nothing.
func (r *Reconciler) redeem(ctx context.Context, s *scope, grant bus.Grant, revision uint64) error {
	granted := r.memory.of(s.uid).granted
	switch {
	case grant.Claimed && granted == nil:
		return r.interruptedRedeem(ctx, s, grant, revision)
	case grant.Claimed:
		return r.settleGrant(ctx, s, *granted, revision)
	}
	claim := bus.Grant{At: s.now.Unix(), Claimed: true}
	revision, err := s.bus.Grants().Update(ctx, s.uid, claim, revision)
	if errors.Is(err, bus.ErrConflict) {
		// A newer grant has come meanwhile; its change brings the next reconcile.
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim grant: %w", err)
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), redeemTimeout)
	defer done()
	exchanged, err := r.exchange(ctx, s, grant)
	if err != nil {
		return r.settled(ctx, s, err, revision)
	}
	r.memory.change(s.uid, func(m *remembered) { m.granted = &exchanged })
	return r.settleGrant(ctx, s, exchanged, revision)
}

// settleGrant keeps what Stripe has granted, or gives it back. It is in memory until that is done: Stripe grants it once.
func (r *Reconciler) settleGrant(ctx context.Context, s *scope, granted stripeapi.Token, revision uint64) error {
	err := r.accept(ctx, s, granted)
	if err == nil {
		err = r.keep(ctx, s, granted)
	}
	return r.settled(ctx, s, err, revision)
}

// settled ends an attempt at a consent, unless it failed in a way that may pass: the claim stays for the next attempt,
// or for whoever comes after us.
func (r *Reconciler) settled(ctx context.Context, s *scope, err error, revision uint64) error {
	if step.OutcomeOf(err).Kind == step.Failed {
		return err
	}
	r.memory.change(s.uid, func(m *remembered) { m.granted = nil })
	return errors.Join(s.attempted(err), r.release(ctx, s, revision))
}

// attempted is what a failed attempt at a consent comes to.
func (s *scope) attempted(err error) error {
	outcome := step.OutcomeOf(err)
	if (outcome.Kind == step.NeedsAction || outcome.Kind == step.Waiting) && s.token != nil {
		s.note(warning, outcome.Reason, "Authorize", outcome.Message)
		return nil
	}
	return err
}

// release takes a claim away, unless a newer grant has taken its place. A revision of 0 is one that has run out.
func (r *Reconciler) release(ctx context.Context, s *scope, revision uint64) error {
	if revision == 0 {
		return nil
	}
	if err := s.bus.Grants().Claim(ctx, s.uid, revision); err != nil && !errors.Is(err, bus.ErrConflict) {
		return fmt.Errorf("release grant: %w", err)
	}
	return nil
}

// interruptedRedeem follows an operator that was killed while it redeemed a code. Either the token was kept, and nothing
// is missing, or Stripe has told it to nobody who still lives, and the owner has to consent once more.
func (r *Reconciler) interruptedRedeem(ctx context.Context, s *scope, claim bus.Grant, revision uint64) error {
	if err := r.release(ctx, s, revision); err != nil {
		return err
	}
	if s.token != nil && s.token.IssuedAt.Unix() >= claim.At {
		return nil
	}
	return s.attempted(step.Wait(v1alpha1.ReasonAwaitingConsent, 0, fmt.Sprintf(
		"The operator was restarted while it redeemed an authorisation, which works only once. Open %s again.", s.status.ConnectURL)))
}

// exchange asks Stripe for the token of a grant, or says why there is none.
func (r *Reconciler) exchange(ctx context.Context, s *scope, grant bus.Grant) (stripeapi.Token, error) {
	again := fmt.Sprintf("Open %s again.", s.status.ConnectURL)
	if grant.Error != "" {
		return stripeapi.Token{}, step.UserActionFor(v1alpha1.ReasonConsentDenied, "The authorisation was declined at Stripe. "+again)
	}
	code, err := r.BusVault.Unseal(grant.SealedCode, grantContext(s.uid))
	if err != nil {
		return stripeapi.Token{}, step.Wait(v1alpha1.ReasonAwaitingConsent, 0, "The authorisation that arrived was not sealed by this installation's dashboard. "+again)
	}
	granted, err := r.api(s.platform).Exchange(ctx, s.platform, string(code))
	var refused *stripeapi.Error
	switch {
	case err == nil:
		return granted, nil
	case !errors.As(err, &refused):
		return stripeapi.Token{}, err
	}
	log.FromContext(ctx).Info("authorisation code not redeemed", "status", refused.Status, "stripeCode", refused.StripeCode)
	switch {
	case refused.Code == errcode.ST403:
		return stripeapi.Token{}, step.UserAction(errcode.ST403, explain(errcode.ST403, "Stripe refused the authorisation."))
	case refused.Status == http.StatusUnauthorized:
		return stripeapi.Token{}, platformRefused(s.regionName)
	case refused.Status >= 400 && refused.Status < 500:
		return stripeapi.Token{}, step.Wait(v1alpha1.ReasonAwaitingConsent, 0, "The link had been used before or had expired: each authorisation works once, for a few minutes. "+again)
	}
	return stripeapi.Token{}, step.Wait(v1alpha1.ReasonAwaitingConsent, 0, "Stripe did not answer while the authorisation was redeemed, and it works only once. "+again)
}

// platformRefused says that Stripe does not know the platform's own key: nobody who owns an account can mend that.
func platformRefused(region string) error {
	return step.UserActionFor(v1alpha1.ReasonPlatformCredentialsRejected, fmt.Sprintf(
		"Stripe refuses the platform's own key for region %s. Put a valid one into Secret %s of the operator's namespace.",
		region, credentials.SecretName(region)))
}

// accept decides whether the granted account may be this connection's. What may not is given back at once.
func (r *Reconciler) accept(ctx context.Context, s *scope, granted stripeapi.Token) error {
	holder, err := r.holderOf(ctx, s, granted.Account, granted.Livemode)
	if err != nil {
		return err
	}
	if holder != "" {
		// Not given back: that would end the other connection's grant, which is one and the same to Stripe.
		return step.UserActionFor(v1alpha1.ReasonAccountTaken, fmt.Sprintf(
			"Account %s is already connected in %s mode by StripeConnection %s. Delete one of the two.",
			granted.Account, modeNamed(granted.Livemode), holder))
	}
	switch {
	case granted.Livemode != s.mode.livemode():
		err = step.UserAction(errcode.ModeMismatch, explain(errcode.ModeMismatch, fmt.Sprintf(
			"The account was authorised in %s mode, and the connection is for %s mode.", modeNamed(granted.Livemode), s.mode)))
	case s.status.AccountID != "" && s.status.AccountID != granted.Account:
		err = step.UserActionFor(v1alpha1.ReasonAccountTaken, fmt.Sprintf(
			"This connection belongs to account %s, and %s was authorised. Create another StripeConnection for that one.",
			s.status.AccountID, granted.Account))
	default:
		return nil
	}
	if gone := r.api(s.platform).Deauthorize(ctx, s.platform, granted.Account); gone != nil {
		log.FromContext(ctx).Error(gone, "giving back a refused authorisation")
	}
	return err
}

// keep saves the first token of a grant.
func (r *Reconciler) keep(ctx context.Context, s *scope, granted stripeapi.Token) error {
	record := recordFrom(granted, s.platform, s.now)
	record.Generation = 1
	if s.token != nil {
		record = record.Replaces(*s.token)
		record.Generation = s.token.Generation + 1
	}
	s.note(normal, v1alpha1.ReasonGranted, "Authorize", fmt.Sprintf("Account %s authorised in %s mode.", granted.Account, s.mode))
	return r.saveToken(ctx, s, record)
}

func grantContext(uid string) string { return "grant/" + uid }

// recordFrom is the record of a token as Stripe gave it. The caller sets its generation.
func recordFrom(granted stripeapi.Token, p stripeapi.Platform, now time.Time) tokenstore.Record {
	return tokenstore.Record{
		Account:   granted.Account,
		Livemode:  granted.Livemode,
		Scope:     granted.Scope,
		Flavor:    string(p.Flavor),
		Access:    granted.Access,
		Refresh:   granted.Refresh,
		IssuedAt:  now,
		ExpiresAt: granted.ExpiresAt,
		RotatedAt: now,
	}
}
