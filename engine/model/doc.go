// Package model fits the scoring model to each workspace's own history: it lays customers out as they stood every seven
// days, finds the intercept and the weights under which what then happened is likeliest, tests them on days that they
// were not fitted on, and keeps those that stand the test. It must not know the bus, Kubernetes, Stripe or HTTP.
//
// See docs/model.md for what it does in words.
package model
