package dashboard

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
)

// counter is a mark that a test moves.
type counter struct {
	mu    sync.Mutex
	mark  string
	err   error
	reads int
}

func (c *counter) read(context.Context, string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	return c.mark, c.err
}

func (c *counter) set(mark string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark, c.err = mark, err
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

// viewer joins a workspace and collects what it is told.
func viewer(t *testing.T, c *changes, seen string) (told <-chan string, leave context.CancelFunc) {
	t.Helper()
	away, ok := c.join("ns/acme")
	if !ok {
		t.Fatal("refused")
	}
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan string, 100)
	go func() {
		defer close(events)
		defer away()
		c.tell(ctx, "ns/acme", seen, func(text string) bool { events <- text; return true })
	}()
	return events, cancel
}

func TestViewersShareOnePollAndHearOfEachChange(t *testing.T) {
	g := NewWithT(t)
	store, clock := &counter{mark: "1.1"}, clocktesting.NewFakeClock(now)
	c := newChanges(store.read, clock, slog.New(slog.DiscardHandler))
	fresh, leaveFresh := viewer(t, c, "")
	known, leaveKnown := viewer(t, c, "1.1")
	g.Eventually(fresh).Should(Receive(Equal("event: changed\nid: 1.1\ndata: 1.1\n\n")))
	g.Consistently(known, "50ms").ShouldNot(Receive(), "it has seen this mark")

	g.Eventually(clock.Waiters).Should(Equal(5), "the poll, and a heartbeat and an end for each viewer")
	reads := store.count()
	store.set("2.1", nil)
	clock.Step(changesEvery)
	g.Eventually(fresh).Should(Receive(ContainSubstring("id: 2.1")))
	g.Eventually(known).Should(Receive(ContainSubstring("id: 2.1")))
	g.Expect(store.count()).To(Equal(reads+1), "one question for both")

	store.set("", errors.New("away"))
	clock.Step(changesEvery)
	g.Eventually(store.count).Should(Equal(reads + 2))
	store.set("3.1", nil)
	clock.Step(changesEvery)
	g.Eventually(fresh).Should(Receive(ContainSubstring("id: 3.1")), "a store that was away is asked on")
	g.Eventually(known).Should(Receive(ContainSubstring("id: 3.1")))

	leaveFresh()
	leaveKnown()
	g.Eventually(fresh).Should(BeClosed())
	g.Eventually(known).Should(BeClosed())
	reads = store.count()
	clock.Step(changesEvery)
	g.Consistently(store.count, "50ms").Should(Equal(reads), "nobody is left, and nothing is asked")
}

func TestAStreamEndsSoThatItsViewerIsAskedAgain(t *testing.T) {
	g := NewWithT(t)
	clock := clocktesting.NewFakeClock(now)
	c := newChanges((&counter{mark: "1.1"}).read, clock, slog.New(slog.DiscardHandler))
	told, _ := viewer(t, c, "1.1")
	g.Eventually(clock.Waiters).Should(Equal(3))
	clock.Step(heartbeatEvery)
	g.Eventually(told).Should(Receive(HavePrefix(":")))
	clock.Step(streamAge)
	g.Eventually(told).Should(BeClosed())

	told, _ = viewer(t, c, "1.1")
	close(c.ended)
	g.Eventually(told).Should(BeClosed(), "the dashboard stops")
}

func TestTooManyViewersAreToldSo(t *testing.T) {
	d := open(t)
	d.dashboard.changes.viewers = maxViewers
	resp := d.do("GET", "/dashboard/churn/changes?workspace=ns/acme", nil)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

func TestTheStreamOverHTTP(t *testing.T) {
	d := open(t)
	server := httptest.NewServer(d.handler)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ask := func(workspace string) *http.Response {
		req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/dashboard/churn/changes?workspace="+workspace, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	other := ask("ns/american")
	_ = other.Body.Close()
	if other.StatusCode != http.StatusNotFound {
		t.Errorf("a workspace of another region: %d", other.StatusCode)
	}
	resp := ask("ns/acme")
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "event: changed") {
			return
		}
	}
	t.Error("no event came")
}
