package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/engine/signal"
)

var key = bytes.Repeat([]byte{7}, 32)

type harness struct {
	t      *testing.T
	dir    string
	server *Server
	bus    *Bus
	clock  *clocktesting.FakeClock
}

func start(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, dir: t.TempDir(), clock: clocktesting.NewFakeClock(time.Unix(1e9, 0))}
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *harness) open() {
	h.t.Helper()
	var err error
	log := slog.New(slog.DiscardHandler)
	if h.server, err = StartServer(h.t.Context(), ServerOptions{Dir: h.dir, EncryptionKey: key, Logger: log}); err != nil {
		h.t.Fatal(err)
	}
	if h.bus, err = Open(h.t.Context(), Options{Server: h.server, Region: "eu", Logger: log, Clock: h.clock}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) close() {
	h.bus.Close()
	_ = h.server.Close()
}

func message(event, customer string) Message {
	return Message{
		Workspace: "ns/w.x", Connection: "uid", Account: "acct_1", Livemode: true, EventID: event,
		Signals: []signal.Signal{{ID: event, Kind: signal.PaymentFailed, Customer: customer}},
	}
}

// consume handles batches until done says so.
func (h *harness) consume(handle func([]Delivery) (done bool)) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	err := h.bus.ConsumeSignals(ctx, ConsumeOptions{MaxBatch: 100}, func(_ context.Context, batch []Delivery) {
		if handle(batch) {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		h.t.Fatalf("consume: %v", err)
	}
}

func (h *harness) publish(m Message) (duplicate bool) {
	h.t.Helper()
	duplicate, err := h.bus.PublishLive(h.t.Context(), m)
	if err != nil {
		h.t.Fatal(err)
	}
	return duplicate
}

func TestAMessageSurvivesARestartEncryptedAndOnce(t *testing.T) {
	h := start(t)
	if h.publish(message("evt_1", "cus_marker")) {
		t.Error("the first is no duplicate")
	}
	if !h.publish(message("evt_1", "cus_marker")) {
		t.Error("the second is a duplicate")
	}
	h.close()
	_ = filepath.WalkDir(h.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if data, err := os.ReadFile(path); err != nil || bytes.Contains(data, []byte("cus_marker")) {
			t.Errorf("%s holds the message in the clear (%v)", entry.Name(), err)
		}
		return nil
	})
	h.open()
	var got []Delivery
	h.consume(func(batch []Delivery) bool {
		got = append(got, batch...)
		if err := batch[0].Ack(); err != nil {
			t.Error(err)
		}
		return true
	})
	if len(got) != 1 || got[0].Message.EventID != "evt_1" || got[0].Attempt != 1 || !got[0].Live {
		t.Errorf("got %+v", got)
	}
}

func TestARedriveIsNoDuplicateOfItsEvent(t *testing.T) {
	h := start(t)
	m := message("evt_1", "cus_1")
	h.publish(m)
	m.Redrive = 1
	if h.publish(m) {
		t.Error("the first re-drive is taken for the event")
	}
	if !h.publish(m) {
		t.Error("the same re-drive twice is a duplicate")
	}
	m.Redrive = 2
	if h.publish(m) {
		t.Error("a later re-drive is taken for the first")
	}
	if _, err := h.bus.PublishLive(t.Context(), Message{Workspace: "ns/w"}); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("a message that says nothing: %v", err)
	}
}

