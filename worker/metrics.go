package worker

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kustiq/kustiq/engine/signal"
)

type metrics struct {
	tasks     *prometheus.CounterVec
	throttled *prometheus.CounterVec
	skipped   *prometheus.CounterVec
	disputes  *prometheus.CounterVec
	slots     *prometheus.CounterVec
	objects   *prometheus.CounterVec
	signals   *prometheus.CounterVec
	pages     *prometheus.HistogramVec
	running   prometheus.Gauge
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
		slots: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_worker_budget_slots_total",
			Help: "Requests of accounts' budgets by what became of them: used, or late, when this process was held up too long to make the request in its time.",
		}, []string{"outcome"}),
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_worker_backfill_objects_total",
			Help: "Objects that backfills have listed, by resource.",
		}, []string{"resource"}),
		signals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_worker_backfill_signals_total",
			Help: "Signals that backfills have found, by provenance: event, object or inferred.",
		}, []string{"provenance"}),
	}
	pages := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "kustiq_worker_backfill_page_seconds",
		Help:    "Time from the request for a page to its checkpoint, by resource.",
		Buckets: []float64{0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8},
	}, []string{"resource"})
	running := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "kustiq_worker_backfills", Help: "Backfills that this process reads now.",
	})
	var err error
	if m.pages, err = register(reg, pages); err != nil {
		return nil, err
	}
	if m.running, err = register[prometheus.Gauge](reg, running); err != nil {
		return nil, err
	}
	for _, c := range []**prometheus.CounterVec{&m.tasks, &m.throttled, &m.skipped, &m.disputes, &m.slots, &m.objects, &m.signals} {
		if *c, err = register(reg, *c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// register adds a collector, or takes the one that a worker of another region in the same process has added.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) (C, error) {
	err := reg.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	return c, err
}

// count adds what a page has told.
func (m *metrics) count(signals []signal.Signal) {
	for _, s := range signals {
		m.signals.WithLabelValues(string(s.Provenance)).Inc()
	}
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
