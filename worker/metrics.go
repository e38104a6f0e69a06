package worker

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	tasks     *prometheus.CounterVec
	throttled *prometheus.CounterVec
	skipped   *prometheus.CounterVec
	disputes  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		tasks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_worker_tasks_total",
			Help: "Deliveries of tasks by kind and by how they ended.",
		}, []string{"kind", "outcome"}),
		throttled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_worker_throttled_total",
			Help: "Requests that Stripe answered with 429, by which of its limits was hit.",
		}, []string{"reason"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_worker_skipped_objects_total",
			Help: "Listed objects that could not be read as what the list promised, and were left out.",
		}, []string{"resource"}),
		disputes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_worker_disputes_total",
			Help: "Disputes by outcome of the search for their customer: attributed, unattributed, gave_up.",
		}, []string{"outcome"}),
	}
	for _, c := range []**prometheus.CounterVec{&m.tasks, &m.throttled, &m.skipped, &m.disputes} {
		if err := register(reg, c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// register adds a collector, or takes the one that a worker of another region in the same process has added.
func register(reg prometheus.Registerer, c **prometheus.CounterVec) error {
	err := reg.Register(*c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(*prometheus.CounterVec); ok {
			*c = existing
			return nil
		}
	}
	return err
}

// reasons are the values of Stripe-Rate-Limited-Reason; the label takes no others.
var reasons = map[string]bool{
	"global-rate": true, "global-concurrency": true, "endpoint-rate": true, "endpoint-concurrency": true, "resource-specific": true,
}

func reasonLabel(reason string) string {
	if reasons[reason] {
		return reason
	}
	return "other"
}
