package offline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
)

// Input is what the events of one account say.
type Input struct {
	// Live and Test are the signals of live and test events, each once and in their own order whatever that of the input.
	Live, Test []signal.Signal
	// Events counts what was read, with the bad ones.
	Events   int
	Problems []Problem
}

// ErrBadEvents is wrapped by the error for an input of which a part could not be used.
var ErrBadEvents = errors.New("not every event could be used")

// Read reads and classifies events, and objects as Stripe lists them. It goes on after one that cannot be used and lists
// it among the problems; its error is that of reading alone. listedAt, in unix seconds, is the instant that the state of
// an object is taken to be of, and nothing that it tells of later counts; 0 dates a state by what the object itself says.
func Read(r io.Reader, listedAt int64) (*Input, error) {
	in := &Input{}
	owners := map[string]string{} // customer by charge
	bad := func(p Problem) {
		in.Events++
		in.Problems = append(in.Problems, p)
	}
	each := func(at Position, body json.RawMessage) {
		signals, live, err := classify(body, listedAt, owners)
		if err != nil {
			bad(Problem{At: at, Err: err})
			return
		}
		in.Events++
		if live {
			in.Live = append(in.Live, signals...)
		} else {
			in.Test = append(in.Test, signals...)
		}
	}
	if err := read(r, each, bad); err != nil {
		return nil, err
	}
	in.Live, in.Test = settle(in.Live, owners), settle(in.Test, owners)
	return in, nil
}

// classify gives the signals of an event or a listed object, and notes whose charge an event tells of.
func classify(body json.RawMessage, listedAt int64, owners map[string]string) (signals []signal.Signal, live bool, err error) {
	var listed struct {
		Object   string `json:"object"`
		Livemode bool   `json:"livemode"`
	}
	// What is wrong with it is better said by the decoder of events.
	if json.Unmarshal(body, &listed) == nil && listed.Object != "" && listed.Object != "event" {
		signals, err = signal.FromObject(body, signal.ObjectOptions{Until: listedAt})
		if errors.Is(err, signal.ErrUnsupported) {
			// Such as a price: like an event of another type it says nothing about churn, and nothing is wrong with it.
			return nil, listed.Livemode, nil
		}
		return signals, listed.Livemode, err
	}
	e, err := signal.DecodeEvent(body)
	if err != nil {
		return nil, false, err
	}
	if charge, customer, ok := e.ChargeOwner(); ok {
		owners[charge] = customer
	}
	signals, err = signal.Classify(e)
	return signals, e.Livemode, err
}

// settle names the customers of disputes by the charges of other events, and orders the signals.
func settle(signals []signal.Signal, owners map[string]string) []signal.Signal {
	for i := range signals {
		if s := &signals[i]; s.Customer == "" && s.Dispute != nil {
			s.Customer = owners[s.Dispute.Charge]
		}
	}
	return scoring.Ordered(signals)
}

// Err is nil when every event could be used; otherwise it counts those that could not.
func (in *Input) Err() error {
	if len(in.Problems) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d: %w", len(in.Problems), in.Events, ErrBadEvents)
}

// Report writes a line for each problem.
func (in *Input) Report(w io.Writer) {
	for _, p := range in.Problems {
		fmt.Fprintln(w, p)
	}
}
