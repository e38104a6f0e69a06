package stripeconnection

import (
	"context"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/orphan"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// orLeaveBehind lets a deletion go on when what failed has failed for long enough: it is recorded, so that it is tried
// again after the connection is gone.
func (r *Reconciler) orLeaveBehind(ctx context.Context, s *scope, err error, o orphan.Orphan, what string) error {
	if err == nil || s.now.Before(s.deadline()) {
		return err
	}
	log.FromContext(ctx).Error(err, "giving up while deleting a connection", "left", what)
	o.UID, o.Connection = s.uid, s.conn.Namespace+"/"+s.conn.Name
	o.Region, o.Livemode, o.Since = s.regionName, s.mode.livemode(), s.now
	if err := orphan.Record(ctx, r.Client, r.OperatorNamespace, o); err != nil {
		return err
	}
	s.note(warning, "LeftBehind", "Delete", fmt.Sprintf(
		"%s ConfigMap %s in the operator's namespace keeps it in mind, and it is tried again by itself.", what, o.Name()))
	return nil
}

// Undo takes away at Stripe what was left behind, unless a connection needs it by now.
func (r *Reconciler) Undo(ctx context.Context, o orphan.Orphan) error {
	s := &scope{uid: o.UID, mode: modeNamed(o.Livemode), now: r.Clock.Now(), status: &v1alpha1.StripeConnectionStatus{AccountID: o.Account}}
	served := r.enterRegion(s, v1alpha1.Region(o.Region))
	if o.Account == "" {
		if !served {
			return fmt.Errorf("region %q is not served", o.Region)
		}
		return r.removeEndpoint(ctx, s)
	}
	heir, err := r.heir(ctx, s, s.sharesGrant)
	if err != nil || heir != "" {
		return err
	}
	if err := r.readCredentials(ctx, s); err != nil {
		return err
	}
	if o.Refused {
		return r.api(s.platform).Deauthorize(ctx, s.platform, o.Account)
	}
	return r.giveBack(ctx, s, o.Account)
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
