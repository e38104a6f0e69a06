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
	// endpointForced is the forcing value that the endpoint was last checked for.
	endpointForced string
	// eventsWritten is when the event counts were last written to the status.
	eventsWritten time.Time
	// unsaved is a token that Stripe has given and the cluster has not taken yet.
	unsaved *tokenstore.Record
}

// probeResult is an answer about the account, and what it was asked with.
type probeResult struct {
	at         time.Time
	generation int64
	forced     string
	account    stripeapi.AccountInfo
	// err is a refusal that a person must mend; failures that may pass are not remembered.
	err error
}

// backoff spaces the attempts at something that keeps failing.
type backoff struct {
	attempts int
	until    time.Time
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
