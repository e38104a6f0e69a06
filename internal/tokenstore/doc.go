// Package tokenstore keeps the OAuth token of each connection in a sealed Secret in the operator's namespace.
//
// It owns the Secret's name, shape and sealing context. The operator writes, the worker reads. It must not know how a
// token is got or when it is due: that is for the controllers and the API of Stripe.
package tokenstore
