package stripeconnection

import (
	"sync"

	"golang.org/x/time/rate"

	"github.com/kustiq/kustiq/internal/stripeapi"
)

// What one platform's credentials are used for a second, for all its connections together. Stripe allows 25/s in test
// mode; in live mode the same leaves three quarters to the platform's other systems. The burst and the rate together
// are the most of any one second.
const (
	platformRate  = 20
	platformBurst = 5
)

// pacer holds one limiter for each platform's credentials. It runs on the machine's clock, as it spares the network.
type pacer struct {
	mu   sync.Mutex
	each map[string]*rate.Limiter
}

func newPacer() *pacer { return &pacer{each: map[string]*rate.Limiter{}} }

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

// api is Stripe for one platform and its accounts, at the pace that all of them share.
func (c Config) api(platform stripeapi.Platform) *stripeapi.API {
	return c.API.Paced(c.pacer.of(platform).Wait)
}
