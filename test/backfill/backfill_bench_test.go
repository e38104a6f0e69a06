package backfill_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/test/measure"
)

// sizeEnv sets how many customers the large account has. Each has 30 invoices, over five years.
const (
	sizeEnv     = "KUSTIQ_BACKFILL_CUSTOMERS"
	defaultSize = 1000
	// crowd is how many accounts are read at once, and crowdSize how many customers each has.
	crowd, crowdSize = 50, 40
	// benchPatience bounds one reading.
	benchPatience = 20 * time.Minute
)

func size(b *testing.B) int {
	text := os.Getenv(sizeEnv)
	if text == "" {
		return defaultSize
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s=%q is no positive number", sizeEnv, text)
	}
	return n
}

// large is an account of five years.
func large(id string, customers int, now time.Time) *stripesim.Account {
	return stripesim.Bulk(stripesim.GenerateOptions{
		AccountID: id, Name: id, Country: "DE", Currency: "eur", Customers: customers, Years: 5, Seed: 7, End: now, Livemode: true,
	})
}

// BenchmarkHistory reads all of a large account with one worker, within Stripe's limits.
func BenchmarkHistory(b *testing.B) {
	for _, latency := range []time.Duration{200 * time.Millisecond, 2700 * time.Millisecond} {
		b.Run(latency.String(), func(b *testing.B) { history(b, latency, false) })
	}
}

// BenchmarkKill kills the worker in the middle; another one is there.
func BenchmarkKill(b *testing.B) { history(b, 200*time.Millisecond, true) }

func history(b *testing.B, latency time.Duration, kill bool) {
	now := time.Now().Truncate(time.Second)
	a := large(account, size(b), now)
	r := newBenchRig(b, latency, a)
	p := startProcess(b, r.given())
	r.publish("bench", "AllTime", now)
	figures := map[string]float64{}
	if kill {
		r.until(b, func() bool { return read(r, b, "bench").Percent >= 40 })
		p.kill()
		killed := time.Now()
		p = startProcess(b, r.given())
		before := len(r.sim.Requests())
		r.until(b, func() bool { return len(r.sim.Requests()) > before+10 })
		figures["s-until-next-request"] = time.Since(killed).Seconds()
	}
	r.until(b, func() bool { return read(r, b, "bench").Phase == bus.PhaseSucceeded })
	done := read(r, b, "bench")
	least := int64(0)
	for _, list := range done.Resources {
		least += max((list.Objects+99)/100, 1)
	}
	t := r.sim.Traffic(account, true)
	figures["objects"], figures["seconds"] = float64(done.Objects), took(t).Seconds()
	figures["requests"], figures["requests/least"] = float64(done.Requests), float64(done.Requests)/float64(least)
	figures["answers-429"] = float64(t.Refused)
	figures["share-of-rate"], figures["share-of-rate-invoices"] = share(t), share(stripesim.Traffic{Allowed: map[string][]time.Time{"invoices": t.Allowed["invoices"]}})
	figures["most-in-a-second"] = float64(most(t))
	figures["MiB-worker"] = p.peak()
	measure.Report(b, figures)
}

// BenchmarkCrowd reads many accounts at once with one worker, and tells how alike they fare.
func BenchmarkCrowd(b *testing.B) {
	now := time.Now().Truncate(time.Second)
	var accounts []*stripesim.Account
	for n := range crowd {
		customers := crowdSize
		if n == 0 {
			customers *= 10 // one that has ten times as much to read must not keep the others
		}
		accounts = append(accounts, large(fmt.Sprintf("acct_%02d", n), customers, now))
	}
	r := newBenchRig(b, 200*time.Millisecond, accounts...)
	p := startProcess(b, r.given())
	for _, a := range accounts {
		r.publishFor(a.ID, a.ID, "AllTime", now)
	}
	var lasted []float64
	began := time.Now()
	left := slices.Clone(accounts)
	r.until(b, func() bool {
		left = slices.DeleteFunc(left, func(a *stripesim.Account) bool {
			over := read(r, b, a.ID).Phase == bus.PhaseSucceeded
			if over && a != accounts[0] {
				lasted = append(lasted, time.Since(began).Seconds())
			}
			return over
		})
		return len(left) == 0
	})
	all := time.Since(began).Seconds()
	refused := 0
	for _, a := range accounts {
		refused += r.sim.Traffic(a.ID, true).Refused
	}
	measure.Report(b, map[string]float64{
		"accounts": crowd, "s-first-done": slices.Min(lasted), "s-last-of-the-equals": slices.Max(lasted), "s-all": all,
		"answers-429": float64(refused), "MiB-worker": p.peak(),
	})
}

// newBenchRig has an engine that takes signals and drops them, and Stripe's limits.
func newBenchRig(b *testing.B, latency time.Duration, accounts ...*stripesim.Account) *rig {
	b.Helper()
	r := newRig(b, accounts...)
	limits := stripesim.StripeLimits()
	limits.Latency = latency
	r.sim.SetLimits(limits)
	r.drop.Store(true)
	return r
}

func read(r *rig, b *testing.B, uid string) bus.Progress {
	b.Helper()
	p, _, err := r.bus.Progress().Get(b.Context(), uid)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		b.Fatal(err)
	}
	if p.Phase == bus.PhaseFailed {
		b.Fatal(p.Message)
	}
	return p
}

func (r *rig) until(b *testing.B, done func() bool) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), benchPatience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			b.Fatal(ctx.Err())
		case <-tick.C:
		}
	}
}

// inOrder are all requests of an account.
func inOrder(t stripesim.Traffic) (all []time.Time) {
	for _, times := range t.Allowed {
		all = append(all, times...)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

func took(t stripesim.Traffic) time.Duration {
	all := inOrder(t)
	return all[len(all)-1].Sub(all[0])
}

// most requests in any second.
func most(t stripesim.Traffic) (n int) {
	all, first := inOrder(t), 0
	for last := range all {
		for all[last].Sub(all[first]) >= time.Second {
			first++
		}
		n = max(n, last-first+1)
	}
	return n
}

// share of what Stripe allows while there is work: in each second 25 requests for each list that is not read to its end
// by then, and 100 in all.
func share(t stripesim.Traffic) float64 {
	all := inOrder(t)
	if len(all) == 0 {
		return 0
	}
	allowed := 0.0
	for second := all[0]; second.Before(all[len(all)-1]); second = second.Add(time.Second) {
		lists := 0.0
		for _, times := range t.Allowed {
			if left := times[len(times)-1].Sub(second).Seconds(); left > 0 {
				lists += 25 * math.Min(left, 1)
			}
		}
		allowed += math.Min(lists, 100)
	}
	return float64(len(all)) / allowed
}

// peak is the most memory that a process has had resident, in MiB; 0 where the system does not tell.
func (p *process) peak() float64 {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(text)[0], 64)
			return kb / 1024
		}
	}
	return 0
}
