package stripeconnection

import (
	"sync"
	"time"

	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
)

// memory is what the controller remembers of a connection between two reconciles. All of it may be lost at any time:
// what is lost is asked for again.
type memory struct {
	mu          sync.Mutex
	connections map[string]remembered
}

// remembered is one connection's part.
type remembered struct {
	// probe is the last answer about the account; nil when it was not asked yet.
	probe *probeResult
	// rotation is the state of failing rotations; zero while they succeed.
	rotation backoff
	// eventsWritten is when the event counts were last written to the status.
	eventsWritten time.Time
	// claim is the last rejected event that Stripe was asked for.
	claim claimedEvent
	// granted is what Stripe has given for a code and was not judged yet.
	granted *stripeapi.Token
	// unsaved is a token that Stripe has given and the cluster has not taken yet.
	unsaved *tokenstore.Record
}

// probeResult is an answer about the account, and what it was asked with.
type probeResult struct {
	at         time.Time
	generation int64
	account    stripeapi.AccountInfo
	// err is a refusal that a person must mend; failures that may pass are not remembered.
	err error
}

// claimedEvent is an event that a rejected request claimed to be, and whether Stripe knows it.
type claimedEvent struct {
	event string
	known bool
	at    time.Time
}

// backoff spaces the attempts at something that keeps failing.
type backoff struct {
	attempts int
	until    time.Time
	// spentKeys counts the idempotency keys under which Stripe keeps an answer that is of no use.
	spentKeys int
}

func newMemory() *memory { return &memory{connections: map[string]remembered{}} }

func (m *memory) of(uid string) remembered {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.connections[uid]
}

func (m *memory) change(uid string, change func(*remembered)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.connections[uid]
	change(&r)
	m.connections[uid] = r
}

func (m *memory) forget(uid string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.connections, uid)
}
