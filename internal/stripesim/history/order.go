package history

import (
	"math/rand/v2"

	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

// Shares of what customers choose.
const (
	annualShare   = 0.18
	foreignShare  = 0.15
	seatsShare    = 0.35
	usageShare    = 0.06
	discountShare = 0.10
	secondShare   = 0.05
	signupFailure = 0.02
)

// order draws what a customer subscribes to.
func (w *world) order(rng *rand.Rand, at int64, currency string) []ledger.Item {
	interval := "month"
	if rng.Float64() < annualShare {
		interval = "year"
	}
	key := currency + interval
	plan := min(int(rng.ExpFloat64()*1.1), len(catalogue)-1)
	items := []ledger.Item{w.a.NewItem(at, w.plans[key][plan], 1)}
	if rng.Float64() < seatsShare {
		items = append(items, w.a.NewItem(at, w.seats[key], 1+rng.Int64N(14)))
	}
	if rng.Float64() < usageShare {
		items = append(items, w.a.NewItem(at, w.usage[key], 0))
	}
	return items
}

func (w *world) discount(rng *rand.Rand) *ledger.Discount {
	switch u := rng.Float64(); {
	case u < discountShare/2:
		return &ledger.Discount{Coupon: "WELCOME20", Name: "20% off for six months", PercentOff: 20, Months: 6}
	case u < discountShare:
		return &ledger.Discount{Coupon: "NONPROFIT", Name: "Non-profit", PercentOff: 30}
	}
	return nil
}

// declines are why cards are declined, with how often.
var declines = []struct {
	share float64
	why   ledger.Failure
}{
	{0.45, ledger.Failure{Code: "card_declined", DeclineCode: "insufficient_funds", Message: "Your card has insufficient funds."}},
	{0.70, ledger.Failure{Code: "card_declined", DeclineCode: "generic_decline", Message: "Your card was declined."}},
	{0.82, ledger.Failure{Code: "card_declined", DeclineCode: "do_not_honor", Message: "Your card was declined."}},
	{0.96, ledger.Failure{Code: "expired_card", DeclineCode: "expired_card", Message: "Your card has expired."}},
	{1.00, ledger.Failure{Code: "processing_error", DeclineCode: "processing_error", Message: "An error occurred while processing your card."}},
}

// Decline draws why a card is declined.
func Decline(rng *rand.Rand) *ledger.Failure {
	u := rng.Float64()
	for i := range declines {
		if u < declines[i].share {
			return &declines[i].why
		}
	}
	return &declines[0].why
}

var feedbacks = []string{
	"too_expensive", "unused", "missing_features", "switched_service", "too_complex", "customer_service", "low_quality", "other",
}

var disputeReasons = []string{"subscription_canceled", "fraudulent", "product_unacceptable", "unrecognized", "duplicate"}

func oneOf(rng *rand.Rand, from []string) string { return from[rng.IntN(len(from))] }
