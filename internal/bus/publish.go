package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// PublishLive returns when the message is on disk (and replicated), and says whether the bus already had it. It fails
// with ErrUnavailable when the bus is down or full.
func (b *Bus) PublishLive(ctx context.Context, m Message) (duplicate bool, err error) {
	message, err := b.encode("live", m)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, message, jetstream.WithMsgID(m.id()), jetstream.WithRetryAttempts(0))
	if err != nil {
		return false, unavailable("publish", err)
	}
	return ack.Duplicate, nil
}

// PublishBackfill returns when all messages are on disk. After an error some may be; publishing all again is harmless.
func (b *Bus) PublishBackfill(ctx context.Context, messages []Message) error {
	futures := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, m := range messages {
		message, err := b.encode("backfill", m)
		if err != nil {
			return err
		}
		future, err := b.js.PublishMsgAsync(message, jetstream.WithMsgID(m.id()))
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

func (b *Bus) encode(stream string, m Message) (*nats.Msg, error) {
	if m.Workspace == "" || len(m.Signals) == 0 {
		return nil, errors.New("bus: a message needs a workspace and a signal")
	}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("bus: encode message of event %s: %w", m.EventID, err)
	}
	return &nats.Msg{Subject: b.signalSubject(stream, m), Data: data}, nil
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
