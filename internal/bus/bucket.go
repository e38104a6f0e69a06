package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Errors of buckets.
var (
	// ErrNotFound is returned when a key has no value.
	ErrNotFound = errors.New("bus: not found")
	// ErrExists is returned by Create when a key has a value.
	ErrExists = errors.New("bus: exists already")
	// ErrConflict is returned when a key's value is no longer of the given revision.
	ErrConflict = errors.New("bus: changed by somebody else")
)

// Bucket keeps values of one type by key.
type Bucket[T any] struct {
	kv   jetstream.KeyValue
	name string
}

type buckets struct {
	routes    *Bucket[Route]
	endpoints *Bucket[Endpoint]
	health    *Bucket[Health]
	progress  *Bucket[Progress]
	offers    *Bucket[Offer]
	grants    *Bucket[Grant]
	nonces    *Bucket[Nonce]
	policies  *Bucket[MatchPolicy]
	matches   *Bucket[Matches]
	erasures  *Bucket[Erasure]
	settings  *Bucket[Settings]
	lists     *Bucket[ListProgress]
	budgets   *Bucket[Budget]
	sessions  *Bucket[Session]
}

func openBuckets(ctx context.Context, b *Bus) (all buckets, err error) {
	return all, errors.Join(
		openBucket(ctx, b, &all.routes, "routes", 0),
		openBucket(ctx, b, &all.endpoints, "endpoints", 0),
		openBucket(ctx, b, &all.health, "health", 0),
		openBucket(ctx, b, &all.progress, "progress", 0),
		openBucket(ctx, b, &all.offers, "offers", 0),
		// An OAuth code is good for a few minutes only; a used state only has to be known until it expires.
		openBucket(ctx, b, &all.grants, "grants", 10*time.Minute),
		openBucket(ctx, b, &all.nonces, "nonces", 15*time.Minute),
		openBucket(ctx, b, &all.policies, "match_policies", 0),
		openBucket(ctx, b, &all.matches, "matches", 0),
		openBucket(ctx, b, &all.erasures, "erasures", 0),
		openBucket(ctx, b, &all.settings, "settings", 0),
		openBucket(ctx, b, &all.lists, "lists", 0),
		openBucket(ctx, b, &all.budgets, "budgets", time.Hour),
		openBucket(ctx, b, &all.sessions, "sessions", MaxSession),
	)
}

func openBucket[T any](ctx context.Context, b *Bus, to **Bucket[T], name string, ttl time.Duration) error {
	kv, err := b.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: "kustiq_" + b.region + "_" + name, TTL: ttl, Storage: jetstream.FileStorage, Replicas: b.replicas,
		Placement: b.placement(),
	})
	if err != nil {
		return fmt.Errorf("bus: bucket %s: %w", name, err)
	}
	*to = &Bucket[T]{kv: kv, name: name}
	return nil
}

// Routes by RouteKey.
func (b *Bus) Routes() *Bucket[Route] { return b.buckets.routes }

// Endpoints by ModeToken.
func (b *Bus) Endpoints() *Bucket[Endpoint] { return b.buckets.endpoints }

// Health by connection uid; written by the receiver.
func (b *Bus) Health() *Bucket[Health] { return b.buckets.health }

// Progress by Backfill uid; written by the worker.
func (b *Bus) Progress() *Bucket[Progress] { return b.buckets.progress }

// Offers by connection uid; written by the operator.
func (b *Bus) Offers() *Bucket[Offer] { return b.buckets.offers }

// Grants by connection uid; written by the dashboard, gone after 10 minutes.
func (b *Bus) Grants() *Bucket[Grant] { return b.buckets.grants }

// Nonces of used OAuth states; gone after 15 minutes.
func (b *Bus) Nonces() *Bucket[Nonce] { return b.buckets.nonces }

// MatchPolicies by RouteKey; written by the operator.
func (b *Bus) MatchPolicies() *Bucket[MatchPolicy] { return b.buckets.policies }

// Matches by RouteKey; written by the engine.
func (b *Bus) Matches() *Bucket[Matches] { return b.buckets.matches }

// Erasures by connection uid, written by the operator, or by a name of its own, written by the dashboard; answered by the
// engine.
func (b *Bus) Erasures() *Bucket[Erasure] { return b.buckets.erasures }

// Settings by workspace, "namespace/name"; written by the operator.
func (b *Bus) Settings() *Bucket[Settings] { return b.buckets.settings }

// Lists by ListKey; written by the worker that has the backfill's lease.
func (b *Bus) Lists() *Bucket[ListProgress] { return b.buckets.lists }

// Budgets by RouteKey; written by whoever is about to ask Stripe. One that nobody has used for an hour is gone.
func (b *Bus) Budgets() *Bucket[Budget] { return b.buckets.budgets }

