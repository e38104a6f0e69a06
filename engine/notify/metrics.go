package notify

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of an attempt. It is a metric label.
type outcome string

const (
	delivered outcome = "delivered"
	retried   outcome = "retried"
	gaveUp    outcome = "given_up"
)

// metrics carry no workspace, customer or receiver: their number must not grow with the data.
type metrics struct {
	events     *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	seconds    prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_notify_events_total", Help: "Churn events put into the outbox, one for each receiver, by type.",
		}, []string{"type"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_notify_deliveries_total", Help: "Attempts to deliver a churn event, by what became of them.",
		}, []string{"outcome"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kustiq_notify_delivery_seconds", Help: "Time of an attempt to deliver a churn event.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	err := errors.Join(r.Register(m.events), r.Register(m.deliveries), r.Register(m.seconds))
	for _, eventType := range Types() {
		m.events.WithLabelValues(eventType) // present from the start, so that a rate over it is never missing
	}
	for _, o := range []outcome{delivered, retried, gaveUp} {
		m.deliveries.WithLabelValues(string(o))
	}
	return m, err
}
