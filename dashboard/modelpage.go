package dashboard

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/report"
)

// runRefresh is how often the page looks whether a fit has ended, in seconds.
const runRefresh = 3

type modelView struct {
	layout
	Model report.Model
	// Plot is nil when nothing was measured.
	Plot *calibrationPlot
	// MayFit says that the caller may ask for a fit, and FitPath where.
	MayFit  bool
	FitPath string
}

// Busy says that a fit was asked for or is running.
func (v modelView) Busy() bool {
	return v.Model.Run.State == report.RunAsked || v.Model.Run.State == report.RunRunning
}

// modelKinds say what a kind of model is.
var modelKinds = map[string]string{
	report.ModelPrior:     "The prior: weights from published data, and some that are assumed",
	report.ModelIntercept: "The prior, moved to this workspace's own level of churn",
	report.ModelFitted:    "Fitted from this workspace's own history",
}

// modelPage is the model card for people.
func (d *Dashboard) modelPage(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	view := modelView{layout: d.layout(r, "Model", workspace)}
	view.Section, view.Workspaces = sectionModel, workspaces
	namespace, name, _ := strings.Cut(workspace, "/")
	view.FitPath = "/dashboard/model/" + namespace + "/" + name + "/fit"
	var err error
	if view.Model, err = d.model(r.Context(), workspace); err != nil {
		d.failure(w, r, "read the model", err)
		return
	}
	err = d.may(r, access.Operate, namespace, name)
	view.MayFit = err == nil
	view.Plot = plotOf(view.Model.Card.Calibration)
	if view.Busy() {
		view.Refresh = runRefresh
	}
	d.render(w, r, http.StatusOK, "model.html", view)
}

// fit asks for a fit and goes back to the page.
func (d *Dashboard) fit(w http.ResponseWriter, r *http.Request) {
	workspace := r.PathValue("namespace") + "/" + r.PathValue("name")
	err := d.audited(r, action{workspace: workspace, verb: "fit", object: "workspace/" + r.PathValue("name")}, func() error {
		return d.Store.AskModelRun(r.Context(), workspace)
	})
	if errors.Is(err, store.ErrNotFound) {
		d.problem(w, r, http.StatusConflict, "There is no history yet", "Connect the workspace's Stripe account first: a model is fitted from what happened.")
		return
	}
	if err != nil {
		d.failure(w, r, "ask for a fit", err)
		return
	}
	http.Redirect(w, r, inWorkspace("/dashboard/model", workspace), http.StatusSeeOther)
}

// calibrationPlot is a drawing of 100 by 100, in which probabilities grow to the right and upwards.
type calibrationPlot struct {
	Points []calibrationPoint
	// Most is the probability at the end of both axes.
	Most float64
}

type calibrationPoint struct {
	report.CalibrationBin
	X, Y float64
}

// Ticks are the probabilities at which the axes have a line, from the second on.
func (p calibrationPlot) Ticks() []calibrationTick {
	var ticks []calibrationTick
	for i := 1; i <= 4; i++ {
		share := float64(i) / 4
		ticks = append(ticks, calibrationTick{At: 100 * share, Words: percentOf(share * p.Most)})
	}
	return ticks
}

type calibrationTick struct {
	At    float64
	Words string
}

// Up turns a place on the axis into the drawing's, whose y grows downwards.
func (t calibrationTick) Up() float64 { return 100 - t.At }

func plotOf(bins []report.CalibrationBin) *calibrationPlot {
	plot := &calibrationPlot{}
	for _, b := range bins {
		plot.Most = max(plot.Most, b.Expected, b.Observed)
	}
	if plot.Most == 0 {
		return nil
	}
	plot.Most = roundUp(plot.Most * 1.05)
	for _, b := range bins {
		plot.Points = append(plot.Points, calibrationPoint{
			CalibrationBin: b, X: 100 * b.Expected / plot.Most, Y: 100 - 100*b.Observed/plot.Most,
		})
	}
	return plot
}

// roundUp takes the next of 0.01, 0.02, 0.04, 0.08, 0.2, 0.4, 0.8 and 1, whose quarters are easily read.
func roundUp(p float64) float64 {
	for _, most := range []float64{.01, .02, .04, .08, .2, .4, .8} {
		if p <= most {
			return most
		}
	}
	return 1
}

func percentOf(p float64) string {
	if p < .02 {
		return fmt.Sprintf("%.2g %%", 100*p)
	}
	return fmt.Sprintf("%.3g %%", 100*p)
}

func decimals(n int, v float64) string {
	if math.Abs(v) < math.Pow10(-n)/2 {
		v = 0
	}
	return strings.Replace(fmt.Sprintf("%.*f", n, v), "-", "−", 1)
}

func plainWords(name string) string { return strings.ReplaceAll(name, "_", " ") }

func dateOf(at time.Time) string {
	if at.IsZero() {
		return "–"
	}
	return at.UTC().Format("2 Jan 2006")
}
