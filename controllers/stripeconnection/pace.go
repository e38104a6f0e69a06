package stripeconnection

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/stripeapi"
)

// What one platform's credentials are used for a second, for all its connections together. Stripe allows 25/s in test
// mode; in live mode the same leaves three quarters to the platform's other systems. The burst and the rate together
// are the most of any one second.
const (
	platformRate  = 20
	platformBurst = 5
)

// probeRate is how much of platformRate regular probes may take. The rest is for new connections, rotations and
// endpoints: with 10,000 Stripe Apps, whose tokens live for an hour, rotations alone take 3.3/s.
const probeRate = 15

// pacer holds one limiter for each platform's credentials, and knows which connections are probed with them. It runs on
// the machine's clock, as it spares the network.
type pacer struct {
	mu     sync.Mutex
	each   map[string]*rate.Limiter
	probed map[string]string // platform's client id by connection
	counts map[string]int    // connections by platform's client id
}

func newPacer() *pacer {
	return &pacer{each: map[string]*rate.Limiter{}, probed: map[string]string{}, counts: map[string]int{}}
}

func (p *pacer) of(platform stripeapi.Platform) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	limiter, ok := p.each[platform.ClientID]
	if !ok {
		limiter = rate.NewLimiter(platformRate, platformBurst)
		p.each[platform.ClientID] = limiter
	}
	return limiter
}

// count says with which platform's credentials a connection is probed; "" while it is not.
func (p *pacer) count(uid, clientID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.probed[uid]
	switch {
	case before == clientID:
		return
	case clientID == "":
		delete(p.probed, uid)
	default:
		p.probed[uid] = clientID
		p.counts[clientID]++
	}
	if before != "" {
		p.counts[before]--
	}
}

// look is how often each connection of a platform can be probed: at the regular pace up to 4,500 of them, and then more
// slowly, so that their probes together stay within their share. Just after a start few are counted, and the limiter
// alone holds the probes back.
func (p *pacer) look(platform stripeapi.Platform) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(regularPace, time.Duration(p.counts[platform.ClientID])*time.Second/probeRate)
}

// api is Stripe for one platform and its accounts, at the pace that all of them share.
func (c Config) api(platform stripeapi.Platform) *stripeapi.API {
	return c.API.Paced(c.pacer.of(platform).Wait)
}

// priority lets a connection that somebody waits for go before the regular looks at those that are Ready, of which
// thousands may wait for their turn. What happens to one of those moves it up again.
func (s *scope) priority() *int {
	priority := 0
	if ready := s.conditions.Get(v1alpha1.ConditionReady); ready != nil && ready.Status == metav1.ConditionTrue {
		priority = handler.LowPriority
	}
	return &priority
}