func TestAnotherKeyDoesNotOpenTheFiles(t *testing.T) {
	h := start(t)
	h.publish(message("evt_1", "cus_1"))
	h.close()
	other := bytes.Repeat([]byte{8}, 32)
	server, err := StartServer(t.Context(), ServerOptions{Dir: h.dir, EncryptionKey: other, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		_ = server.Close()
		t.Error("opened with a wrong key")
	}
	h.open()
}

func TestBothStreamsArrive(t *testing.T) {
	h := start(t)
	if err := h.bus.PublishBackfill(t.Context(), []Message{message("b1", "cus_1"), message("b2", "cus_2")}); err != nil {
		t.Fatal(err)
	}
	h.publish(message("l1", "cus_1"))
	seen := map[string]bool{}
	h.consume(func(batch []Delivery) bool {
		for _, d := range batch {
			seen[d.Message.EventID] = d.Live
			if err := d.Ack(); err != nil {
				t.Error(err)
			}
		}
		return len(seen) == 3
	})
	if !seen["l1"] || seen["b1"] || seen["b2"] {
		t.Errorf("live: %v", seen)
	}
}

func TestLiveGoesAheadOfSurplusAndThatOfBackfill(t *testing.T) {
	var channels [3]chan fetched
	for i := range channels {
		channels[i] = make(chan fetched, 1)
		channels[i] <- fetched{deliveries: []Delivery{{Attempt: i}}}
	}
	for want := range channels {
		batch, err := next(t.Context(), channels[0], channels[1], channels[2])
		if err != nil || batch.deliveries[0].Attempt != want {
			t.Errorf("channel %d, %v; want %d", batch.deliveries[0].Attempt, err, want)
		}
	}
}

// TestAFloodStaysOutOfTheLiveStream lets one workspace send ten times its share, and another one signal after that.
func TestAFloodStaysOutOfTheLiveStream(t *testing.T) {
	h := start(t)
	var flood sync.WaitGroup
	for n := range 10 * shareBurst {
		flood.Go(func() { h.publish(message(fmt.Sprint("evt_", n), "cus_1")) })
	}
	flood.Wait()
	quiet := message("evt_quiet", "cus_2")
	quiet.Workspace = "ns/quiet"
	h.publish(quiet)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	live, err := h.bus.feed(ctx, classLive, 100)
	if err != nil {
		t.Fatal(err)
	}
	for before := 0; ; {
		batch, err := next(ctx, live, nil, nil)
		if err != nil {
			t.Fatalf("after %d signals: %v", before, err)
		}
		for _, d := range batch.deliveries {
			if d.Message.EventID == "evt_quiet" {
				return
			}
			if before++; before > shareBurst {
				t.Fatal("more than its share of the flood goes ahead")
			}
		}
	}
}

// TestABundleComesAgainForOneOfItsMessages puts back one message of a bundle and acknowledges the others.
func TestABundleComesAgainForOneOfItsMessages(t *testing.T) {
	h := start(t)
	if err := h.bus.PublishBackfill(t.Context(), []Message{message("b1", "cus_1"), message("b2", "cus_2"), message("b3", "cus_3")}); err != nil {
		t.Fatal(err)
	}
	var attempts []int
	h.consume(func(batch []Delivery) bool {
		for i, d := range batch {
			attempts = append(attempts, d.Attempt)
			settle := d.Ack
			switch {
			case i == 1 && d.Attempt == 1:
				settle = func() error { return d.Retry(time.Millisecond) }
			case i == 2:
				settle = d.Drop
			}
			if err := settle(); err != nil {
				t.Error(err)
			}
		}
		return len(attempts) >= 6
	})
	if !slices.Equal(attempts, []int{1, 1, 1, 2, 2, 2}) {
		t.Errorf("attempts %v", attempts)
	}
	gomega.NewWithT(t).Eventually(func() (uint64, error) {
		info, err := h.bus.streams[classBackfill].Info(t.Context())
		return info.State.Msgs, err
	}).Should(gomega.BeZero(), "the server takes an acknowledgement in its own time")
}

func TestAMessagePutBackComesAgain(t *testing.T) {
	h := start(t)
	h.publish(message("evt_1", "cus_1"))
	attempts := 0
	h.consume(func(batch []Delivery) bool {
		attempts = batch[0].Attempt
		if attempts == 1 {
			_ = batch[0].Retry(time.Millisecond)
			return false
		}
		_ = batch[0].Ack()
		return true
	})
	if attempts != 2 {
		t.Errorf("attempts %d", attempts)
	}
}

func TestAClosedBusIsUnavailable(t *testing.T) {
	h := start(t)
	_ = h.server.Close()
	if _, err := h.bus.PublishLive(t.Context(), message("evt_1", "cus_1")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestBuckets(t *testing.T) {
	h := start(t)
	routes, ctx := h.bus.Routes(), t.Context()
	if _, _, err := routes.Get(ctx, "a.live"); !errors.Is(err, ErrNotFound) {
		t.Errorf("get nothing: %v", err)
	}
	revision, err := routes.Create(ctx, "a.live", Route{Account: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := routes.Create(ctx, "a.live", Route{}); !errors.Is(err, ErrExists) {
		t.Errorf("create again: %v", err)
	}
	newer, err := routes.Update(ctx, "a.live", Route{Account: "b"}, revision)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := routes.Update(ctx, "a.live", Route{}, revision); !errors.Is(err, ErrConflict) {
		t.Errorf("update of an old revision: %v", err)
	}
	if err := routes.Claim(ctx, "a.live", revision); !errors.Is(err, ErrConflict) {
		t.Errorf("claim of an old revision: %v", err)
	}
	if err := routes.Claim(ctx, "a.live", newer); err != nil {
		t.Errorf("claim: %v", err)
	}
	if all, err := routes.All(ctx); err != nil || len(all) != 0 {
		t.Errorf("all: %v, %v", all, err)
	}
	if err := routes.Delete(ctx, "never.there"); err != nil {
		t.Errorf("delete nothing: %v", err)
	}
}

func TestAWatchGivesWhatIsThereAndWhatComes(t *testing.T) {
	h := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := h.bus.Routes().Put(ctx, "a.live", Route{Account: "a"}); err != nil {
		t.Fatal(err)
	}
	var seen []string
	err := h.bus.Routes().Watch(ctx, func(key string, value *Route) {
		switch {
		case value == nil:
			seen = append(seen, "-"+key)
			cancel()
		case value.Account == "a":
			seen = append(seen, "+"+key)
			if err := h.bus.Routes().Delete(ctx, key); err != nil {
				t.Error(err)
			}
		}
	})
	if !errors.Is(err, context.Canceled) || len(seen) != 2 || seen[0] != "+a.live" || seen[1] != "-a.live" {
		t.Errorf("%v, %v", seen, err)
	}
}

func TestATaskIsTakenOnceAndAgainAfterRetry(t *testing.T) {
	h := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 2 {
		if err := h.bus.PublishTask(ctx, "uid", Task{Kind: TaskBackfill, Backfill: &BackfillTask{UID: "uid"}}); err != nil {
			t.Fatal(err)
		}
	}
	var attempts []int
	err := h.bus.ConsumeTasks(ctx, TaskSlots{LookUps: 1, Backfills: 1}, func(_ context.Context, d TaskDelivery) {
		attempts = append(attempts, d.Attempt)
		if d.Attempt == 1 {
			_ = d.Retry(time.Millisecond)
			return
		}
		_ = d.Ack()
		cancel()
	})
	if !errors.Is(err, context.Canceled) || len(attempts) != 2 {
		t.Errorf("%v, %v", attempts, err)
	}
}

func TestTheSameCodeReachesAServerByURL(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	server, err := StartServer(t.Context(), ServerOptions{Dir: t.TempDir(), EncryptionKey: key, Listen: "127.0.0.1:0", Token: "t", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	if _, err := Open(t.Context(), Options{URL: server.ClientURL(), Token: "wrong", Region: "eu", Logger: log}); err == nil {
		t.Error("a wrong token was let in")
	}
	b, err := Open(t.Context(), Options{URL: server.ClientURL(), Token: "t", Region: "eu", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.PublishLive(t.Context(), message("evt_1", "cus_1")); err != nil {
		t.Error(err)
	}
}
