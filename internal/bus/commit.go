package bus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// A bundle is one entry of a stream with several messages of one partition, which cost one write and one sync together.
const (
	// bundleMessages and bundleBytes bound it: small enough that a batch of the engine is not much more than it asked for.
	bundleMessages = 64
	bundleBytes    = 256 << 10
	// waitingMessages bounds what waits for its write. Beyond it, callers are refused: waiting longer than Stripe does
	// helps nobody.
	waitingMessages = 16384
)

// errSaturated says that messages come faster than they can be written.
var errSaturated = errors.New("too many messages wait to be written")

// encoded is a message ready to be written.
type encoded struct {
	id   string
	data []byte
}

// write makes one bundle durable and says whether the stream already had it. It ends by itself in publishTimeout.
type write func(subject string, bundle []encoded) (duplicate bool, err error)

// committer writes messages that come at the same time together: while one bundle is written, what else comes waits for
// the next of its subject. A message that comes alone is written at once. Subjects take turns. All bundles go into one
// file, each with a sync: two at a time would not be written sooner, only hold less.
type committer struct {
	write write
	clock clock.PassiveClock

	mu      sync.Mutex
	queues  map[string][]*commit
	waiting int
	// turns are the subjects of the queues in the order in which they are next.
	turns   []string
	writing bool
}

type commit struct {
	encoded
	// since is when it began to wait.
	since time.Time
	done  chan struct{}
	// duplicate and err are set before done is closed.
	duplicate bool
	err       error
}

func newCommitter(w write, c clock.PassiveClock) *committer {
	return &committer{write: w, clock: c, queues: map[string][]*commit{}}
}

// commit returns when the message is durable, or when ctx ends; then it may still become so.
func (c *committer) commit(ctx context.Context, subject string, m encoded) (duplicate bool, err error) {
	own := &commit{encoded: m, since: c.clock.Now(), done: make(chan struct{})}
	if !c.queue(subject, own) {
		return false, unavailable("publish", errSaturated)
	}
	select {
	case <-own.done:
		return own.duplicate, own.err
	case <-ctx.Done():
		return false, unavailable("publish", ctx.Err())
	}
}

// queue has a message written; false when too many wait.
func (c *committer) queue(subject string, own *commit) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting >= waitingMessages {
		return false
	}
	c.waiting++
	if len(c.queues[subject]) == 0 {
		c.turns = append(c.turns, subject)
	}
	c.queues[subject] = append(c.queues[subject], own)
	if !c.writing {
		c.writing = true
		go c.empty()
	}
	return true
}

// empty writes bundle after bundle until nothing waits. They hold messages of many callers and end with the patience of
// none.
func (c *committer) empty() {
	for {
		subject, bundle := c.take()
		if len(bundle) == 0 {
			return
		}
		var duplicate bool
		// The first has waited longest. After the time of one write its sender should try again elsewhere, or later.
		err := unavailable("publish", errSaturated)
		if c.clock.Since(bundle[0].since) < publishTimeout {
			duplicate, err = c.writeAll(subject, bundle)
		}
		for _, own := range bundle {
			own.duplicate, own.err = duplicate, err
			close(own.done)
		}
	}
}

func (c *committer) writeAll(subject string, bundle []*commit) (duplicate bool, err error) {
	messages := make([]encoded, len(bundle))
	for i, own := range bundle {
		messages[i] = own.encoded
	}
	return c.write(subject, messages)
}

// take removes the next bundle from the subject whose turn it is. Without one nobody writes any more.
func (c *committer) take() (subject string, bundle []*commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.turns) == 0 {
		c.writing = false
		return "", nil
	}
	subject = c.turns[0]
	c.turns = c.turns[1:]
	waiting := c.queues[subject]
	n, bytes := 0, 0
	for n < min(len(waiting), bundleMessages) && (n == 0 || bytes+len(waiting[n].data) <= bundleBytes) {
		bytes += len(waiting[n].data)
		n++
	}
	c.waiting -= n
	if n == len(waiting) {
		delete(c.queues, subject)
	} else {
		c.queues[subject] = waiting[n:]
		c.turns = append(c.turns, subject)
	}
	return subject, waiting[:n:n]
}

// bundleID names a bundle by its messages, so that the stream knows one again that is published twice.
func bundleID(bundle []encoded) string {
	if len(bundle) == 1 {
		return bundle[0].id
	}
	hash := sha256.New()
	for _, m := range bundle {
		_, _ = hash.Write([]byte(m.id))
		_, _ = hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// payload is a JSON array of the bundle's messages.
func payload(bundle []encoded) []byte {
	size := 1
	for _, m := range bundle {
		size += len(m.data) + 1
	}
	out := make([]byte, 0, size)
	for i, m := range bundle {
		separator := byte(',')
		if i == 0 {
			separator = '['
		}
		out = append(append(out, separator), m.data...)
	}
	return append(out, ']')
}
