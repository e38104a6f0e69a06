package controllers

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// scrapeTimeout bounds one look at the cache, which is local.
const scrapeTimeout = time.Second

var connectionsDesc = prometheus.NewDesc("kustiq_connections", "StripeConnections by the status of their Ready condition.", []string{"ready"}, nil)

// connectionsCollector counts what the cache holds whenever it is scraped, so that nothing is counted twice.
type connectionsCollector struct{ reader client.Reader }

func addMetrics(_ context.Context, mgr ctrl.Manager, cfg Config) error {
	if cfg.Metrics == nil {
		return nil
	}
	err := cfg.Metrics.Register(connectionsCollector{reader: mgr.GetCache()})
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return nil
	}
	return err
}

// Describe implements prometheus.Collector.
func (c connectionsCollector) Describe(ch chan<- *prometheus.Desc) { ch <- connectionsDesc }

// Collect implements prometheus.Collector.
func (c connectionsCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var connections v1alpha1.StripeConnectionList
	if err := c.reader.List(ctx, &connections); err != nil {
		ch <- prometheus.NewInvalidMetric(connectionsDesc, err)
		return
	}
	count := map[metav1.ConditionStatus]float64{metav1.ConditionTrue: 0, metav1.ConditionFalse: 0, metav1.ConditionUnknown: 0}
	for i := range connections.Items {
		status := metav1.ConditionUnknown
		if ready := meta.FindStatusCondition(connections.Items[i].Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			status = ready.Status
		}
		count[status]++
	}
	for status, n := range count {
		ch <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, n, string(status))
	}
}
