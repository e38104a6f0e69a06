package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"k8s.io/utils/clock"
)

// ErrUnavailable is returned when the bus cannot take or give anything now: it is down, unreachable or full.
var ErrUnavailable = errors.New("bus: unavailable")

// ErrNoSpace is returned when the disk of the bus is too small for what its streams reserve. Waiting alone does not help.
var ErrNoSpace = errors.New("bus: five streams of this size do not fit into three quarters of its volume: enlarge the volume, or " +
	"give all roles a smaller stream size")

const (
	// partitions spread workspaces over subjects. Those of the surplus and backfill streams are consumed by turns, so that
	// one workspace's flood or history holds up few others. Messages of one partition are written together: with more
	// partitions bundles are smaller and syncs more.
	partitions = 8
	// duplicateWindow is how long JetStream itself knows a message id again; the store's ledger takes over from there.
	duplicateWindow = 10 * time.Minute
	// signalAge bounds how long an engine may be away: Stripe itself keeps retrying for 3 days.
	signalAge = 14 * 24 * time.Hour
	// streamBytes bounds a stream unless told otherwise; a full one refuses, and the receiver answers 503 so that Stripe keeps the
	// events. Five of that size fit into the chart's volume and onto the disk of a laptop.
	streamBytes = 1 << 30
	// publishTimeout bounds how long an acknowledgement is waited for. Stripe gives up after 10 s and more.
	publishTimeout = 5 * time.Second
)

// Options of a connection to the bus.
type Options struct {
	// Server embedded in this process; nil for an external one at URL.
	Server *Server
	// URL of an external NATS server or cluster, and the token it asks for.
	URL, Token string
	// CredsFile has a user's JWT and seed, where the server asks for these instead of a token. CAFile has the certificates that
	// sign the server's; empty for the system's. Nothing is sent to a server without TLS when there is one, or when the URL is
	// of tls://. Both are read at each connection, so that they may be replaced.
	CredsFile, CAFile string
	// Region token, "eu" or "us": nothing of one region is seen from another.
	Region string
	// Replicas of every stream and bucket: 1, or 3 on a cluster.
	Replicas int
	// Placement of every stream and bucket among the servers of an external cluster.
	Placement Placement
	// StreamBytes bounds each of the five streams; 0 means 1 GiB. The server reserves them on its disk.
	StreamBytes int64
	// Name of this client in the server's monitoring.
	Name   string
	Logger *slog.Logger
	// Clock paces retries; nil means the machine's.
	Clock clock.Clock
}

// Placement names the servers that may hold a region's streams and buckets.
type Placement struct {
	// Cluster of a super-cluster; empty for any.
	Cluster string
	// Tags that a server must have, all of them.
	Tags []string
}

// placement is nil when any server will do.
func (b *Bus) placement() *jetstream.Placement {
	if b.place.Cluster == "" && len(b.place.Tags) == 0 {
		return nil
	}
	return &jetstream.Placement{Cluster: b.place.Cluster, Tags: b.place.Tags}
}

// Bus is one region's streams and buckets.
type Bus struct {
	conn     *nats.Conn
	js       jetstream.JetStream
	region   string
	replicas int
	place    Placement
	maxBytes int64
	log      *slog.Logger
	clock    clock.Clock

	// streams of signals by class.
	streams map[class]jetstream.Stream
	tasks   jetstream.Stream
	// renewals of backfills that are being read.
	renewals jetstream.Stream
	buckets  buckets
	live     *committer
	shares   *shares
}

// class is the kind of a stream of signals, and a token of its subjects.
type class string

const (
	classLive class = "live"
	// classSurplus is live, too, but beyond its workspace's share.
	classSurplus  class = "surplus"
	classBackfill class = "backfill"
)

