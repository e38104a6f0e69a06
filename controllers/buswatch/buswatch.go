// Package buswatch lets a change in a bucket of the bus trigger a reconcile.
//
// It owns how long a lost watch is waited for and how controllers back off. It must not know what any bucket means.
package buswatch

import (
	"context"
	"errors"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kustiq/kustiq/internal/bus"
)

// rewatch is how long to wait after a watch was lost. What changed meanwhile is told when it is back: a watch begins
// with every value there is.
const rewatch = 5 * time.Second

// Failing reconciles are repeated after a second at first and never more slowly than the soonest of the regular looks, 5
// minutes less their jitter: what is asked of Stripe every 5 minutes stays so when another step fails.
const (
	backoffFirst = time.Second
	backoffMost  = 270 * time.Second
)

// Map maps a change (nil for a removed key) to what must be reconciled.
type Map[T any] func(ctx context.Context, key string, value *T) []reconcile.Request

// Source watches a bucket for as long as the controller runs. Changes are handed on after delay, and those of the same
// object within it become one.
func Source[T any](name string, bucket *bus.Bucket[T], c clock.Clock, delay time.Duration, requests Map[T]) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		go watch(ctx, name, bucket, c, func(key string, value *T) {
			for _, request := range requests(ctx, key, value) {
				queue.AddAfter(request, delay)
			}
		})
		return nil
	})
}

func watch[T any](ctx context.Context, name string, bucket *bus.Bucket[T], c clock.Clock, on func(string, *T)) {
	for {
		err := bucket.Watch(ctx, on)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("the watch ended")
		}
		log.FromContext(ctx).Error(err, "watching the bus", "bucket", name)
		select {
		case <-ctx.Done():
			return
		case <-c.After(rewatch):
		}
	}
}

// reconcileTimeout bounds one reconcile: a dozen requests to Stripe that all run into their own limit of 10 s.
const reconcileTimeout = 2 * time.Minute

// ControllerOptions are what our controllers have in common.
func ControllerOptions(concurrency int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: concurrency,
		ReconciliationTimeout:   reconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](backoffFirst, backoffMost),
	}
}
