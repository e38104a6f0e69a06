package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/retry"
)

const (
	// slots is how many deliveries are under way at once, slotsEach how many of them to one receiver: one that does not
	// answer keeps these busy and no others.
	slots, slotsEach = 64, 4
	// lease is how long a delivery is left to who has claimed it. An attempt takes 10 s at most.
	lease = time.Minute
	// maxIdle is how long the outbox is left alone: another process's events and re-sends wake nobody here.
	maxIdle = 5 * time.Second
	// settleTime bounds how long the end of an attempt may take to be written down.
	settleTime = 10 * time.Second
)

// Outbox is where events wait; *store.Store is one.
type Outbox interface {
	ClaimDeliveries(ctx context.Context, limit int, lease time.Duration, except []string) (claimed []store.Delivery, more bool, err error)
	SettleDelivery(ctx context.Context, d store.Delivery) (ok bool, err error)
	NextDelivery(ctx context.Context) (at time.Time, ok bool, err error)
}

// Receivers knows where events go now.
type Receivers interface {
	// Receiver is a workspace's receiver of an id; ok is false when there is none, or it cannot be read.
	Receiver(workspace, id string) (to Receiver, ok bool)
}

// Options of a Deliverer. AllowedNetworks, Resolver and RootCAs may be left out.
type Options struct {
	Outbox    Outbox
	Receivers Receivers
	Clock     clock.WithTicker
	Logger    *slog.Logger
	Metrics   prometheus.Registerer
	// AllowedNetworks are inside and may be reached all the same, by plain HTTP too.
	AllowedNetworks []netip.Prefix
	// Resolver looks up names, and RootCAs sign the receivers' certificates; nil stands for the system's.
	Resolver *net.Resolver
	RootCAs  *x509.CertPool
}

// Deliverer sends what is in the outbox. Any number of them may share one.
type Deliverer struct {
	outbox    Outbox
	receivers Receivers
	clock     clock.WithTicker
	logger    *slog.Logger
	metrics   *metrics
	sender    *sender

	// wake has a value when there may be something to send.
	wake    chan struct{}
	flights sync.WaitGroup

	mu sync.Mutex
	// flying counts the deliveries under way by receiver.
	flying map[string]int
	total  int
}

// NewDeliverer checks the options and registers the metrics; Run starts the work.
func NewDeliverer(o Options) (*Deliverer, error) {
	if o.Outbox == nil || o.Receivers == nil || o.Clock == nil || o.Logger == nil || o.Metrics == nil {
		return nil, errors.New("new deliverer: outbox, receivers, clock, logger and a metrics registry are needed")
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("new deliverer: %w", err)
	}
	return &Deliverer{
		outbox: o.Outbox, receivers: o.Receivers, clock: o.Clock, logger: o.Logger.With("component", "notify"), metrics: m,
		sender: newSender(o.AllowedNetworks, o.Resolver, o.RootCAs), wake: make(chan struct{}, 1), flying: map[string]int{},
	}, nil
}

// Announced counts deliveries of a type that were put into the outbox, and has them sent at once.
func (d *Deliverer) Announced(eventType string, n int) {
	d.metrics.events.WithLabelValues(eventType).Add(float64(n))
	d.stir()
}

func (d *Deliverer) stir() {
	select {
	case d.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run sends until ctx ends, and returns when what was under way has come back: with it the context ends every attempt,
// and one that was cut short is made again when its claim is over.
func (d *Deliverer) Run(ctx context.Context) error {
	defer d.flights.Wait()
	for {
		timer := d.clock.NewTimer(d.turn(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-d.wake:
			timer.Stop()
		case <-timer.C():
		}
	}
}

// turn starts all that is due and for which there is room, and returns for how long there is nothing to start.
func (d *Deliverer) turn(ctx context.Context) (wait time.Duration) {
	for ctx.Err() == nil {
		room, busy := d.room()
		if room == 0 {
			return maxIdle // whoever lands wakes us
		}
		claimed, more, err := d.outbox.ClaimDeliveries(ctx, room, lease, busy)
		if err != nil {
			d.logger.Warn("the outbox cannot be read and is looked at again", "after", maxIdle, "error", err)
			return maxIdle
		}
		for _, delivery := range claimed {
			d.start(ctx, delivery)
		}
		if !more {
			break
		}
	}
	next, ok, err := d.outbox.NextDelivery(ctx)
	if err != nil || !ok {
		return maxIdle
	}
	return min(max(next.Sub(d.clock.Now()), time.Second), maxIdle)
}

// room is how many deliveries may be started, and the receivers that have no more room.
func (d *Deliverer) room() (room int, busy []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for endpoint, n := range d.flying {
		if n >= slotsEach {
			busy = append(busy, endpoint)
		}
	}
	return min(slots-d.total, slotsEach), busy
}

// start makes an attempt on its own.
func (d *Deliverer) start(ctx context.Context, delivery store.Delivery) {
	d.mu.Lock()
	d.flying[delivery.Endpoint]++
	d.total++
	d.mu.Unlock()
	d.flights.Go(func() {
		defer func() {
			d.mu.Lock()
			d.total--
			if d.flying[delivery.Endpoint]--; d.flying[delivery.Endpoint] == 0 {
				delete(d.flying, delivery.Endpoint)
			}
			d.mu.Unlock()
			d.stir()
		}()
		d.deliver(ctx, delivery)
	})
}

// deliver makes one attempt and writes down how it ended.
func (d *Deliverer) deliver(ctx context.Context, delivery store.Delivery) {
	started := d.clock.Now()
	code, why := 0, failedNoReceiver
	if to, ok := d.receivers.Receiver(delivery.Workspace, delivery.Endpoint); ok {
		code, why = d.sender.send(ctx, to, delivery.MessageID, delivery.Body, started)
	}
	if ctx.Err() != nil && why != failedNone {
		return // cut short by the shutdown: nobody knows what it would have come to
	}
	d.metrics.seconds.Observe(d.clock.Since(started).Seconds())
	delivery.ResponseCode, delivery.Failure = code, string(why)
	outcome := d.judge(&delivery, why)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	ok, err := d.outbox.SettleDelivery(ctx, delivery)
	if err != nil {
		d.logger.Warn("how a delivery ended cannot be written down; it is made again", "delivery", delivery.Seq,
			"workspace", delivery.Workspace, "error", err)
		return
	}
	if !ok {
		return // erased meanwhile, or made again by somebody else
	}
	d.metrics.deliveries.WithLabelValues(string(outcome)).Inc()
	if why != failedNone {
		d.logger.Warn("a churn event was not delivered", "delivery", delivery.Seq, "workspace", delivery.Workspace,
			"host", delivery.Host, "type", delivery.EventType, "attempt", delivery.Attempts, "failure", delivery.Failure,
			"code", code, "outcome", string(outcome))
	}
}

// judge decides what becomes of a delivery after an attempt. A receiver that says 410 Gone wants it no more.
func (d *Deliverer) judge(delivery *store.Delivery, why failure) outcome {
	switch {
	case why == failedNone:
		delivery.Status = store.DeliveryDelivered
		return delivered
	case delivery.Attempts > retry.Tries, delivery.ResponseCode == http.StatusGone:
		delivery.Status = store.DeliveryGivenUp
		return gaveUp
	}
	delivery.NextAt = d.clock.Now().Add(retry.Pause(delivery.Attempts))
	return retried
}
