package stripesim

import (
	"context"
	"time"
)

// stream is a live account: things go on happening.
type stream struct {
	account   string
	perMinute float64
	owed      float64
}

const streamTick = 250 * time.Millisecond

// StartStream lets things happen to an account's customers at random, while Run runs.
func (s *Server) StartStream(account string, perMinute float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams = append(s.streams, stream{account: account, perMinute: perMinute})
}

func (s *Server) runStreams(ctx context.Context) {
	ticker := s.clock.NewTicker(streamTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			s.mu.Lock()
			for i := range s.streams {
				s.flow(&s.streams[i])
			}
			s.mu.Unlock()
		}
	}
}

// flow lets a stream's share of one tick happen; s.mu must be held.
func (s *Server) flow(st *stream) {
	for st.owed += st.perMinute * streamTick.Minutes(); st.owed >= 1; st.owed-- {
		for _, a := range s.accounts {
			if a.ID == st.account && len(a.customers.all) > 0 {
				c := a.customers.all[s.rng.IntN(len(a.customers.all))]
				// One that does not fit the customer's state simply does not happen.
				_, _ = s.act(a, c, s.draw())
			}
		}
	}
}

// draw picks an action about as often as it happens in real accounts.
func (s *Server) draw() Action {
	switch u := s.rng.Float64(); {
	case u < 0.20:
		return FailPayment
	case u < 0.55:
		return Pay
	case u < 0.65:
		return Upgrade
	case u < 0.75:
		return Downgrade
	case u < 0.83:
		return Cancel
	case u < 0.86:
		return WithdrawCancel
	case u < 0.90:
		return Pause
	case u < 0.95:
		return Resume
	case u < 0.98:
		return Dispute
	}
	return CancelNow
}
