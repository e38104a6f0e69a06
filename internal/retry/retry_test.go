package retry

import (
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	var whole time.Duration
	for n := 1; n <= Tries; n++ {
		whole += Pause(n)
	}
	if whole != Whole || Whole != 14*time.Hour+36*time.Minute {
		t.Errorf("the whole promise takes %s", whole)
	}
	if Pause(0) != time.Minute || Pause(1) != time.Minute || Pause(99) != 12*time.Hour {
		t.Errorf("%s, %s, %s", Pause(0), Pause(1), Pause(99))
	}
}

func TestByAge(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{
		0: time.Minute, 59 * time.Second: time.Second, time.Minute: 5 * time.Minute, 7 * time.Minute: 29 * time.Minute,
		Whole - time.Second: time.Second, Whole: 0, 100 * time.Hour: 0,
	} {
		if pause, again := ByAge(age); pause != want || again != (want > 0) {
			t.Errorf("at %s: %s, %v; want %s", age, pause, again, want)
		}
	}
}
