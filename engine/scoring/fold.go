package scoring

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/kustiq/kustiq/engine/signal"
)

// Fold builds the state of one customer's set of signals. It sorts and deduplicates itself and leaves the slice as it
// is: any permutation or repetition of the same signals gives the same state to the bit.
func Fold(signals []signal.Signal) *State {
	order := inOrder(signals)
	s := &State{}
	s.m.Invoices = make(map[string]*invoice, 2*forgetEvery)
	for _, e := range order {
		s.apply(&signals[e.index])
	}
	if n := len(order); n > 0 {
		s.m.Mark = positionOf(&signals[order[n-1].index])
	}
	return s
}

// Ordered gives the signals in the order in which they are folded, each once.
func Ordered(signals []signal.Signal) []signal.Signal {
	order := inOrder(signals)
	out := make([]signal.Signal, len(order))
	for i, e := range order {
		out[i] = signals[e.index]
	}
	return out
}

// entry stands for a signal while sorting: it holds what mostly decides, and no pointer, which sorts twice as fast.
type entry struct {
	created int64
	index   int32
	rank    uint8
}

func inOrder(signals []signal.Signal) []entry {
	order := make([]entry, len(signals))
	for i := range signals {
		order[i] = entry{created: signals[i].Created, rank: rank(&signals[i]), index: int32(i)}
	}
	compare := func(a, b entry) int {
		if a.created != b.created {
			return cmp.Compare(a.created, b.created)
		}
		if a.rank != b.rank {
			return cmp.Compare(a.rank, b.rank)
		}
		return compareTied(&signals[a.index], &signals[b.index])
	}
	if !slices.IsSortedFunc(order, compare) {
		slices.SortFunc(order, compare)
	}
	return slices.CompactFunc(order, func(a, b entry) bool {
		x, y := &signals[a.index], &signals[b.index]
		return a.created == b.created && a.rank == b.rank && x.ID == y.ID && eventOf(x) == eventOf(y)
	})
}

// Apply adds one signal in constant time. It reports false, and changes nothing, unless the signal sorts after every
// one applied before; the caller must then rebuild with Fold.
func (s *State) Apply(sig signal.Signal) bool {
	at := positionOf(&sig)
	if s.m.Mark.compare(at) >= 0 {
		return false
	}
	s.apply(&sig)
	s.m.Mark = at
	return true
}

// compareTied orders two signals of the same second and rank.
func compareTied(a, b *signal.Signal) int {
	if c := cmp.Compare(eventOf(a), eventOf(b)); c != 0 {
		return c
	}
	if c := cmp.Compare(a.ID, b.ID); c != 0 {
		return c
	}
	return compareContent(a, b)
}

// compareContent orders two signals of one id that nevertheless differ, so that which of them counts does not depend
// on arrival: a dispute, for one, exists before and after its customer was looked up.
func compareContent(a, b *signal.Signal) int {
	if *a == *b || reflect.DeepEqual(a, b) {
		return 0
	}
	left, _ := json.Marshal(a)
	right, _ := json.Marshal(b)
	return bytes.Compare(left, right)
}

// apply must be called in order. It is the only way a state changes.
func (s *State) apply(sig *signal.Signal) {
	if isContext(sig) {
		s.wait(sig)
		return
	}
	if sig.Kind != signal.SubscriptionObserved {
		s.m.LastSignal = sig.Created
		s.admit()
	}
	switch {
	case sig.Kind == signal.DisputeCreated && sig.Dispute != nil:
		s.dispute(sig)
	case sig.Kind == signal.PaymentFailed && sig.Invoice != nil:
		s.fail(sig)
	case sig.Kind == signal.PaymentSucceeded && sig.Invoice != nil:
		s.pay(sig)
	case sig.Subscription != nil && sig.Subscription.ID != "":
		s.change(sig)
	}
}

func isContext(sig *signal.Signal) bool {
	switch sig.Kind {
	case signal.CustomerCreated, signal.CustomerUpdated, signal.InvoiceFinalized:
		return true
	case signal.PaymentSucceeded:
		// A trial's invoice of nothing is "paid" too. It recovers nothing and nobody has paid.
		return sig.Invoice != nil && !settles(sig.Invoice)
	default:
		return false
	}
}

func settles(inv *signal.Invoice) bool { return inv.AmountPaid > 0 || inv.OutOfBand }

// waiting is context newer than the last churn or recovery signal.
type waiting struct {
	Tenure   int64            `json:"tenure_start,omitempty"`
	Invoices []signal.Invoice `json:"invoices,omitempty"`
}

// IsZero leaves an empty one out of the JSON, whether or not it ever held something.
func (w waiting) IsZero() bool { return w.Tenure == 0 && len(w.Invoices) == 0 }

func (s *State) wait(sig *signal.Signal) {
	w := &s.m.Waiting
	if sig.Person != nil || sig.Kind == signal.CustomerCreated {
		created := int64(0)
		if sig.Person != nil {
			created = sig.Person.CustomerCreated
		}
		if created == 0 && sig.Kind == signal.CustomerCreated {
			created = sig.Created
		}
		w.Tenure = earliest(w.Tenure, created)
	}
	inv := sig.Invoice
	if inv == nil || inv.ID == "" {
		return
	}
	w.Tenure = earliest(w.Tenure, inv.Created)
	// One a subscription is enough: the latest tells its value and period. That bounds what can wait.
	for i := range w.Invoices {
		if w.Invoices[i].Subscription == inv.Subscription {
			w.Invoices[i] = *inv
			return
		}
	}
	w.Invoices = append(w.Invoices, *inv)
}

// admit lets the waiting context take effect. Signals come in order, so all of it is older than the one that calls.
func (s *State) admit() {
	w := &s.m.Waiting
	s.m.Tenure = earliest(s.m.Tenure, w.Tenure)
	w.Tenure = 0
	for i := range w.Invoices {
		s.learnInvoice(&w.Invoices[i])
	}
	clear(w.Invoices)
	w.Invoices = w.Invoices[:0]
}
