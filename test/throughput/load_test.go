package throughput_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// loadEnv holds, as JSON, what the load generator's process is asked for.
const loadEnv = "KUSTIQ_THROUGHPUT_LOAD"

// load asks for a number of events over a number of connections. Event n is of account n modulo Accounts.
type load struct {
	Address, Path, Secret         string
	Events, Connections, Accounts int
	// PerSecond is the rate at which events fall due; 0 sends each as soon as a connection is free.
	PerSecond float64
	// Sample is the distance between events that have a customer of their own.
	Sample int
}

// loaded is what came of it.
type loaded struct {
	// Began is when the first event was due, in unix nanoseconds.
	Began    int64
	Seconds  float64
	Statuses map[int]int
	// Ms50 and Ms99 are percentiles of the time from when an event was due to its answer, in milliseconds.
	Ms50, Ms99 float64
}

// TestMain sends load instead of running tests in the process that a benchmark starts for it.
func TestMain(m *testing.M) {
	given := os.Getenv(loadEnv)
	if given == "" {
		os.Exit(m.Run())
	}
	var l load
	if err := json.Unmarshal([]byte(given), &l); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	if err := l.run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// run signs all requests, says when the first is due, sends them and prints the result.
func (l load) run() error {
	requests := make([][]byte, l.Events)
	for n := range requests {
		requests[n] = l.request(n)
	}
	connections := make([]net.Conn, l.Connections)
	for i := range connections {
		var err error
		if connections[i], err = net.Dial("tcp", l.Address); err != nil {
			return err
		}
	}
	began := time.Now().Add(100 * time.Millisecond)
	fmt.Println(began.UnixNano())
	var next atomic.Int64
	var group sync.WaitGroup
	failed := make(chan error, len(connections))
	took, statuses := make([]time.Duration, l.Events), make([]int, l.Events)
	for _, c := range connections {
		group.Go(func() {
			answers := bufio.NewReader(c)
			for n := next.Add(1) - 1; n < int64(l.Events); n = next.Add(1) - 1 {
				due := l.due(began, int(n))
				time.Sleep(time.Until(due))
				status, err := exchange(c, answers, requests[n])
				if err != nil {
					failed <- err
					return
				}
				statuses[n], took[n] = status, time.Since(due)
			}
		})
	}
	group.Wait()
	result := loaded{Began: began.UnixNano(), Seconds: time.Since(began).Seconds(), Statuses: map[int]int{}}
	if len(failed) > 0 {
		return <-failed
	}
	for _, status := range statuses {
		result.Statuses[status]++
	}
	slices.Sort(took)
	result.Ms50, result.Ms99 = percentile(took, 50), percentile(took, 99)
	return json.NewEncoder(os.Stdout).Encode(result)
}

func (l load) due(began time.Time, n int) time.Time {
	if l.PerSecond == 0 {
		if now := time.Now(); now.After(began) {
			return now
		}
		return began
	}
	return began.Add(time.Duration(float64(n) / l.PerSecond * float64(time.Second)))
}

func percentile(sorted []time.Duration, p int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(len(sorted)-1, len(sorted)*p/100)]) / float64(time.Millisecond)
}

// exchange sends one request and reads its answer. net/http's client would take more of the machine than the receiver.
func exchange(c net.Conn, answers *bufio.Reader, request []byte) (status int, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	length := 0
	for first := true; ; first = false {
		line, err := answers.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		switch {
		case first:
			status, err = strconv.Atoi(strings.Fields(value)[0])
		case name == "":
			_, err = answers.Discard(length)
			return status, err
		case strings.EqualFold(name, "Content-Length:"):
			length, err = strconv.Atoi(value)
		}
		if err != nil {
			return 0, err
		}
	}
}

func accountOf(n int) string { return fmt.Sprintf("acct_%03d", n) }

// customers of all accounts together.
const customers = 5000

// sampled says whether event n has a customer of its own.
func (l load) sampled(n int) bool { return l.Sample > 0 && n%l.Sample == 0 }

func (l load) customerOf(n int) string {
	if l.sampled(n) {
		return fmt.Sprintf("cus_sample_%d", n)
	}
	return fmt.Sprintf("cus_%d", n%customers)
}

// request is event n as Stripe would post it, with an invoice of three lines: by turns, a customer's payment fails and
// is made good.
func (l load) request(n int) []byte {
	now := time.Now().Unix()
	kind, attempt, paid, invoice := "invoice.payment_failed", 1, 0, n
	if n/customers%2 == 1 && !l.sampled(n) {
		kind, attempt, paid, invoice = "invoice.payment_succeeded", 2, 4900, n-customers
	}
	var lines []string
	for i := range 3 {
		lines = append(lines, fmt.Sprintf(lineJSON, i, n, i, now-86400, now+29*86400, i))
	}
	// A second lies between any two events, or ids would have to tell their order.
	created := now - int64(l.Events-n)
	body := fmt.Sprintf(eventJSON, n, accountOf(n%l.Accounts), created, invoice, paid, attempt, l.customerOf(n), now-3600, now-86400, now+29*86400,
		now+3*86400, strings.Join(lines, ","), kind)
	mac := hmac.New(sha256.New, []byte(l.Secret))
	fmt.Fprintf(mac, "%d.%s", now, body)
	var out bytes.Buffer
	fmt.Fprintf(&out, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nStripe-Signature: t=%d,v1=%s\r\nContent-Length: %d\r\n\r\n%s",
		l.Path, l.Address, now, hex.EncodeToString(mac.Sum(nil)), len(body), body)
	return out.Bytes()
}
