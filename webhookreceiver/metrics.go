package webhookreceiver

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics have no label by account: the receiver must not grow with what the internet sends it.
type metrics struct {
	events  *prometheus.CounterVec
	latency prometheus.Histogram
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_receiver_events_total", Help: "Webhook requests by what became of them and the endpoint's mode.",
		}, []string{"outcome", "mode"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kustiq_receiver_seconds", Help: "Time from a request's arrival to its answer, in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
	}
	for _, c := range []prometheus.Collector{m.events, m.latency} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("webhookreceiver: register metrics: %w", err)
		}
	}
	return m, nil
}
