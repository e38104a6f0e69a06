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

// Read reads and classifies events. It goes on after one that cannot be used and lists it among the problems; its error
// is that of reading alone.
func Read(r io.Reader) (*Input, error) {
	in := &Input{}
	owners := map[string]string{} // customer by charge
	bad := func(p Problem) {
		in.Events++
		in.Problems = append(in.Problems, p)
	}
	each := func(at Position, body json.RawMessage) {
		e, err := signal.DecodeEvent(body)
		var signals []signal.Signal
		if err == nil {
			signals, err = signal.Classify(e)
		}
		if err != nil {
			bad(Problem{At: at, Err: err})
			return
		}
		in.Events++
		if charge, customer, ok := e.ChargeOwner(); ok {
			owners[charge] = customer
		}
		if e.Livemode {
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
