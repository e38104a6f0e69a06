package stripeconnection

import (
	"context"
	"fmt"

	"github.com/kustiq/kustiq/controllers/orphan"
)

// leaveBehind records what could not be undone at Stripe in time, so that it is tried again after the connection is gone.
func (r *Reconciler) leaveBehind(ctx context.Context, s *scope, left string) error {
	err := orphan.Record(ctx, r.Client, r.OperatorNamespace, orphan.Grant{
		UID: s.uid, Connection: s.conn.Namespace + "/" + s.conn.Name, Account: s.token.Account,
		Livemode: s.mode.livemode(), Region: s.regionName, Since: s.now,
	})
	if err != nil {
		return err
	}
	s.note(warning, "LeftBehind", "Delete", fmt.Sprintf("%s ConfigMap %s in the operator's namespace keeps it in mind, and it is tried again by itself.", left, orphan.Name(s.uid)))
	return nil
}
