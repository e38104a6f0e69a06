package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// ackWait is how long a batch may take before its messages are given to somebody else.
	ackWait = 2 * time.Minute
	// fetchWait is how long one request for messages stays open at the server.
	fetchWait = 10 * time.Second
	// retryPause keeps a consumer from spinning while the bus is away.
	retryPause = time.Second
)

// Delivery is a message that must be acknowledged, put back or dropped.
type Delivery struct {
	Message Message
	// Attempt counts deliveries of this message, from 1.
	Attempt int
	// Live is false for a backfill's message.
	Live bool
	msg  jetstream.Msg
}

// Ack says that the message's effect is durable.
func (d Delivery) Ack() error { return acted("acknowledge", d.msg.Ack()) }

// Retry asks for the message again after a while.
func (d Delivery) Retry(after time.Duration) error {
	return acted("put back", d.msg.NakWithDelay(after))
}

// Drop gives the message up.
func (d Delivery) Drop() error { return acted("drop", d.msg.Term()) }

func acted(what string, err error) error {
	if err != nil {
		return unavailable(what, err)
	}
	return nil
}

// ConsumeOptions of ConsumeSignals.
type ConsumeOptions struct {
	// MaxBatch bounds a batch. Default 256.
	MaxBatch int
}

// ConsumeSignals calls handle with batches until ctx ends, and then returns its error. Live messages go ahead of
// backfill: a batch of backfill is only handled when no live message waits.
func (b *Bus) ConsumeSignals(ctx context.Context, opts ConsumeOptions, handle func(context.Context, []Delivery)) error {
	size := opts.MaxBatch
	if size <= 0 {
		size = 256
	}
	live, err := b.feed(ctx, b.live, "engine-live", size, true)
	if err != nil {
		return err
	}
	backfill, err := b.feed(ctx, b.backfill, "engine-backfill", size, false)
	if err != nil {
		return err
	}
	for {
		batch, err := next(ctx, live, backfill)
		if err != nil {
			return err
		}
		// A batch that waited behind live ones may already be with somebody else; it comes again.
		if b.clock.Since(batch.fetched) < ackWait/2 {
			handle(ctx, batch.deliveries)
		}
	}
}

// next prefers live and otherwise takes what comes first.
func next(ctx context.Context, live, backfill <-chan fetched) (fetched, error) {
	select {
	case batch := <-live:
		return batch, nil
	case <-ctx.Done():
		return fetched{}, ctx.Err()
	default:
	}
	select {
	case batch := <-live:
		return batch, nil
	case batch := <-backfill:
		return batch, nil
	case <-ctx.Done():
		return fetched{}, ctx.Err()
	}
}

type fetched struct {
	deliveries []Delivery
	fetched    time.Time
}

// feed keeps one batch of a stream at hand.
func (b *Bus) feed(ctx context.Context, stream jetstream.Stream, durable string, size int, live bool) (<-chan fetched, error) {
	consumer, err := stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait,
		// Messages put back for later count as pending: a limit would let failing ones stop the stream for hours.
		MaxAckPending: -1,
	})
	if err != nil {
		return nil, unavailable("consumer "+durable, err)
	}
	out := make(chan fetched)
	go func() {
		for ctx.Err() == nil {
			deliveries := b.fetch(ctx, consumer, size, live)
			if len(deliveries) == 0 {
				continue
			}
			select {
			case out <- fetched{deliveries, b.clock.Now()}:
			case <-ctx.Done():
			}
		}
	}()
	return out, nil
}

// fetch waits for at least one message and returns with all that are there, up to size.
func (b *Bus) fetch(ctx context.Context, consumer jetstream.Consumer, size int, live bool) []Delivery {
	first, err := b.receive(ctx, consumer, 1)
	if err != nil || len(first) == 0 {
		return nil
	}
	rest, err := consumer.FetchNoWait(size - 1)
	if err == nil {
		for msg := range rest.Messages() {
			first = append(first, msg)
		}
	}
	deliveries := make([]Delivery, 0, len(first))
	for _, msg := range first {
		d := Delivery{Live: live, Attempt: attempt(msg), msg: msg}
		if err := json.Unmarshal(msg.Data(), &d.Message); err != nil {
			b.log.Error("bus: dropped a message that does not decode", "subject", msg.Subject())
			_ = msg.Term()
			continue
		}
		deliveries = append(deliveries, d)
	}
	return deliveries
}

// receive waits for up to n messages; none is no error. While the bus is away it pauses.
func (b *Bus) receive(ctx context.Context, consumer jetstream.Consumer, n int) ([]jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	batch, err := consumer.Fetch(n, jetstream.FetchContext(ctx))
	if err != nil {
		return nil, b.pause(ctx, err)
	}
	var messages []jetstream.Msg
	for msg := range batch.Messages() {
		messages = append(messages, msg)
	}
	if err := batch.Error(); err != nil && len(messages) == 0 && !errors.Is(err, context.DeadlineExceeded) {
		return nil, b.pause(ctx, err)
	}
	return messages, nil
}

func (b *Bus) pause(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
	case <-b.clock.After(retryPause):
	}
	return err
}

func attempt(msg jetstream.Msg) int {
	meta, err := msg.Metadata()
	if err != nil {
		return 1
	}
	return int(meta.NumDelivered)
}

// TaskDelivery is a task that must be acknowledged or put back.
type TaskDelivery struct {
	Task Task
	// Attempt counts deliveries of this task, from 1.
	Attempt int
	msg     jetstream.Msg
}

// Ack says that the task is done.
func (d TaskDelivery) Ack() error { return acted("acknowledge", d.msg.Ack()) }

// Retry asks for the task again after a while.
func (d TaskDelivery) Retry(after time.Duration) error {
	return acted("put back", d.msg.NakWithDelay(after))
}

// InProgress tells that the task is still worked on; without it another worker gets it after two minutes.
func (d TaskDelivery) InProgress() error { return acted("keep", d.msg.InProgress()) }

// ConsumeTasks calls handle for up to concurrency tasks at once until ctx ends, waits for those under way, and returns
// the context's error.
func (b *Bus) ConsumeTasks(ctx context.Context, concurrency int, handle func(context.Context, TaskDelivery)) error {
	consumer, err := b.tasks.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: 1024,
	})
	if err != nil {
		return unavailable("consumer worker", err)
	}
	slots := make(chan struct{}, max(1, concurrency))
	defer func() {
		for range cap(slots) {
			slots <- struct{}{}
		}
	}()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		delivery, ok := b.fetchTask(ctx, consumer)
		if !ok {
			<-slots
			continue
		}
		go func() {
			defer func() { <-slots }()
			handle(ctx, delivery)
		}()
	}
}

func (b *Bus) fetchTask(ctx context.Context, consumer jetstream.Consumer) (TaskDelivery, bool) {
	if ctx.Err() != nil {
		return TaskDelivery{}, false
	}
	messages, err := b.receive(ctx, consumer, 1)
	if err != nil || len(messages) == 0 {
		return TaskDelivery{}, false
	}
	d := TaskDelivery{Attempt: attempt(messages[0]), msg: messages[0]}
	if err := json.Unmarshal(messages[0].Data(), &d.Task); err != nil {
		b.log.Error("bus: dropped a task that does not decode", "error", fmt.Sprintf("%T", err))
		_ = messages[0].Term()
		return TaskDelivery{}, false
	}
	return d, true
}
