package bus

import (
	"sync"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
)

// A workspace's share of the live stream, per second and at once. What comes beyond goes to another stream, so that no
// workspace's signals stand behind more than that of another's. It costs nothing while the engines keep up.
const (
	shareRate  = 10
	shareBurst = 500
)

// shares tells which workspaces flood. It holds one entry for each workspace that has published: routes bound them.
type shares struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	of    map[string]*share
}

type share struct {
	bucket   *rate.Limiter
	flooding bool
}

func newShares(c clock.PassiveClock) *shares { return &shares{clock: c, of: map[string]*share{}} }

// exceeded counts one message and says whether its workspace has used up its share. It stays so until the whole share
// is free again: a flood goes to one stream, in its order, not by turns to two.
func (s *shares) exceeded(workspace string) bool {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.of[workspace]
	if own == nil {
		own = &share{bucket: rate.NewLimiter(shareRate, shareBurst)}
		s.of[workspace] = own
	}
	if own.flooding && own.bucket.TokensAt(now) >= shareBurst {
		own.flooding = false
	}
	if !own.bucket.AllowN(now, 1) {
		own.flooding = true
	}
	return own.flooding
}
