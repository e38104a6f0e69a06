package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// signalWait is how long a batch may take before its messages are given to somebody else, and so how long the signals
	// wait that an engine had at hand when it died. A batch that took longer after all is known again by the ledger.
	signalWait = 30 * time.Second
	// taskWait is the same for a task, and so how long one waits whose worker has died. While it is worked on, that is
	// told every taskBeat.
	taskWait = 12 * time.Second
	taskBeat = taskWait / 4
	// fetchWait is how long one request for messages stays open at the server.
	fetchWait = 10 * time.Second
	// fetchStep is how many entries are asked for at once. Each may be a bundle.
	fetchStep = 16
	// retryPause keeps a consumer from spinning while the bus is away.
	retryPause = time.Second
)

// Delivery is a message that must be acknowledged, put back or dropped.
type Delivery struct {
	Message Message
	// Attempt counts deliveries of this message, from 1.
	Attempt int
	// Live is false for a backfill's message.
	Live   bool
	bundle *bundle
}

// Ack says that the message's effect is durable.
func (d Delivery) Ack() error { return d.bundle.settle(0) }

// Retry asks for the message again after a while. The messages that came in the same bundle come again with it: their
// events are in the ledger by then.
func (d Delivery) Retry(after time.Duration) error { return d.bundle.settle(max(after, 1)) }

// Drop gives the message up.
func (d Delivery) Drop() error { return d.bundle.settle(0) }

// bundle is an entry of a stream. It is settled with its last message.
type bundle struct {
	msg jetstream.Msg

	mu    sync.Mutex
	left  int
	again time.Duration
}

// settle notes that a message is done with, or is to come again after a while.
func (b *bundle) settle(again time.Duration) error {
	b.mu.Lock()
	b.left--
	if again > 0 && (b.again == 0 || again < b.again) {
		b.again = again
	}
	left, after := b.left, b.again
	b.mu.Unlock()
	switch {
	case left > 0:
		return nil
	case after > 0:
		return acted("put back", b.msg.NakWithDelay(after))
	default:
		return acted("acknowledge", b.msg.Ack())
	}
}

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

// ConsumeSignals calls handle with batches until ctx ends, and then returns its error. Live messages go ahead of a
// flood's surplus, and that ahead of backfill: a batch is only handled when nothing waits that goes ahead of it. Surplus
// and backfill are taken from their partitions by turns.
func (b *Bus) ConsumeSignals(ctx context.Context, opts ConsumeOptions, handle func(context.Context, []Delivery)) error {
	size := opts.MaxBatch
	if size <= 0 {
		size = 256
	}
	order := []<-chan fetched{}
	for _, c := range []class{classLive, classSurplus, classBackfill} {
		batches, err := b.feed(ctx, c, size)
		if err != nil {
			return err
		}
		order = append(order, batches)
	}
	for {
		batch, err := next(ctx, order[0], order[1], order[2])
		if err != nil {
			return err
		}
		// A batch that waited behind others may already be with somebody else; it comes again.
		if b.clock.Since(batch.fetched) < signalWait/2 {
			handle(ctx, batch.deliveries)
		}
	}
}

// next prefers the first channel that has something, and otherwise takes what comes first.
func next(ctx context.Context, first, second, third <-chan fetched) (fetched, error) {
	for _, batches := range []<-chan fetched{first, second, third} {
		select {
		case batch := <-batches:
			return batch, nil
		case <-ctx.Done():
			return fetched{}, ctx.Err()
		default:
		}
	}
	select {
	case batch := <-first:
		return batch, nil
	case batch := <-second:
		return batch, nil
	case batch := <-third:
		return batch, nil
	case <-ctx.Done():
		return fetched{}, ctx.Err()
	}
}

type fetched struct {
	deliveries []Delivery
	fetched    time.Time
}

// feed keeps batches of a stream at hand: one, or one of each partition. Senders of a channel take turns by themselves.
func (b *Bus) feed(ctx context.Context, c class, size int) (<-chan fetched, error) {
	filters := []string{""}
	if c != classLive {
		filters = nil
		for p := range partitions {
			filters = append(filters, b.partition(c, p))
		}
	}
	out := make(chan fetched)
	if c == classLive {
		out = make(chan fetched, 1) // at hand while the next ones are fetched, so that nothing slips in between
	}
	for p, filter := range filters {
		durable := "engine-" + string(c)
		if filter != "" {
			durable += "-" + strconv.Itoa(p)
		}
		consumer, err := b.streams[c].CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: durable, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: signalWait,
			// Messages put back for later count as pending: a limit would let failing ones stop the stream for hours.
			MaxAckPending: -1,
		})
		if err != nil {
			return nil, unavailable("consumer "+durable, err)
		}
		go b.pump(ctx, consumer, size, c != classBackfill, out)
	}
	return out, nil
}

