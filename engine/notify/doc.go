// Package notify owns the churn events that leave Kustiq: which change of a score is news, what a receiver is told, and
// how it is delivered: signed as Standard Webhooks say, in order for each customer, at least once, and never to an
// address inside.
//
// It decides from two evaluations and knows neither the bus nor how a score is made. What is on its way lies in the store,
// written in the transaction of the score that it tells of.
package notify
