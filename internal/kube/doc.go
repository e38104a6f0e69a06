// Package kube holds what every controller does to the Kubernetes API in the same way: one server-side apply of a
// status, finalizers, conditions and the kstatus conventions on top of them.
//
// It must not know any of the product's kinds, nor Stripe or the bus.
package kube
