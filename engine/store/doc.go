// Package store keeps what the engine knows: signals, customers' states and scores, the ledger of event ids, failed
// events and sealed identities. It owns the SQL of both dialects (SQLite, PostgreSQL), their migrations, the order in
// which customers are listed, and the per-workspace data keys that make an erasure final.
//
// It must not know the bus, Kubernetes or Stripe, and it never decides a score: it stores what engine/ingest hands it.
// No error and no log line of this package holds a customer, an e-mail, a signal's body or a connection string.
package store
