// Package stripeapi is the only door to Stripe. It owns the OAuth grants, the platform's webhook endpoints, reading a
// connected account, the check of a webhook's signature, and the translation of Stripe's refusals into our error codes.
//
// It never writes to a connected account: the transport under AccountClient refuses everything but GET before it
// leaves. It hands Stripe's objects on as raw JSON and must not know what they mean to the product; engine/signal does.
// It keeps no state, retries nothing and logs nothing: callers own the schedule and the log.
package stripeapi
