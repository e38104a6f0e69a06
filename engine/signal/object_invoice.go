package signal

import "strconv"

const (
	// retryGap and retryTries infer when the n-th attempt was: Stripe's recommended schedule makes eight attempts within
	// two weeks of the first.
	retryGap   = 2 * secondsPerDay
	retryTries = 8
)

func (i *invoiceObject) listed(opts ObjectOptions) ([]Signal, error) {
	if i.ID == "" || i.Customer == "" {
		return nil, ErrIncomplete
	}
	var signals []Signal
	if at := i.finalizedAt(); opts.within(at) {
		finalized, _ := i.signals(InvoiceFinalized, at)
		signals = append(signals, dated(finalized, i.ID+":finalized", at, FromListed)...)
	}
	if at := i.paidAt(); opts.within(at) {
		paid, _ := i.signals(PaymentSucceeded, at)
		signals = append(signals, dated(paid, i.ID+":paid", at, FromListed)...)
	}
	if failed := i.openFailure(opts); failed != nil {
		signals = append(signals, *failed)
	}
	return signals, nil
}

// finalizedAt falls back to the creation for payloads from before status transitions (2018-11), which are never drafts.
func (i *invoiceObject) finalizedAt() int64 {
	if i.Transitions.FinalizedAt == 0 && i.Status == "" {
		return i.created()
	}
	return i.Transitions.FinalizedAt
}

func (i *invoiceObject) paidAt() int64 {
	if i.Status != "paid" && !(i.Status == "" && i.Paid) {
		return 0
	}
	if i.Transitions.PaidAt > 0 {
		return i.Transitions.PaidAt
	}
	return i.created()
}

// openFailure tells of the failures of an invoice that is still open, whatever the window: it is current state. The
// time of the last attempt is not in the object; it is inferred from the retry schedule, never later than the listing.
func (i *invoiceObject) openFailure(opts ObjectOptions) *Signal {
	open := i.Status == "open" || (i.Status == "" && !i.Paid)
	if !open || i.AttemptCount <= 0 {
		return nil
	}
	first := max(i.finalizedAt(), i.created())
	if first <= 0 {
		return nil
	}
	at := first + (min(i.AttemptCount, retryTries)-1)*retryGap
	if opts.Until > 0 {
		at = max(first, min(at, opts.Until))
	}
	failed, err := i.signals(PaymentFailed, at)
	if err != nil {
		return nil
	}
	return &dated(failed, i.ID+":failed:"+strconv.FormatInt(i.AttemptCount, 10), at, FromInference)[0]
}

// failures are the failed attempts of an invoice that was finalized and settled within the window. The last one of an
// open invoice is told by openFailure.
func (i *invoiceObject) failures(opts ObjectOptions) int64 {
	first := i.finalizedAt()
	if !opts.within(first) || i.AttemptCount <= 0 {
		return 0
	}
	if at := i.paidAt(); at > 0 {
		if !opts.within(at) {
			return 0
		}
		return i.AttemptCount - 1
	}
	if i.Status == "open" || i.Status == "draft" || !opts.within(first+retryTries*retryGap) {
		return 0
	}
	return i.AttemptCount
}
