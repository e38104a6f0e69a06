package ledger

// Account is one Stripe account in one mode.
type Account struct {
	ID, Name, Country, Currency string
	Livemode                    bool
}
