package worker

import (
	"errors"
	"math/bits"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
)

// What Stripe allows one account, for everybody who reads it ("Rate limits", docs.stripe.com/rate-limits): requests a
// second in live mode, in test mode, and for each endpoint path.
const (
	allowedLive = 100
	allowedTest = 25
	allowedPath = 25
)

const (
	// DefaultShare of the allowed rate that is used. A second touches one frame more than it holds: 24 frames a second
	// are 25 in any second, and so exactly the allowed rate at most, wherever the second begins.
	DefaultShare = 0.96
	minShare     = 0.04
)

const (
	// horizon is how many frames ahead requests are given out, and so how long a look-up waits behind a backfill at most.
	horizon = 4
	// minPace is the least share of frames that is used, after many refusals.
	minPace = 1.0 / 64
	// remembered is how many frames back it is known what was given out, for workers whose clocks are behind: a second.
	// maxAhead is by how many frames the clock of another worker is believed to be ahead: some seconds.
	remembered, maxAhead = 24, 256
	// recovery is how long it takes from half the pace to the whole.
	recovery = 60 * time.Second
)

// Endpoint paths, as Stripe counts them. The name of a list is its resource.
const (
	pathCharge = "charges/id"
	pathEvent  = "events/id"
)

// paths have a bit each in bus.Budget.
var paths = map[string]int{
	"events": 0, "customers": 1, "subscriptions": 2, "invoices": 3, "charges": 4, "disputes": 5, pathCharge: 6, pathEvent: 7,
}

// frames divides time for one account. In each frame there is at most one request for a path, and most of them in all.
type frames struct {
	length time.Duration
	most   int
}

// newFrames makes as many frames a second as the share of a path's allowed rate has requests.
func newFrames(share float64, live bool) (frames, error) {
	if share < minShare || share > DefaultShare {
		return frames{}, errors.New("worker: the share of Stripe's rate must be from 0.04 to 0.96")
	}
	most := allowedTest / allowedPath
	if live {
		most = allowedLive / allowedPath
	}
	return frames{length: time.Duration(float64(time.Second) / (allowedPath * share)), most: most}, nil
}

func (f frames) number(t time.Time) int64 { return t.UnixNano() / int64(f.length) }

// start of a path's request in a frame: always at the same place of its first half.
func (f frames) start(frame int64, path string) time.Time {
	return time.Unix(0, frame*int64(f.length)+int64(paths[path]%f.most)*int64(f.length)/int64(2*f.most))
}

// end is until when a request may be made. One that a busy machine has delayed for longer than half a frame takes another,
// so that the other half is left for delays on the way.
func (f frames) end(start time.Time) time.Time { return start.Add(f.length / 2) }

// demand is a request for one path that waits.
type demand struct {
	path string
	// at is when it may be made; zero until that is known.
	at time.Time
}

// give takes frames for as many of the waiting as it can, in their order, and says whether it took any. What is left of the
// current frame may be too little for a path. The budget is changed in place.
func (f frames) give(b *bus.Budget, waiting []*demand, now time.Time) bool {
	f.adjust(b, now)
	first, given := f.number(now), false
	for n := max(first, b.First); n < first+horizon; n++ {
		for _, d := range waiting {
			bit := uint32(1) << paths[d.path]
			mask := b.Taken[n-b.First]
			taken := bits.OnesCount32(mask)
			if taken == f.most {
				break
			}
			at := f.start(n, d.path)
			if !d.at.IsZero() || mask&bit != 0 || now.After(f.end(at)) || !f.open(b, "", n) || !f.open(b, d.path, n) {
				continue
			}
			b.Taken[n-b.First] |= bit
			d.at, given = at, true
		}
	}
	return given
}

// adjust lets a budget reach from a while ago to the horizon. What lies before is forgotten, unused frames too: nothing is
// ever made up for.
func (f frames) adjust(b *bus.Budget, now time.Time) {
	current := f.number(now)
	if b.Frame != 0 && b.Frame != int64(f.length) {
		// Another share: its frames do not fit these. Whatever they were used for is over in a second.
		over := time.Unix(0, (b.First+int64(len(b.Taken)))*b.Frame).Add(time.Second)
		*b = bus.Budget{Slow: map[string]bus.Slowdown{"": {Since: current, Pace: 1, Until: f.number(over) + 1}}}
	}
	b.Frame = int64(f.length)
	if b.First-current > maxAhead {
		*b = bus.Budget{Frame: b.Frame, Slow: b.Slow} // another worker's clock was wrong by more than seconds
	}
	if past := current - remembered - b.First; past > 0 {
		b.Taken = b.Taken[min(past, int64(len(b.Taken))):]
		b.First += past
	}
	for b.First+int64(len(b.Taken)) < current+horizon {
		b.Taken = append(b.Taken, 0)
	}
	for path, slow := range b.Slow {
		if f.pace(slow, current) >= 1 && current >= slow.Until {
			delete(b.Slow, path)
		}
	}
}

// refused slows a path down, or all with "", by what was refused: each refusal takes away its own part of a second's requests,
// and all of a second together half of the pace at most. One or two may be due to requests that came late. It asks nothing
// for as long as Stripe asked.
func (f frames) refused(b *bus.Budget, path string, wait time.Duration, now time.Time) {
	f.adjust(b, now)
	slow, seen := b.Slow[path]
	n := f.number(now)
	pace := 1.0
	if seen {
		pace = f.pace(slow, n)
	}
	if !seen || n-slow.Second >= int64(time.Second/f.length) {
		slow.Second, slow.Floor = n, max(pace/2, minPace)
	}
	part := 2 * slow.Floor * f.length.Seconds() // Floor is half of the pace at the second's beginning
	if path == "" {
		part /= float64(f.most)
	}
	slow.Since, slow.Pace = n, max(pace-part, slow.Floor)
	if wait > 0 {
		slow.Until = max(slow.Until, f.number(now.Add(wait))+1)
	}
	if b.Slow == nil {
		b.Slow = map[string]bus.Slowdown{}
	}
	b.Slow[path] = slow
}

// gain is by how much the pace rises with each frame.
func (f frames) gain() float64 { return 0.5 * float64(f.length) / float64(recovery) }

func (f frames) pace(s bus.Slowdown, n int64) float64 {
	return min(1, s.Pace+f.gain()*float64(max(n-s.Since, 0)))
}

// open says whether a frame may be used at all. While slowed down only those are in which the sum of all paces since the
// refusal reaches another whole number.
func (f frames) open(b *bus.Budget, path string, n int64) bool {
	slow, ok := b.Slow[path]
	if !ok {
		return true
	}
	if n < slow.Until {
		return false
	}
	sum := func(frames int64) int64 {
		d, whole := float64(frames), (1-slow.Pace)/f.gain()
		if d <= whole {
			return int64(slow.Pace*d + f.gain()*d*d/2)
		}
		return int64(slow.Pace*whole + f.gain()*whole*whole/2 + d - whole)
	}
	return sum(n-slow.Since+1) > sum(n-slow.Since)
}
