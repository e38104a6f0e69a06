package stripeconnection

import (
	"context"
	"errors"
	"fmt"

	"github.com/kustiq/kustiq/internal/bus"
)

// offer publishes where the account's owner consents. It stays published after that, so that a grant that Stripe no
// longer honours can be given again by the same link.
func (r *Reconciler) offer(ctx context.Context, s *scope) error {
	s.status.ConnectURL = fmt.Sprintf("%s/connect/%s/%s", s.region.DashboardURL, s.conn.Namespace, s.conn.Name)
	wanted := bus.Offer{AuthorizeURL: r.API.AuthorizeURL(s.platform), Livemode: s.mode.livemode()}
	published, _, err := s.bus.Offers().Get(ctx, s.uid)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("read offer: %w", err)
	}
	if err == nil && published == wanted {
		return nil
	}
	if _, err := s.bus.Offers().Put(ctx, s.uid, wanted); err != nil {
		return fmt.Errorf("publish offer: %w", err)
	}
	return nil
}
