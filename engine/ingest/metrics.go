package ingest

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of a signal. It is a metric label.
type outcome string

const (
	// scored signals were new and are part of a saved score.
	scored outcome = "scored"
	// duplicate signals were stored before, or came with an event that was.
	duplicate outcome = "duplicate"
	// unattributed signals name no customer; their event is listed as failed.
	unattributed outcome = "unattributed"
	// erased signals were received before their workspace was erased.
	erased outcome = "erased"
	// retried signals could not be processed and come again.
	retried outcome = "retried"
	// gaveUp signals could not be processed in any try, or an event came without any because it could not be read; it is
	// listed as failed.
	gaveUp outcome = "failed"
)

// metrics carry no customer and no workspace: their number must not grow with the data.
type metrics struct {
	signals     *prometheus.CounterVec
	batches     prometheus.Histogram
	freshness   prometheus.Histogram
	reevaluated prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		signals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kustiq_engine_signals_total", Help: "Signals taken from the bus, by what became of them.",
		}, []string{"outcome"}),
		batches: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kustiq_engine_batch_seconds", Help: "Time to process one batch of messages, retries of its parts included.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		freshness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kustiq_engine_freshness_seconds", Help: "Time from the receipt of a live event to its score being visible.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 3600},
		}),
		reevaluated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kustiq_engine_reevaluated_total", Help: "Customers scored again because time had passed.",
		}),
	}
	err := errors.Join(r.Register(m.signals), r.Register(m.batches), r.Register(m.freshness), r.Register(m.reevaluated))
	for _, o := range []outcome{scored, duplicate, unattributed, erased, retried, gaveUp} {
		m.signals.WithLabelValues(string(o)) // present from the start, so that a rate over it is never missing
	}
	return m, err
}

func (m *metrics) count(o outcome, signals int) {
	m.signals.WithLabelValues(string(o)).Add(float64(signals))
}
