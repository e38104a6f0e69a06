package dashboard

import (
	"math"
	"testing"

	"github.com/kustiq/kustiq/internal/report"
)

func TestTheCalibrationPlot(t *testing.T) {
	if plotOf(nil) != nil || plotOf([]report.CalibrationBin{{}}) != nil {
		t.Error("nothing measured is drawn")
	}
	plot := plotOf([]report.CalibrationBin{{Expected: .02, Observed: .04}, {Expected: .15, Observed: .1}})
	if plot.Most != .2 {
		t.Fatalf("the axes end at %v", plot.Most)
	}
	for i, want := range []struct{ x, y float64 }{{10, 80}, {75, 50}} {
		if p := plot.Points[i]; math.Abs(p.X-want.x) > 1e-9 || math.Abs(p.Y-want.y) > 1e-9 {
			t.Errorf("point %d is at %v, %v", i, p.X, p.Y)
		}
	}
	if ticks := plot.Ticks(); len(ticks) != 4 || ticks[0].Words != "5 %" || ticks[3].Words != "20 %" || ticks[3].Up() != 0 {
		t.Errorf("%+v", ticks)
	}
	if all := plotOf([]report.CalibrationBin{{Expected: .99, Observed: 1}}); all.Most != 1 {
		t.Errorf("a certainty's axes end at %v", all.Most)
	}
}
