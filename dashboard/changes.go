package dashboard

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const (
	// changesEvery is how often the store is asked about a workspace that somebody looks at, and so also how often a
	// page can be told.
	changesEvery = time.Second
	// heartbeatEvery keeps proxies from closing a quiet stream, and finds out who has gone.
	heartbeatEvery = 15 * time.Second
	// streamAge ends a stream. The browser opens another one, and is asked again who it is and what it may see.
	streamAge = 5 * time.Minute
	// maxViewers bounds the streams of one dashboard. Who comes after them has a page that does not change by itself.
	maxViewers = 2000
)

// changes tells viewers that something of a workspace has changed. All viewers of a workspace share one poll.
type changes struct {
	read  func(ctx context.Context, workspace string) (mark string, err error)
	clock clock.WithTicker
	log   *slog.Logger
	// ended is closed when the dashboard stops.
	ended chan struct{}

	mu      sync.Mutex
	viewers int
	watches map[string]*watch
}

// watch is what is known of one workspace that somebody looks at.
type watch struct {
	viewers int
	stop    context.CancelFunc
	// mark is empty until the store has answered.
	mark string
	// moved is closed when mark is another one, and then replaced.
	moved chan struct{}
}

func newChanges(read func(context.Context, string) (string, error), c clock.WithTicker, log *slog.Logger) *changes {
	return &changes{read: read, clock: c, log: log, ended: make(chan struct{}), watches: map[string]*watch{}}
}

// Run keeps the streams of pages until ctx ends, and then ends them, since a server does not stop before they do.
func (d *Dashboard) Run(ctx context.Context) error {
	<-ctx.Done()
	close(d.changes.ended)
	return ctx.Err()
}

// join adds a viewer; ok is false when there are too many.
func (c *changes) join(workspace string) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.viewers >= maxViewers {
		return nil, false
	}
	c.viewers++
	w := c.watches[workspace]
	if w == nil {
		ctx, stop := context.WithCancel(context.Background())
		w = &watch{stop: stop, moved: make(chan struct{})}
		c.watches[workspace] = w
		go c.poll(ctx, workspace, w)
	}
	w.viewers++
	return func() { c.leave(workspace) }, true
}

func (c *changes) leave(workspace string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.viewers--
	w := c.watches[workspace]
	if w.viewers--; w.viewers == 0 {
		w.stop()
		delete(c.watches, workspace)
	}
}

// now returns the workspace's mark, and what is closed when it is another one.
func (c *changes) now(workspace string) (mark string, moved <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.watches[workspace]
	return w.mark, w.moved
}

// poll follows the workspace's mark until its last viewer has left.
func (c *changes) poll(ctx context.Context, workspace string, w *watch) {
	ticker := c.clock.NewTicker(changesEvery)
	defer ticker.Stop()
	for failing := false; ; {
		mark, err := c.read(ctx, workspace)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			c.log.Warn("dashboard: pages do not change by themselves while the store does not answer", "error", err)
		case err == nil:
			c.note(w, mark)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-c.ended:
			return
		case <-ticker.C():
		}
	}
}

func (c *changes) note(w *watch, mark string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.mark != mark {
		w.mark = mark
		close(w.moved)
		w.moved = make(chan struct{})
	}
}

// churnChanges is the stream of one page. Its events say that something changed and no more: what, the page asks for
// itself. An event's id is the mark, so that a browser that comes back misses nothing and is told nothing twice.
func (d *Dashboard) churnChanges(w http.ResponseWriter, r *http.Request) {
	_, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	leave, ok := d.changes.join(workspace)
	if !ok {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "too many pages are open: reload this one to see what has changed", http.StatusServiceUnavailable)
		return
	}
	defer leave()
	seen := r.Header.Get("Last-Event-ID")
	if seen == "" {
		seen = r.URL.Query().Get("since")
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // a server's limit is for answers that end; without one there is nothing to lift
	if _, err := fmt.Fprint(w, "retry: 3000\n\n"); err != nil || out.Flush() != nil {
		return
	}
	d.changes.tell(r.Context(), workspace, seen, func(text string) bool {
		_, err := fmt.Fprint(w, text)
		return err == nil && out.Flush() == nil
	})
}

// tell writes events until the viewer goes, the stream is old enough, or the dashboard stops.
func (c *changes) tell(ctx context.Context, workspace, seen string, write func(text string) bool) {
	heartbeat := c.clock.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	old := c.clock.NewTimer(streamAge)
	defer old.Stop()
	for {
		mark, moved := c.now(workspace)
		if mark != "" && mark != seen {
			seen = mark
			if !write("event: changed\nid: " + mark + "\ndata: " + mark + "\n\n") {
				return
			}
		}
		select {
		case <-moved:
		case <-heartbeat.C():
			if !write(": still here\n\n") {
				return
			}
		case <-ctx.Done():
			return
		case <-old.C():
			return
		case <-c.ended:
			return
		}
	}
}
