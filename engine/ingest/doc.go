// Package ingest turns signals on the bus into stored scores: it takes deliveries in batches, drops what was seen
// before, folds each customer's state, evaluates it and saves the result in one transaction, and acknowledges only
// then. It also re-evaluates customers whose score changes with time alone, erases accounts that the operator names,
// and keeps customers matched to the profiles that were imported.
//
// It must not know Stripe, Kubernetes or HTTP, and it holds no SQL.
package ingest
