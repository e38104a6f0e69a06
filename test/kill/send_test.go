package kill_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	senders = 16
	// reach is how far an event may come out of its order.
	reach = 200
)

// sending is a history on its way.
type sending struct {
	s        *stack
	requests atomic.Int64
	mu       sync.Mutex
	answered map[string]bool
	group    sync.WaitGroup
}

// send posts the history out of order and some of it twice, at once or later, each until it is acknowledged.
func (s *stack) send(random *rand.Rand, history []event) *sending {
	order := slices.Clone(history)
	for at := range order {
		other := min(len(order)-1, at+random.IntN(reach))
		order[at], order[other] = order[other], order[at]
	}
	for range len(history) / 10 {
		again := history[random.IntN(len(history))]
		order = slices.Insert(order, random.IntN(len(order)), again)
	}
	on := &sending{s: s, answered: map[string]bool{}}
	queue := make(chan event)
	on.group.Go(func() {
		defer close(queue)
		for n, e := range order {
			queue <- e
			if n%20 == 0 {
				queue <- e // by another sender at the same time
			}
		}
	})
	for range senders {
		on.group.Go(func() {
			for e := range queue {
				on.deliver(e)
			}
		})
	}
	return on
}

// deliver repeats one event as Stripe does, only sooner.
func (on *sending) deliver(e event) {
	err := wait.PollUntilContextTimeout(on.s.t.Context(), pace, patience, true, func(ctx context.Context) (bool, error) {
		on.requests.Add(1)
		status, answer := on.post(ctx, e.body)
		switch status {
		case http.StatusOK:
			return true, nil
		case 0, http.StatusServiceUnavailable, http.StatusTooManyRequests:
			return false, nil
		}
		return false, fmt.Errorf("answered with %d %s", status, answer)
	})
	if err != nil {
		on.s.t.Errorf("%s: %v", e.id, err)
	}
	on.mu.Lock()
	defer on.mu.Unlock()
	on.answered[e.id] = true
}

// post returns the status; 0 when the receiver cannot be reached or dies on the way.
func (on *sending) post(ctx context.Context, body string) (status int, answer []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+on.s.at["receiver"]+"/webhooks/stripe/live", strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	at := time.Now().Unix()
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at, body)
	req.Header.Set("Stripe-Signature", fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(mac.Sum(nil))))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil || !bytes.HasPrefix(answer, []byte("{")) && resp.StatusCode == http.StatusOK {
		return 0, nil // it died while it answered: nobody knows
	}
	return resp.StatusCode, answer
}

// acknowledged is how many events are.
func (on *sending) acknowledged() int {
	on.mu.Lock()
	defer on.mu.Unlock()
	return len(on.answered)
}

func (on *sending) wait() { on.group.Wait() }
