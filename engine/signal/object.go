package signal

// ObjectOptions bounds which happenings FromObject reports, in unix seconds; 0 leaves a side open.
// Current state is reported whatever the window.
type ObjectOptions struct{ From, Until int64 }

// FromObject turns one listed object (customer, subscription, invoice, charge or dispute) into signals.
func FromObject(raw []byte, opts ObjectOptions) ([]Signal, error) { panic("unfinished") }
