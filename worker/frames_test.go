package worker

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/bus"
)

// asking lets some workers, whose clocks differ by up to skew, ask an account for a while as fast as they may, and
// returns when each request was made, by path.
func asking(t *testing.T, live bool, workers int, skew, long time.Duration, refuse func(b *bus.Budget, f frames, now time.Time)) map[string][]time.Time {
	t.Helper()
	f, err := newFrames(DefaultShare, live)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	began := time.Unix(1_700_000_000, 0)
	var b bus.Budget
	made := map[string][]time.Time{}
	names := []string{"events", "customers", "subscriptions", "invoices", "charges", "disputes", pathCharge}
	for now := began; now.Sub(began) < long; now = now.Add(time.Duration(random.IntN(30)) * time.Millisecond) {
		var waiting []*demand
		for range 20 {
			waiting = append(waiting, &demand{path: names[random.IntN(len(names))]})
		}
		if refuse != nil {
			refuse(&b, f, now)
		}
		off := time.Duration(random.IntN(workers)) * skew / time.Duration(max(workers-1, 1))
		f.give(&b, waiting, now.Add(off))
		for _, d := range waiting {
			if d.at.IsZero() {
				continue
			}
			// As late as it may be, and then a little later on its way.
			at := d.at.Add(time.Duration(random.Int64N(int64(f.length * 5 / 8)))).Add(-off)
			made[d.path] = append(made[d.path], at)
		}
	}
	return made
}

