package signal

// The structs of this file are the allow-list: read.go knows no other fields. They cover the payloads of API versions
// from 2018 to today.

type customerObject struct {
	ID       string
	Created  int64
	Email    string
	Name     string
	Deleted  bool
	Metadata struct {
		ProfileID string
	}
}

type subscriptionObject struct {
	ID       string
	Customer ref
	Status   string
	Currency string
	// StartDate is absent before 2019; Start then was the date of the last change, so it is the last resort.
	StartDate         int64
	Created           int64
	Start             int64
	TrialEnd          int64
	CurrentPeriodEnd  int64
	CancelAtPeriodEnd bool
	CancelAt          int64
	EndedAt           int64
	PauseCollection   present
	Items             itemList
	Plan              *planObject
	Quantity          decimal
	Discount          *discountObject
	Discounts         []discountObject
}

type previousAttributes struct {
	Status            optional[string]
	CurrentPeriodEnd  optional[int64]
	CancelAtPeriodEnd optional[bool]
	CancelAt          optional[int64]
	PauseCollection   optional[present]
	Items             optional[itemList]
	Plan              optional[planObject]
	Quantity          optional[decimal]
}

type itemList struct {
	Data    []itemObject
	HasMore bool
}

type itemObject struct {
	ID               string
	Price            *priceObject
	Plan             *planObject
	Quantity         decimal
	CurrentPeriodEnd int64
	Discounts        []discountObject
}

type priceObject struct {
	ID                string
	Currency          string
	BillingScheme     string
	UnitAmount        decimal
	UnitAmountDecimal decimal
	Recurring         *recurringObject
	Transform         *transformObject
}

type recurringObject struct {
	Interval      string
	IntervalCount int64
	UsageType     string
}

type planObject struct {
	ID            string
	Currency      string
	BillingScheme string
	Amount        decimal
	AmountDecimal decimal
	Interval      string
	IntervalCount int64
	UsageType     string
	Transform     *transformObject
}

type transformObject struct {
	DivideBy float64
	Round    string
}

type invoiceObject struct {
	ID           string
	Customer     ref
	Subscription ref
	Parent       struct {
		SubscriptionDetails struct {
			Subscription ref
		}
	}
	Status             string
	BillingReason      string
	Currency           string
	AttemptCount       int64
	NextPaymentAttempt *int64
	AmountDue          int64
	// AmountPaid is absent before 2018-02; Paid and AmountDue then tell it.
	AmountPaid    *int64
	Paid          bool
	PaidOutOfBand bool
	Created       int64
	// Date is what Created was called before 2019-03.
	Date        int64
	Transitions struct {
		FinalizedAt int64
		PaidAt      int64
	}
	Charge chargeRef
	Lines  struct {
		Data    []lineObject
		HasMore bool
	}
	Discount  *discountObject
	Discounts []discountObject
}

type lineObject struct {
	Type         string
	Proration    bool
	Currency     string
	Subscription ref
	Quantity     decimal
	Price        *priceObject
	Plan         *planObject
	Period       struct {
		Start int64
		End   int64
	}
	// Parent and Pricing replace type, subscription, proration, price and plan since 2025-03.
	Parent struct {
		Item *lineItemObject
	}
	Pricing *pricingObject
}

type lineItemObject struct {
	Proration    bool
	Subscription ref
}

type pricingObject struct {
	UnitAmountDecimal decimal
}

type disputeObject struct {
	ID      string
	Status  string
	Created int64
	Charge  chargeRef
}

type chargeObject struct {
	ID       string
	Customer ref
	Status   string
	Created  int64
	Amount   int64
	Currency string
	Invoice  invoiceRef
}

// chargeRef is a charge's id and, where the charge is expanded, its customer.
type chargeRef struct{ ID, Customer string }

// invoiceRef is an invoice's id and, where the invoice is expanded, its projection.
type invoiceRef struct {
	ID    string
	Whole *invoiceObject
}
