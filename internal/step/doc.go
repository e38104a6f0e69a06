// Package step runs a reconcile as a chain of named steps and knows the three ways in which a step can stop it: a
// person must act, time must pass, or something failed.
//
// It owns the meaning of those outcomes and how they become a requeue. It must not know any resource, Stripe or the bus.
package step