// Sessions by the hash of their id; written by the dashboard, gone MaxSession after their last write.
func (b *Bus) Sessions() *Bucket[Session] { return b.buckets.sessions }

// Get returns a key's value and its revision, or ErrNotFound.
func (k *Bucket[T]) Get(ctx context.Context, key string) (value T, revision uint64, err error) {
	entry, err := k.kv.Get(ctx, key)
	if err != nil {
		return value, 0, k.failure("get", err)
	}
	if err := json.Unmarshal(entry.Value(), &value); err != nil {
		return value, 0, fmt.Errorf("bus: %s holds a value that does not decode", k.name)
	}
	return value, entry.Revision(), nil
}

// Put sets a key's value, whatever it was.
func (k *Bucket[T]) Put(ctx context.Context, key string, value T) (revision uint64, err error) {
	return k.write("put", value, func(data []byte) (uint64, error) { return k.kv.Put(ctx, key, data) })
}

// Create sets a key's value if it has none, else fails with ErrExists.
func (k *Bucket[T]) Create(ctx context.Context, key string, value T) (revision uint64, err error) {
	return k.write("create", value, func(data []byte) (uint64, error) { return k.kv.Create(ctx, key, data) })
}

// Update sets a key's value if it is still of the given revision, else fails with ErrConflict.
func (k *Bucket[T]) Update(ctx context.Context, key string, value T, revision uint64) (uint64, error) {
	return k.write("update", value, func(data []byte) (uint64, error) { return k.kv.Update(ctx, key, data, revision) })
}

func (k *Bucket[T]) write(op string, value T, put func([]byte) (uint64, error)) (uint64, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return 0, fmt.Errorf("bus: encode value for %s: %w", k.name, err)
	}
	revision, err := put(data)
	if err != nil {
		return 0, k.failure(op, err)
	}
	return revision, nil
}

// Delete removes a key; one without a value is no error.
func (k *Bucket[T]) Delete(ctx context.Context, key string) error {
	if err := k.kv.Purge(ctx, key); err != nil {
		return k.failure("delete", err)
	}
	return nil
}

// Claim removes a key if its value is still of the given revision, else fails with ErrConflict: of several callers only
// one succeeds.
func (k *Bucket[T]) Claim(ctx context.Context, key string, revision uint64) error {
	if err := k.kv.Purge(ctx, key, jetstream.LastRevision(revision)); err != nil {
		return k.failure("claim", err)
	}
	return nil
}

// All returns every key and value.
func (k *Bucket[T]) All(ctx context.Context) (map[string]T, error) {
	all := map[string]T{}
	watcher, err := k.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, k.failure("list", err)
	}
	defer func() { _ = watcher.Stop() }()
	for {
		select {
		case entry, ok := <-watcher.Updates():
			if !ok {
				return nil, unavailable("list "+k.name, errors.New("the watch ended"))
			}
			if entry == nil {
				return all, nil
			}
			var value T
			if err := json.Unmarshal(entry.Value(), &value); err != nil {
				return nil, fmt.Errorf("bus: %s holds a value that does not decode", k.name)
			}
			all[entry.Key()] = value
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// WatchKey is Watch for one key.
func (k *Bucket[T]) WatchKey(ctx context.Context, key string, on func(value *T)) error {
	watcher, err := k.kv.Watch(ctx, key)
	if err != nil {
		return k.failure("watch", err)
	}
	return k.follow(ctx, watcher, func(_ string, value *T) { on(value) })
}

// Watch calls on with every value there is and then with every change, nil for a removed key, until ctx ends; it then
// returns the context's error. It goes on by itself after a lost connection.
func (k *Bucket[T]) Watch(ctx context.Context, on func(key string, value *T)) error {
	watcher, err := k.kv.WatchAll(ctx)
	if err != nil {
		return k.failure("watch", err)
	}
	return k.follow(ctx, watcher, on)
}

func (k *Bucket[T]) follow(ctx context.Context, watcher jetstream.KeyWatcher, on func(key string, value *T)) error {
	defer func() { _ = watcher.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case entry, ok := <-watcher.Updates():
			switch {
			case !ok && ctx.Err() != nil:
				return ctx.Err()
			case !ok:
				return unavailable("watch "+k.name, errors.New("the watch ended"))
			case entry == nil: // all initial values were given
			case entry.Operation() != jetstream.KeyValuePut:
				on(entry.Key(), nil)
			default:
				var value T
				if err := json.Unmarshal(entry.Value(), &value); err != nil {
					return fmt.Errorf("bus: %s holds a value that does not decode", k.name)
				}
				on(entry.Key(), &value)
			}
		}
	}
}

func (k *Bucket[T]) failure(op string, err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return ErrNotFound
	case errors.Is(err, jetstream.ErrKeyExists) && op == "create":
		return ErrExists
	case errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
		return ErrConflict
	}
	return unavailable(op+" "+k.name, err)
}
