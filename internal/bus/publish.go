package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// PublishLive returns when the message is on disk (and replicated), and says whether the bus is known to have had it
// before. Messages that come at the same time are written together. It fails with ErrUnavailable when
// the bus is down, full, or slower than what comes.
func (b *Bus) PublishLive(ctx context.Context, m Message) (duplicate bool, err error) {
	data, err := encode(m)
	if err != nil {
		return false, err
	}
	class := classLive
	if b.shares.exceeded(m.Workspace) {
		class = classSurplus
	}
	return b.live.commit(ctx, b.signalSubject(class, m.Workspace), data)
}

// PublishBackfill returns when all messages, of one workspace, are on disk. After an error some may be; publishing all
// again is harmless.
func (b *Bus) PublishBackfill(ctx context.Context, messages []Message) error {
	all := make([]encoded, len(messages))
	for i, m := range messages {
		data, err := encode(m)
		if err != nil {
			return err
		}
		all[i] = data
	}
	futures := make([]jetstream.PubAckFuture, 0, len(all)/bundleMessages+1)
	for bundle := range slices.Chunk(all, bundleMessages) {
		message := &nats.Msg{Subject: b.signalSubject(classBackfill, messages[0].Workspace), Data: payload(bundle)}
		future, err := b.js.PublishMsgAsync(message, jetstream.WithMsgID(bundleID(bundle)))
		if err != nil {
			return unavailable("publish", err)
		}
		futures = append(futures, future)
	}
	for _, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			return unavailable("publish", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// writeBundle is the committer's way to the stream.
func (b *Bus) writeBundle(subject string, bundle []encoded) (duplicate bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	message := &nats.Msg{Subject: subject, Data: payload(bundle)}
	ack, err := b.js.PublishMsg(ctx, message, jetstream.WithMsgID(bundleID(bundle)), jetstream.WithRetryAttempts(0))
	if err != nil {
		return false, unavailable("publish", err)
	}
	return ack.Duplicate, nil
}

func encode(m Message) (encoded, error) {
	if m.Workspace == "" || m.empty() {
		return encoded{}, errors.New("bus: a message needs a workspace, and a signal or why there is none")
	}
	data, err := json.Marshal(m)
	if err != nil {
		return encoded{}, fmt.Errorf("bus: encode message of event %s: %w", m.EventID, err)
	}
	return encoded{id: m.id(), data: data}, nil
}

// PublishTask hands work to any one worker. The same id is taken once within ten minutes.
func (b *Bus) PublishTask(ctx context.Context, id string, t Task) error {
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("bus: encode task: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	message := &nats.Msg{Subject: b.subject("task", string(t.Kind)), Data: data}
	if _, err := b.js.PublishMsg(ctx, message, jetstream.WithMsgID(string(t.Kind)+"/"+id)); err != nil {
		return unavailable("publish task", err)
	}
	return nil
}