// busiest is the most requests in any one second, and their number in all.
func busiest(times []time.Time) (most, all int) {
	slices.SortFunc(times, time.Time.Compare)
	first := 0
	for last := range times {
		for times[last].Sub(times[first]) >= time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most, len(times)
}

func TestNoSecondExceedsWhatStripeAllows(t *testing.T) {
	const long = 20 * time.Second
	for name, tc := range map[string]struct {
		live    bool
		workers int
		allowed int
	}{"live": {true, 1, 100}, "live, three workers": {true, 3, 100}, "test": {false, 1, 25}, "test, three workers": {false, 3, 25}} {
		t.Run(name, func(t *testing.T) {
			made := asking(t, tc.live, tc.workers, 0, long, nil)
			var together []time.Time
			for path, times := range made {
				if most, _ := busiest(times); most > allowedPath {
					t.Errorf("%s: %d in one second", path, most)
				}
				together = append(together, times...)
			}
			most, all := busiest(together)
			if most > tc.allowed {
				t.Errorf("%d in one second", most)
			}
			if used := float64(all) / long.Seconds() / float64(tc.allowed); used < 0.95 {
				t.Errorf("only %.3f of the rate was used", used)
			}
		})
	}
}

func TestClocksThatDifferByLessThanAFrameAddOneRequestASecond(t *testing.T) {
	made := asking(t, true, 3, 40*time.Millisecond, 20*time.Second, nil)
	for path, times := range made {
		if most, _ := busiest(times); most > allowedPath+1 {
			t.Errorf("%s: %d in one second", path, most)
		}
	}
}

func TestNothingIsMadeUpForAfterAPause(t *testing.T) {
	f, _ := newFrames(DefaultShare, true)
	var b bus.Budget
	now := time.Unix(1_700_000_000, 0)
	for range 2 {
		waiting := make([]*demand, 500)
		for i := range waiting {
			waiting[i] = &demand{path: "invoices"}
		}
		f.give(&b, waiting, now)
		given := 0
		for _, d := range waiting {
			if !d.at.IsZero() {
				given++
			}
		}
		if given != horizon {
			t.Errorf("%d requests in %d frames", given, horizon)
		}
		now = now.Add(time.Hour)
	}
}

func TestTheLongestListsHaveAPlaceInEachFrame(t *testing.T) {
	f, _ := newFrames(DefaultShare, true)
	var waiting []*waiter
	for _, of := range []struct {
		path string
		left float64
	}{{"events", 40}, {"customers", 190}, {"subscriptions", 200}, {"invoices", 5900}, {"charges", 6000}, {"disputes", 3}} {
		for range 4 * horizon {
			waiting = append(waiting, &waiter{demand: demand{path: of.path}, claim: claim{left: of.left}})
		}
	}
	waiting = append(waiting, &waiter{demand: demand{path: pathCharge}, claim: claim{lookUp: true}})
	inOrder(waiting)
	demands := make([]*demand, len(waiting))
	for i, w := range waiting {
		demands[i] = &w.demand
	}
	var b bus.Budget
	f.give(&b, demands, f.start(f.number(time.Unix(1_700_000_000, 0))+1, "events"))
	given := map[string]int{}
	for _, d := range demands {
		if !d.at.IsZero() {
			given[d.path]++
		}
	}
	want := map[string]int{pathCharge: 1, "charges": horizon, "invoices": horizon, "subscriptions": horizon, "customers": horizon - 1}
	if !maps.Equal(given, want) {
		t.Errorf("%v, want %v", given, want)
	}
}

func TestPlacesAreSharedOut(t *testing.T) {
	for _, tc := range []struct {
		places, active, longer int
		want                   float64
	}{{4, 3, 2, 1}, {4, 4, 3, 1}, {4, 5, 2, 1}, {4, 5, 3, 0.5}, {4, 6, 5, 1.0 / 3}, {1, 5, 0, 0.2}, {1, 1, 0, 1}} {
		if got := share(tc.places, tc.active, tc.longer); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// An instant that is over by more than its request may be late would be given in vain.
func TestNoInstantIsGivenThatIsOver(t *testing.T) {
	f, _ := newFrames(DefaultShare, true)
	frame := f.number(time.Unix(1_700_000_000, 0))
	for path := range paths {
		for part := range 50 {
			var b bus.Budget
			now := f.start(frame, "events").Add(time.Duration(part) * f.length / 50)
			d := &demand{path: path}
			f.give(&b, []*demand{d}, now)
			if d.at.IsZero() || now.After(f.end(d.at)) {
				t.Errorf("%s: %s into a frame of %s, %s was given", path, now.Sub(f.start(frame, "events")), f.length, d.at.Sub(now))
			}
		}
	}
}

func TestARefusalSlowsDownAndRecovers(t *testing.T) {
	f, _ := newFrames(DefaultShare, true)
	began := time.Unix(1_700_000_000, 0)
	var b bus.Budget
	f.refused(&b, "invoices", 0, began)
	if pace := b.Slow["invoices"].Pace; math.Abs(pace-23.0/24) > 1e-6 {
		t.Fatalf("pace %v after one refusal of 24", pace)
	}
	f.refused(&b, "", 0, began)
	if pace := b.Slow[""].Pace; math.Abs(pace-95.0/96) > 1e-6 {
		t.Fatalf("pace %v after one refusal of 96", pace)
	}
	delete(b.Slow, "")
	for range 30 {
		f.refused(&b, "invoices", 0, began)
	}
	if pace := b.Slow["invoices"].Pace; pace != 0.5 {
		t.Fatalf("pace %v after one second of refusals", pace)
	}
	f.refused(&b, "invoices", 0, began.Add(2*time.Second))
	if pace := b.Slow["invoices"].Pace; pace < 0.49 || pace > 0.5 {
		t.Fatalf("pace %v after another", pace)
	}
	per := func(from time.Duration, path string) (n int) {
		for frame := f.number(began.Add(from)); frame < f.number(began.Add(from+10*time.Second)); frame++ {
			if f.open(&b, path, frame) {
				n++
			}
		}
		return n
	}
	slow, later, other := per(2*time.Second, "invoices"), per(40*time.Second, "invoices"), per(2*time.Second, "charges")
	if slow < 110 || slow > 135 || later < 185 || later > 210 || other != 240 {
		t.Errorf("of 240 frames: %d at once, %d after 40 s, %d of another path", slow, later, other)
	}
	f.adjust(&b, began.Add(3*recovery))
	if len(b.Slow) != 0 {
		t.Errorf("it is never forgotten: %+v", b.Slow)
	}
}

func TestARefusalThatNamesATimeIsHeeded(t *testing.T) {
	f, _ := newFrames(DefaultShare, false)
	began := time.Unix(1_700_000_000, 0)
	var b bus.Budget
	f.refused(&b, "", 9*time.Second, began)
	for _, after := range []time.Duration{0, 5 * time.Second, 8 * time.Second} {
		d := &demand{path: "events"}
		if f.give(&b, []*demand{d}, began.Add(after)); !d.at.IsZero() {
			t.Errorf("after %s a request is made at %s", after, d.at.Sub(began))
		}
	}
	d := &demand{path: "events"}
	for now := began.Add(9 * time.Second); d.at.IsZero() && now.Before(began.Add(12*time.Second)); now = now.Add(f.length) {
		f.give(&b, []*demand{d}, now)
	}
	if d.at.IsZero() || d.at.Before(began.Add(9*time.Second)) {
		t.Errorf("then at %s", d.at.Sub(began))
	}
}

func TestAnotherShareWaitsForWhatWasGivenOut(t *testing.T) {
	half, _ := newFrames(0.5, true)
	f, _ := newFrames(DefaultShare, true)
	now := time.Unix(1_700_000_000, 0)
	var b bus.Budget
	half.give(&b, []*demand{{path: "events"}}, now)
	d := &demand{path: "events"}
	if f.give(&b, []*demand{d}, now); !d.at.IsZero() {
		t.Error("frames of two lengths are used at once")
	}
	if f.give(&b, []*demand{d}, now.Add(2*time.Second)); d.at.IsZero() {
		t.Error("it never goes on")
	}
}

func TestShareIsChecked(t *testing.T) {
	for _, share := range []float64{-1, 0.01, 0.97, 1} {
		if _, err := newFrames(share, true); err == nil {
			t.Errorf("%v was accepted", share)
		}
	}
}
