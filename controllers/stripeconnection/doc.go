// Package stripeconnection reconciles StripeConnections: it obtains and keeps the account's grant, keeps the platform's
// webhook endpoint, publishes the route by which events are accepted, starts the first backfill, and says in the
// conditions how each of these stands.
//
// It owns every condition of a StripeConnection, a file per step. It must not know how events are verified, read or
// scored: it hears of that through the bus alone.
package stripeconnection
