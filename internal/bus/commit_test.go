package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"
)

// slow is a stream whose writes wait to be let go.
type slow struct {
	begun chan []encoded
	end   chan error
}

func newSlow() *slow { return &slow{begun: make(chan []encoded), end: make(chan error)} }

func (s *slow) write(_ string, bundle []encoded) (bool, error) {
	s.begun <- bundle
	return false, <-s.end
}

// queued waits until so many messages stand behind the write.
func queued(t *testing.T, c *committer, n int) {
	t.Helper()
	gomega.NewWithT(t).Eventually(func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.waiting
	}).Should(gomega.Equal(n))
}

func TestWhatComesDuringAWriteIsWrittenTogether(t *testing.T) {
	s := newSlow()
	c := newCommitter(s.write, clocktesting.NewFakePassiveClock(time.Unix(1e9, 0)))
	var group sync.WaitGroup
	failed := make(chan error, 6)
	commit := func(id string) {
		group.Go(func() {
			if _, err := c.commit(t.Context(), "a", encoded{id: id}); err != nil {
				failed <- err
			}
		})
	}
	commit("1")
	if first := <-s.begun; len(first) != 1 {
		t.Fatalf("the first waited for others: %d", len(first))
	}
	for n := range 3 {
		commit(fmt.Sprint(n))
		queued(t, c, n+1)
	}
	other := make(chan error, 1)
	go func() { _, err := c.commit(t.Context(), "b", encoded{id: "b"}); other <- err }()
	queued(t, c, 4)
	commit("later")
	queued(t, c, 5)
	s.end <- nil
	if second := <-s.begun; len(second) != 4 || second[0].id != "0" || second[3].id != "later" {
		t.Errorf("second write: %v", second)
	}
	commit("next")
	queued(t, c, 2)
	s.end <- errors.New("full")
	if third := <-s.begun; len(third) != 1 || third[0].id != "b" {
		t.Errorf("another subject has to wait for its turn only: %v", third)
	}
	s.end <- nil
	if err := <-other; err != nil {
		t.Error(err)
	}
	<-s.begun
	s.end <- nil
	group.Wait()
	if len(failed) != 4 {
		t.Errorf("%d of 4 learned that their write failed", len(failed))
	}
	if len(c.queues) != 0 || len(c.turns) != 0 || c.waiting != 0 {
		t.Errorf("left behind: %d queues, %d turns, %d waiting", len(c.queues), len(c.turns), c.waiting)
	}
}

func TestBundlesAreBounded(t *testing.T) {
	for name, tc := range map[string]struct{ messages, size, want int }{
		"by number":   {bundleMessages + 1, 10, bundleMessages},
		"by bytes":    {4, bundleBytes/2 - 1, 2},
		"never empty": {2, bundleBytes + 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCommitter(nil, clocktesting.NewFakePassiveClock(time.Unix(1e9, 0)))
			c.writing = true
			for range tc.messages {
				c.queue("a", &commit{encoded: encoded{data: make([]byte, tc.size)}})
			}
			if _, bundle := c.take(); len(bundle) != tc.want {
				t.Errorf("%d messages, want %d", len(bundle), tc.want)
			}
		})
	}
}

func TestACallerThatLeavesTakesNobodyAlong(t *testing.T) {
	s := newSlow()
	c := newCommitter(s.write, clocktesting.NewFakePassiveClock(time.Unix(1e9, 0)))
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := c.commit(ctx, "a", encoded{id: "1"}); left <- err }()
	<-s.begun
	stays := make(chan error, 1)
	go func() { _, err := c.commit(t.Context(), "a", encoded{id: "2"}); stays <- err }()
	queued(t, c, 1)
	leave()
	if err := <-left; !errors.Is(err, ErrUnavailable) {
		t.Errorf("who left was told %v", err)
	}
	s.end <- nil
	<-s.begun
	s.end <- nil
	if err := <-stays; err != nil {
		t.Error(err)
	}
}

func TestASaturatedBusRefuses(t *testing.T) {
	c := newCommitter(nil, clocktesting.NewFakePassiveClock(time.Unix(1e9, 0)))
	c.waiting = waitingMessages
	if _, err := c.commit(t.Context(), "a", encoded{}); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errSaturated) {
		t.Errorf("got %v", err)
	}
}

func TestWhoHasWaitedTooLongIsRefused(t *testing.T) {
	s := newSlow()
	clock := clocktesting.NewFakePassiveClock(time.Unix(1e9, 0))
	c := newCommitter(s.write, clock)
	written, waited := make(chan error, 1), make(chan error, 1)
	commit := func(answer chan error) { _, err := c.commit(t.Context(), "a", encoded{}); answer <- err }
	go commit(written)
	<-s.begun
	go commit(waited)
	queued(t, c, 1)
	clock.SetTime(clock.Now().Add(publishTimeout))
	s.end <- nil
	if err := <-written; err != nil {
		t.Errorf("the one that was written: %v", err)
	}
	if err := <-waited; !errors.Is(err, errSaturated) {
		t.Errorf("the one that waited: %v", err)
	}
}

func TestBundleIDs(t *testing.T) {
	one, two := encoded{id: "a", data: []byte("1")}, encoded{id: "b", data: []byte("2")}
	if got := bundleID([]encoded{one}); got != "a" {
		t.Errorf("alone: %s", got)
	}
	if bundleID([]encoded{one, two}) == bundleID([]encoded{{id: "ab"}, {}}) {
		t.Error("two bundles share an id")
	}
	if got := payload([]encoded{one, two}); !bytes.Equal(got, []byte("[1,2]")) {
		t.Errorf("payload %s", got)
	}
}

func TestAFloodStaysOneUntilItsShareIsFree(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1e9, 0))
	s := newShares(clock)
	for n := range shareBurst {
		if s.exceeded("a") {
			t.Fatalf("message %d is beyond the share", n)
		}
	}
	if !s.exceeded("a") || s.exceeded("b") {
		t.Error("a has used up its share, b has not")
	}
	clock.Step(time.Second)
	if !s.exceeded("a") {
		t.Error("still a flood after a second")
	}
	clock.Step((shareBurst/shareRate + 1) * time.Second)
	if s.exceeded("a") {
		t.Error("still a flood after its share was free")
	}
}
