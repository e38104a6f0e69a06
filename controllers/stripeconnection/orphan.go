package stripeconnection

import (
	"context"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/orphan"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// leftBehind tells what could not be undone at Stripe in time, and where it is kept in mind.
func (s *scope) leftBehind(what, record string) {
	s.note(warning, "LeftBehind", "Delete", fmt.Sprintf(
		"%s ConfigMap %s in the operator's namespace keeps it in mind, and it is tried again by itself.", what, record))
}

// GiveBack ends a grant that was left behind, unless the account has been connected again meanwhile: then it is needed.
func (r *Reconciler) GiveBack(ctx context.Context, g orphan.Grant) error {
	s := &scope{uid: g.UID, mode: modeNamed(g.Livemode), now: r.Clock.Now(), status: &v1alpha1.StripeConnectionStatus{AccountID: g.Account}}
	r.enterRegion(s, v1alpha1.Region(g.Region))
	heir, err := r.heir(ctx, s, s.sharesGrant)
	if err != nil || heir != "" {
		return err
	}
	if err := r.readCredentials(ctx, s); err != nil {
		return err
	}
	if g.Refused {
		return r.api(s.platform).Deauthorize(ctx, s.platform, g.Account)
	}
	return r.giveBack(ctx, s, g.Account)
}

// giveBack ends the platform's grant of an account. That it is gone already is no error, but Stripe says the same when
// the client id is not the key's, so it is asked once more: with the account's token or, where there is none that still
// lives, with the platform's key.
func (r *Reconciler) giveBack(ctx context.Context, s *scope, account string) error {
	api := r.api(s.platform)
	refused := api.Deauthorize(ctx, s.platform, account)
	if !errors.Is(refused, stripeapi.ErrNotGranted) {
		return refused
	}
	var honoured bool
	var err error
	if t := s.token; t != nil && (t.ExpiresAt.IsZero() || s.now.Before(t.ExpiresAt)) {
		honoured, err = honours(ctx, api.Account(t.Access))
	} else {
		honoured, err = api.Connected(ctx, s.platform, account)
	}
	if err != nil || !honoured {
		return err
	}
	return refused
}

// honours says whether Stripe still knows a token, whatever it allows it.
func honours(ctx context.Context, account *stripeapi.AccountClient) (bool, error) {
	_, err := account.Get(ctx)
	var refused *stripeapi.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case errcode.ST401:
			return false, nil
		case errcode.ST403:
			return true, nil
		}
	}
	return err == nil, err
}