// Open connects and makes streams and buckets where they are missing. It fails with ErrNoSpace when they do not fit.
func Open(ctx context.Context, opts Options) (*Bus, error) {
	if opts.Region == "" || strings.ContainsAny(opts.Region, ".*> ") {
		return nil, errors.New("bus: a region token is needed")
	}
	if opts.Logger == nil || (opts.Server == nil) == (opts.URL == "") {
		return nil, errors.New("bus: a logger and either an embedded server or a URL are needed")
	}
	conn, err := dial(opts)
	if err != nil {
		return nil, fmt.Errorf("bus: connect: %w", err)
	}
	b := &Bus{
		conn: conn, region: opts.Region, replicas: max(1, opts.Replicas), place: opts.Placement,
		maxBytes: cmp.Or(opts.StreamBytes, streamBytes), log: opts.Logger, clock: opts.Clock,
	}
	if b.clock == nil {
		b.clock = clock.RealClock{}
	}
	b.live, b.shares = newCommitter(b.writeBundle, b.clock), newShares(b.clock)
	if err := b.setUp(ctx); err != nil {
		conn.Close()
		var api *jetstream.APIError
		if errors.As(err, &api) && server.ErrorIdentifier(api.ErrorCode) == server.JSStorageResourcesExceededErr {
			err = fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
		return nil, err
	}
	return b, nil
}

func dial(opts Options) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name(opts.Name), nats.MaxReconnects(-1),
		// A publish during an outage must fail at once, so that Stripe keeps the event, not wait in a buffer.
		nats.ReconnectBufSize(-1),
	}
	if opts.Server != nil {
		return opts.Server.connect(options...)
	}
	if opts.CAFile != "" {
		options = append(options, nats.RootCAs(opts.CAFile))
	}
	if opts.CredsFile != "" {
		options = append(options, nats.UserCredentials(opts.CredsFile))
	} else {
		options = append(options, nats.Token(opts.Token))
	}
	return nats.Connect(opts.URL, options...)
}

func (b *Bus) setUp(ctx context.Context) (err error) {
	if b.js, err = jetstream.New(b.conn, jetstream.WithPublishAsyncMaxPending(512)); err != nil {
		return fmt.Errorf("bus: JetStream: %w", err)
	}
	b.streams = map[class]jetstream.Stream{}
	for _, c := range []class{classLive, classSurplus, classBackfill} {
		if b.streams[c], err = b.stream(ctx, string(c)); err != nil {
			return err
		}
	}
	if b.tasks, err = b.stream(ctx, "task"); err != nil {
		return err
	}
	if b.renewals, err = b.renewalsStream(ctx); err != nil {
		return err
	}
	b.buckets, err = openBuckets(ctx, b)
	return err
}

func (b *Bus) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := b.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        strings.ToUpper("kustiq_" + name + "_" + b.region),
		Description: "Kustiq: " + name,
		Subjects:    []string{b.subject(name, ">")},
		Retention:   jetstream.WorkQueuePolicy,
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		MaxAge:      signalAge,
		MaxBytes:    b.maxBytes,
		Duplicates:  duplicateWindow,
		Replicas:    b.replicas,
		Placement:   b.placement(),
	})
	if err != nil {
		return nil, fmt.Errorf("bus: stream %s: %w", name, err)
	}
	return s, nil
}

// Close ends the connection after what was published is flushed.
func (b *Bus) Close() { b.conn.Close() }

// Connected tells whether the bus can be reached now.
func (b *Bus) Connected() bool { return b.conn.IsConnected() }

func (b *Bus) subject(tokens ...string) string {
	return "kustiq." + b.region + "." + strings.Join(tokens, ".")
}

// signalSubject is that of a workspace's partition.
func (b *Bus) signalSubject(c class, workspace string) string {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(workspace))
	return b.partition(c, int(hash.Sum32()%partitions))
}

func (b *Bus) partition(c class, number int) string {
	return b.subject(string(c), strconv.Itoa(number))
}

// unavailable marks an error of the bus itself, so that callers can tell it from a bad message.
func unavailable(op string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnavailable, op, err)
}
