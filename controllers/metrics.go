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

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
)

// scrapeTimeout bounds one look at the cache, which is local.
const scrapeTimeout = time.Second

var (
	connectionsDesc = prometheus.NewDesc("kustiq_connections",
		"StripeConnections by the status of their Ready condition.", []string{"ready"}, nil)
	errorsDesc = prometheus.NewDesc("kustiq_connections_in_error",
		"StripeConnections that show an ERR_* code in one of their conditions, by code.", []string{"code"}, nil)
	errorDesc = prometheus.NewDesc("kustiq_connection_error",
		"1 while a condition of the StripeConnection shows the ERR_* code; no series otherwise.",
		[]string{"namespace", "name", "condition", "code"}, nil)
)

// connectionsCollector counts what the cache holds whenever it is scraped: nothing is counted twice, and a series goes
// with its resource.
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
func (c connectionsCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- connectionsDesc
	ch <- errorsDesc
	ch <- errorDesc
}

// Collect implements prometheus.Collector.
func (c connectionsCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var connections v1alpha1.StripeConnectionList
	// Not copied: only read, and let go of before this returns.
	if err := c.reader.List(ctx, &connections, client.UnsafeDisableDeepCopy); err != nil {
		ch <- prometheus.NewInvalidMetric(connectionsDesc, err)
		return
	}
	ready := map[metav1.ConditionStatus]float64{metav1.ConditionTrue: 0, metav1.ConditionFalse: 0, metav1.ConditionUnknown: 0}
	inError := map[string]float64{}
	for _, entry := range errcode.All() {
		inError[string(entry.Code)] = 0
	}
	for i := range connections.Items {
		count(ch, &connections.Items[i], ready, inError)
	}
	for status, n := range ready {
		ch <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, n, string(status))
	}
	for code, n := range inError {
		ch <- prometheus.MustNewConstMetric(errorsDesc, prometheus.GaugeValue, n, code)
	}
}

// count adds one connection. Ready only repeats what another condition says, so its code is not a series of its own.
func count(ch chan<- prometheus.Metric, c *v1alpha1.StripeConnection, ready map[metav1.ConditionStatus]float64, inError map[string]float64) {
	status := metav1.ConditionUnknown
	if found := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); found != nil {
		status = found.Status
	}
	ready[status]++
	shown := map[string]bool{}
	for _, condition := range c.Status.Conditions {
		if _, ok := errcode.Lookup(errcode.Code(condition.Reason)); !ok || condition.Type == v1alpha1.ConditionReady {
			continue
		}
		ch <- prometheus.MustNewConstMetric(errorDesc, prometheus.GaugeValue, 1, c.Namespace, c.Name, condition.Type, condition.Reason)
		if !shown[condition.Reason] {
			shown[condition.Reason] = true
			inError[condition.Reason]++
		}
	}
}
