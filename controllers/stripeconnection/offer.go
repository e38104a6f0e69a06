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
	if err := publish(ctx, s.bus.Offers(), s.uid, wanted); err != nil {
		return fmt.Errorf("publish offer: %w", err)
	}
	return nil
}

// publish puts a value on the bus, unless it is there already.
func publish[T comparable](ctx context.Context, bucket *bus.Bucket[T], key string, wanted T) error {
	published, _, err := bucket.Get(ctx, key)
	if errors.Is(err, bus.ErrNotFound) || (err == nil && published != wanted) {
		_, err = bucket.Put(ctx, key, wanted)
	}
	return err
}
