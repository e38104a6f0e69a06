package stripeconnection

import (
	"context"
	"fmt"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// judgeAccount says whether Stripe restricts the account. It holds nothing up: what happens on a restricted account is
// still true, and is scored.
func (r *Reconciler) judgeAccount(_ context.Context, s *scope) error {
	if why := restriction(s.account); why != "" {
		return step.UserAction(errcode.AcctRestricted, explain(errcode.AcctRestricted, fmt.Sprintf(
			"Stripe restricts account %s (%s).", s.account.ID, why)))
	}
	s.conditions.True(v1alpha1.ConditionAccountActive, v1alpha1.ReasonActive, fmt.Sprintf("Account %s can take payments.", s.account.ID))
	return nil
}

// restriction gives Stripe's reason for a restriction, or ours; "" when there is none.
func restriction(a stripeapi.AccountInfo) string {
	switch {
	case a.DisabledReason != "":
		return a.DisabledReason
	case !a.DetailsSubmitted:
		return "its details were not submitted"
	case !a.ChargesEnabled:
		return "it cannot take payments"
	}
	return ""
}
