package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/kustiq/kustiq/engine/signal"
)

// renewalsStream keeps what a backfill has to compare once it has all of it. Unlike the other streams it is no queue: a
// worker that takes over reads it from the beginning.
func (b *Bus) renewalsStream(ctx context.Context) (jetstream.Stream, error) {
	s, err := b.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        strings.ToUpper("kustiq_renewals_" + b.region),
		Description: "Kustiq: prices of renewals that backfills compare",
		Subjects:    []string{b.subject("renewals", ">")},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		Storage:     jetstream.FileStorage,
		MaxAge:      signalAge,
		MaxBytes:    b.maxBytes,
		Duplicates:  duplicateWindow,
		Replicas:    b.replicas,
		Placement:   b.placement(),
	})
	if err != nil {
		return nil, fmt.Errorf("bus: stream renewals: %w", err)
	}
	return s, nil
}

// PublishRenewals returns when the renewals of one page of a backfill are on disk.
func (b *Bus) PublishRenewals(ctx context.Context, uid string, page []signal.Renewal) error {
	if len(page) == 0 {
		return nil
	}
	data, err := json.Marshal(page)
	if err != nil {
		return fmt.Errorf("bus: encode renewals: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if _, err := b.js.PublishMsg(ctx, &nats.Msg{Subject: b.subject("renewals", uid), Data: data}); err != nil {
		return unavailable("publish renewals", err)
	}
	return nil
}

// Renewals calls on with every page of a backfill's renewals, in the order in which they were published. A page may come
// twice.
func (b *Bus) Renewals(ctx context.Context, uid string, on func(page []signal.Renewal)) error {
	consumer, err := b.renewals.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{b.subject("renewals", uid)}})
	if err != nil {
		return unavailable("read renewals", err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return unavailable("read renewals", err)
	}
	for left := info.NumPending; left > 0; {
		batch, err := consumer.Fetch(int(min(left, 256)), jetstream.FetchMaxWait(publishTimeout))
		if err != nil {
			return unavailable("read renewals", err)
		}
		got := uint64(0)
		for msg := range batch.Messages() {
			var page []signal.Renewal
			if err := json.Unmarshal(msg.Data(), &page); err != nil {
				return errors.New("bus: renewals that do not decode")
			}
			on(page)
			got++
		}
		if err := batch.Error(); err != nil {
			return unavailable("read renewals", err)
		}
		if got == 0 {
			return unavailable("read renewals", errors.New("fewer than there were"))
		}
		left -= min(got, left)
	}
	return ctx.Err()
}

// RemoveBackfill removes what a backfill keeps on the bus beside its Progress.
func (b *Bus) RemoveBackfill(ctx context.Context, uid string) error {
	for _, list := range []string{"events", "customers", "subscriptions", "invoices", "charges", "disputes"} {
		if err := b.Lists().Delete(ctx, ListKey(uid, list)); err != nil {
			return err
		}
	}
	if err := b.renewals.Purge(ctx, jetstream.WithPurgeSubject(b.subject("renewals", uid))); err != nil {
		return unavailable("remove renewals", err)
	}
	return nil
}
