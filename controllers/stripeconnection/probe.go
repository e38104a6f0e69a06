package stripeconnection

import (
	"context"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// probe asks Stripe for the account with the account's own token, which shows whether the grant is honoured. Stripe
// sends nothing when a refusal is mended, so it is repeated however the last one ended.
func (r *Reconciler) probe(ctx context.Context, s *scope) error {
	s.probed, s.stretched = s.platform.ClientID, r.pacer.look(s.platform)
	health, err := healthOf(ctx, s)
	if err != nil {
		return err
	}
	last := r.memory.of(s.uid).probe
	if last == nil || last.stale(s, health) {
		account, err := r.ask(ctx, s)
		if err != nil {
			account, err = r.fallBack(ctx, s, err)
		}
		if err != nil && step.OutcomeOf(err).Kind == step.Failed {
			return err
		}
		last = &probeResult{at: s.now, generation: s.token.Generation, account: account, err: err}
		r.memory.change(s.uid, func(m *remembered) { m.probe = last })
	}
	if last.err != nil {
		s.lost = step.OutcomeOf(last.err).Reason == v1alpha1.ReasonStripe401
		return last.err
	}
	if err := r.prove(ctx, s); err != nil {
		return err
	}
	s.account = last.account
	s.status.Country = last.account.Country
	s.conditions.True(v1alpha1.ConditionAuthorized, v1alpha1.ReasonGranted, fmt.Sprintf(
		"Stripe honours the grant of account %s in %s mode.", s.token.Account, s.mode))
	return nil
}

// stale says whether an answer must be asked for again: it is old, was given for another token, somebody insists, or
// Stripe has since said that the account changed or withdrew its grant. The last is not believed without asking: the
// word may come late, after the account was connected again. What is old is below the regular look less its jitter, so
// that each of those probes, and well above the pace of events, so that those do not.
func (p *probeResult) stale(s *scope, health bus.Health) bool {
	asked := p.at.Unix()
	return s.now.Sub(p.at) >= s.look()/5*4 || p.generation != s.token.Generation || s.forced() ||
		health.DeauthorizedAt >= asked || health.AccountUpdatedAt >= asked
}

// ask asks for the account with the current token.
func (r *Reconciler) ask(ctx context.Context, s *scope) (stripeapi.AccountInfo, error) {
	account, err := r.api(s.platform).Account(s.token.Access).Get(ctx)
	return account, judgeProbe(s, account, err)
}

// judgeProbe maps the answer about an account to an outcome.
func judgeProbe(s *scope, account stripeapi.AccountInfo, err error) error {
	var refused *stripeapi.Error
	if !errors.As(err, &refused) {
		if err == nil && account.ID != s.token.Account {
			return fmt.Errorf("probe: token of %s answers for another account", s.token.Account)
		}
		return err
	}
	switch refused.Code {
	case errcode.ST401:
		return step.UserAction(errcode.ST401, fmt.Sprintf(
			"Stripe no longer honours the grant of account %s. Open %s and authorise it again.", s.token.Account, s.status.ConnectURL))
	case errcode.ST403:
		return step.UserAction(errcode.ST403, explain(errcode.ST403, fmt.Sprintf(
			"The grant of account %s does not allow reading the account.", s.token.Account)))
	case errcode.ST429:
		return fmt.Errorf("probe: %w", err)
	}
	return err
}
