package scoring

import (
	"fmt"
	"testing"
	"time"

	"github.com/kustiq/kustiq/engine/signal"
)

const (
	d = 86400
	// now is when the examples are evaluated: an instant without meaning.
	now = int64(1_800_000_000)
)

var serial int

func id(kind string) string {
	serial++
	return fmt.Sprintf("evt_%s_%d", kind, serial)
}

func of(kind signal.Kind, at int64) signal.Signal {
	event := id(string(kind))
	return signal.Signal{ID: event, EventID: event, Kind: kind, Created: at, Provenance: signal.FromEvent, Customer: "cus_1"}
}

func value(v float64) *float64 { return &v }

func seconds(v int64) *int64 { return &v }

// paying is the start of a customer's history: created, subscribed and paid at a time.
func paying(start int64, months float64) []signal.Signal {
	created := of(signal.CustomerCreated, start)
	created.Person = &signal.Person{CustomerCreated: start}
	observed := about(signal.SubscriptionObserved, start, signal.Subscription{
		ID: "sub_1", Status: "active", Currency: "usd", Start: start, MRR: value(10000), IntervalMonths: months,
	})
	return []signal.Signal{created, observed, paid(start, "in_first")}
}

func about(kind signal.Kind, at int64, sub signal.Subscription) signal.Signal {
	s := of(kind, at)
	s.Subscription = &sub
	return s
}

func sub1(kind signal.Kind, at int64) signal.Signal {
	return about(kind, at, signal.Subscription{ID: "sub_1"})
}

func failed(at int64, invoice string, attempt int) signal.Signal {
	s := of(signal.PaymentFailed, at)
	s.Invoice = &signal.Invoice{
		ID: invoice, Subscription: "sub_1", BillingReason: "subscription_cycle", AttemptCount: attempt,
		NextAttempt: seconds(at + 3*d), AmountDue: 10000, Created: at - 3600,
	}
	return s
}

func failedLast(at int64, invoice string, attempt int) signal.Signal {
	s := failed(at, invoice, attempt)
	s.Invoice.NextAttempt = nil
	return s
}

func paid(at int64, invoice string) signal.Signal {
	s := of(signal.PaymentSucceeded, at)
	s.Invoice = &signal.Invoice{
		ID: invoice, Subscription: "sub_1", BillingReason: "subscription_cycle", AmountDue: 10000, AmountPaid: 10000,
		Created: at, PaidAt: at,
	}
	return s
}

func disputed1(at int64, id string) signal.Signal {
	s := of(signal.DisputeCreated, at)
	s.Dispute = &signal.Dispute{ID: id, Status: "needs_response"}
	return s
}

func repriced(at int64, old, new float64) signal.Signal {
	kind := signal.SubscriptionUpgraded
	if new < old {
		kind = signal.SubscriptionDowngraded
	}
	return about(kind, at, signal.Subscription{ID: "sub_1", Status: "active", Currency: "usd", PreviousMRR: value(old), MRR: value(new)})
}

func at(t int64) time.Time { return time.Unix(t, 0) }

func evaluated(t int64, history []signal.Signal, more ...signal.Signal) Evaluation {
	return Evaluate(Fold(append(append([]signal.Signal{}, history...), more...)), at(t), Prior())
}

func termOf(t *testing.T, e Evaluation, name string) Term {
	t.Helper()
	for _, term := range e.Terms {
		if term.Name == name {
			return term
		}
	}
	t.Fatalf("no term %s in %+v", name, e.Terms)
	return Term{}
}
