package signal

// The structs of this file are the allow-list: what they do not name is never read. Their fields cover the payloads
// of API versions from 2018 to today.

type customerObject struct {
	ID       string `json:"id"`
	Created  int64  `json:"created"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	Deleted  bool   `json:"deleted"`
	Metadata struct {
		ProfileID string `json:"kustiq_profile_id"`
	} `json:"metadata"`
}

type subscriptionObject struct {
	ID       string `json:"id"`
	Customer ref    `json:"customer"`
	Status   string `json:"status"`
	Currency string `json:"currency"`
	// StartDate is absent before 2019; Start then was the date of the last change, so it is the last resort.
	StartDate         int64            `json:"start_date"`
	Created           int64            `json:"created"`
	Start             int64            `json:"start"`
	TrialEnd          int64            `json:"trial_end"`
	CurrentPeriodEnd  int64            `json:"current_period_end"`
	CancelAtPeriodEnd bool             `json:"cancel_at_period_end"`
	CancelAt          int64            `json:"cancel_at"`
	EndedAt           int64            `json:"ended_at"`
	PauseCollection   present          `json:"pause_collection"`
	Items             itemList         `json:"items"`
	Plan              *planObject      `json:"plan"`
	Quantity          decimal          `json:"quantity"`
	Discount          *discountObject  `json:"discount"`
	Discounts         []discountObject `json:"discounts"`
}

type previousAttributes struct {
	Status            optional[string]     `json:"status"`
	CurrentPeriodEnd  optional[int64]      `json:"current_period_end"`
	CancelAtPeriodEnd optional[bool]       `json:"cancel_at_period_end"`
	CancelAt          optional[int64]      `json:"cancel_at"`
	PauseCollection   optional[present]    `json:"pause_collection"`
	Items             optional[itemList]   `json:"items"`
	Plan              optional[planObject] `json:"plan"`
	Quantity          optional[decimal]    `json:"quantity"`
}

type itemList struct {
	Data    []itemObject `json:"data"`
	HasMore bool         `json:"has_more"`
}

type itemObject struct {
	ID               string           `json:"id"`
	Price            *priceObject     `json:"price"`
	Plan             *planObject      `json:"plan"`
	Quantity         decimal          `json:"quantity"`
	CurrentPeriodEnd int64            `json:"current_period_end"`
	Discounts        []discountObject `json:"discounts"`
}

type priceObject struct {
	ID                string  `json:"id"`
	Currency          string  `json:"currency"`
	BillingScheme     string  `json:"billing_scheme"`
	UnitAmount        decimal `json:"unit_amount"`
	UnitAmountDecimal decimal `json:"unit_amount_decimal"`
	Recurring         *struct {
		Interval      string `json:"interval"`
		IntervalCount int64  `json:"interval_count"`
		UsageType     string `json:"usage_type"`
	} `json:"recurring"`
	Transform *transformObject `json:"transform_quantity"`
}

type planObject struct {
	ID            string           `json:"id"`
	Currency      string           `json:"currency"`
	BillingScheme string           `json:"billing_scheme"`
	Amount        decimal          `json:"amount"`
	AmountDecimal decimal          `json:"amount_decimal"`
	Interval      string           `json:"interval"`
	IntervalCount int64            `json:"interval_count"`
	UsageType     string           `json:"usage_type"`
	Transform     *transformObject `json:"transform_usage"`
}

type transformObject struct {
	DivideBy float64 `json:"divide_by"`
	Round    string  `json:"round"`
}

type invoiceObject struct {
	ID           string `json:"id"`
	Customer     ref    `json:"customer"`
	Subscription ref    `json:"subscription"`
	Parent       struct {
		SubscriptionDetails struct {
			Subscription ref `json:"subscription"`
		} `json:"subscription_details"`
	} `json:"parent"`
	Status             string `json:"status"`
	BillingReason      string `json:"billing_reason"`
	Currency           string `json:"currency"`
	AttemptCount       int    `json:"attempt_count"`
	NextPaymentAttempt *int64 `json:"next_payment_attempt"`
	AmountDue          int64  `json:"amount_due"`
	// AmountPaid is absent before 2018-02; Paid and AmountDue then tell it.
	AmountPaid    *int64 `json:"amount_paid"`
	Paid          bool   `json:"paid"`
	PaidOutOfBand bool   `json:"paid_out_of_band"`
	Created       int64  `json:"created"`
	// Date is what Created was called before 2019-03.
	Date        int64 `json:"date"`
	Transitions struct {
		FinalizedAt int64 `json:"finalized_at"`
		PaidAt      int64 `json:"paid_at"`
	} `json:"status_transitions"`
	Charge chargeRef `json:"charge"`
	Lines  struct {
		Data    []lineObject `json:"data"`
		HasMore bool         `json:"has_more"`
	} `json:"lines"`
	Discount  *discountObject  `json:"discount"`
	Discounts []discountObject `json:"discounts"`
}

type lineObject struct {
	Type         string       `json:"type"`
	Proration    bool         `json:"proration"`
	Currency     string       `json:"currency"`
	Subscription ref          `json:"subscription"`
	Quantity     decimal      `json:"quantity"`
	Price        *priceObject `json:"price"`
	Plan         *planObject  `json:"plan"`
	Period       struct {
		Start int64 `json:"start"`
		End   int64 `json:"end"`
	} `json:"period"`
	// Parent and Pricing replace type, subscription, proration, price and plan since 2025-03.
	Parent struct {
		Item *struct {
			Proration    bool `json:"proration"`
			Subscription ref  `json:"subscription"`
		} `json:"subscription_item_details"`
	} `json:"parent"`
	Pricing *struct {
		UnitAmountDecimal decimal `json:"unit_amount_decimal"`
	} `json:"pricing"`
}

type disputeObject struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"`
	Created int64     `json:"created"`
	Charge  chargeRef `json:"charge"`
}

type chargeObject struct {
	ID       string     `json:"id"`
	Customer ref        `json:"customer"`
	Status   string     `json:"status"`
	Created  int64      `json:"created"`
	Amount   int64      `json:"amount"`
	Currency string     `json:"currency"`
	Invoice  invoiceRef `json:"invoice"`
}

// chargeRef is a charge's id and, where the charge is expanded, its customer.
type chargeRef struct{ ID, Customer string }

// UnmarshalJSON accepts an id, a charge, or null.
func (c *chargeRef) UnmarshalJSON(raw []byte) error {
	var whole struct {
		Customer ref `json:"customer"`
	}
	id, err := idOf(raw, &whole)
	*c = chargeRef{ID: id, Customer: string(whole.Customer)}
	return err
}

// invoiceRef is an invoice's id and, where the invoice is expanded, its projection.
type invoiceRef struct {
	ID    string
	Whole *invoiceObject
}

// UnmarshalJSON accepts an id, an invoice, or null.
func (i *invoiceRef) UnmarshalJSON(raw []byte) error {
	var whole invoiceObject
	id, err := idOf(raw, &whole)
	*i = invoiceRef{ID: id}
	if whole.ID != "" {
		i.Whole = &whole
	}
	return err
}