// pump sends what a consumer gives in batches until ctx ends.
func (b *Bus) pump(ctx context.Context, consumer jetstream.Consumer, size int, live bool, out chan<- fetched) {
	for ctx.Err() == nil {
		deliveries := b.fetch(ctx, consumer, size, live)
		at := b.clock.Now()
		for batch := range slices.Chunk(deliveries, size) {
			select {
			case out <- fetched{batch, at}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// fetch waits for at least one bundle and returns the messages of what is there, up to size and the rest of a step.
func (b *Bus) fetch(ctx context.Context, consumer jetstream.Consumer, size int, live bool) (deliveries []Delivery) {
	messages, err := b.receive(ctx, consumer, 1)
	for err == nil && len(messages) > 0 {
		for _, msg := range messages {
			deliveries = append(deliveries, b.open(msg, live)...)
		}
		if len(deliveries) >= size {
			break
		}
		messages, err = waiting(consumer)
	}
	return deliveries
}

// waiting returns a few messages if some are there.
func waiting(consumer jetstream.Consumer) (messages []jetstream.Msg, err error) {
	batch, err := consumer.FetchNoWait(fetchStep)
	if err != nil {
		return nil, err
	}
	for msg := range batch.Messages() {
		messages = append(messages, msg)
	}
	return messages, nil
}

// open returns the messages of a bundle.
func (b *Bus) open(msg jetstream.Msg, live bool) []Delivery {
	var messages []Message
	if err := json.Unmarshal(msg.Data(), &messages); err != nil || len(messages) == 0 {
		b.log.Error("bus: dropped an entry that does not decode", "subject", msg.Subject())
		_ = msg.Term()
		return nil
	}
	whole := &bundle{msg: msg, left: len(messages)}
	number := attempt(msg)
	deliveries := make([]Delivery, len(messages))
	for i, m := range messages {
		deliveries[i] = Delivery{Message: m, Attempt: number, Live: live, bundle: whole}
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

// TaskSlots are how many tasks a worker takes at once, by how long they last. A worker that takes none of one sort has 0.
type TaskSlots struct {
	// LookUps are disputes and re-drives: a request or two each.
	LookUps int
	// Backfills last for minutes and more, and look-ups must not wait behind them.
	Backfills int
}

// ConsumeTasks calls handle for up to so many tasks at once until ctx ends, waits for those under way, and returns the
// context's error. A task that a worker is at is told to the server to be so; one whose worker has died goes to another
// after taskWait.
func (b *Bus) ConsumeTasks(ctx context.Context, slots TaskSlots, handle func(context.Context, TaskDelivery)) error {
	// One consumer used to take all tasks; a work queue allows no other beside it.
	if err := b.tasks.DeleteConsumer(ctx, "worker"); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return unavailable("remove the consumer of an earlier version", err)
	}
	var group sync.WaitGroup
	defer group.Wait()
	for _, sort := range []struct {
		name  string
		slots int
		kinds []TaskKind
	}{{"lookup", slots.LookUps, []TaskKind{TaskDispute, TaskRedrive}}, {"backfill", slots.Backfills, []TaskKind{TaskBackfill}}} {
		var filters []string
		for _, kind := range sort.kinds {
			filters = append(filters, b.subject("task", string(kind)))
		}
		consumer, err := b.tasks.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
			Durable: "worker-" + sort.name, FilterSubjects: filters, AckPolicy: jetstream.AckExplicitPolicy, AckWait: taskWait,
			// Tasks put back for later count as pending.
			MaxAckPending: -1,
		})
		if err != nil {
			return unavailable("consumer worker-"+sort.name, err)
		}
		group.Go(func() { b.consumeTasks(ctx, consumer, sort.slots, handle) })
	}
	<-ctx.Done()
	return ctx.Err()
}

func (b *Bus) consumeTasks(ctx context.Context, consumer jetstream.Consumer, most int, handle func(context.Context, TaskDelivery)) {
	slots := make(chan struct{}, most)
	defer func() {
		for range cap(slots) {
			slots <- struct{}{}
		}
	}()
	for most > 0 {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		delivery, ok := b.fetchTask(ctx, consumer)
		if !ok {
			<-slots
			continue
		}
		go func() {
			defer func() { <-slots }()
			done := make(chan struct{})
			go b.beat(delivery, done)
			defer close(done)
			handle(ctx, delivery)
		}()
	}
}

// beat tells the server that a task is worked on until done is closed.
func (b *Bus) beat(d TaskDelivery, done <-chan struct{}) {
	for {
		timer := b.clock.NewTimer(taskBeat)
		select {
		case <-done:
			timer.Stop()
			return
		case <-timer.C():
			if err := d.msg.InProgress(); err != nil {
				b.log.Warn("bus: tell that a task is worked on", "kind", d.Task.Kind, "error", err)
			}
		}
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
