// Package worker reads connected Stripe accounts: the backfill of a connection's history, and the charge that leads
// from a dispute to its customer. What it finds it publishes as signals; how far it is it writes into the progress
// bucket after every page, so that any worker can take over where another stopped.
//
// It only ever reads Stripe. It must not know scores, the store or Kubernetes resources, and it keeps nothing on disk.
package worker
