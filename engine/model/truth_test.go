package model

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/kustiq/kustiq/internal/report"
)

// oracle predicts with the truth, in the order of the panel.
func oracle(t *testing.T, people []person, p *Panel) []predicted {
	t.Helper()
	truth := map[string]map[int32]float64{}
	for i := range people {
		truth[people[i].id] = people[i].truth
	}
	var out []predicted
	p.each(p.all(), func(r *row, _ []cell) {
		q, ok := truth[p.customers[r.customer]][r.landmark]
		if !ok {
			t.Fatalf("%s is a row at %s, and was leaving or gone", p.customers[r.customer], timeOf(r.landmark))
		}
		out = append(out, predicted{p: q, churned: r.churned(), customer: r.customer})
	})
	return out
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// share is how much of the oracle's AUC above chance a model reaches.
func share(f, oracle *report.Figures) float64 { return (f.AUC - 0.5) / (oracle.AUC - 0.5) }

// TestTheTruthIsFound fits 1,000 customers whose truth is known, and measures on 10,000 others who follow the same: both
// what is chosen after the test, and the fitted weights themselves.
func TestTheTruthIsFound(t *testing.T) {
	others := agreed(1000, 2).populate(10000)
	unseen := panelOf(others)
	best, _ := measure(oracle(t, others, unseen))
	for seed := range uint64(3) {
		p := panelOf(agreed(seed, 2).populate(1000))
		own, err := p.fit(p.all())
		if err != nil {
			t.Fatal(err)
		}
		chosen := paramsOf(Decide(p, Current{}, true, seed))
		for name, f := range map[string]*fitted{"chosen": chosen, "fitted": &own} {
			got, _ := unseen.figures(unseen.all(), f)
			t.Logf("seed %d, %s: %.4f of the oracle's AUC above 0.5 (%.4f), ECE %.4f, log loss %.5f (oracle %.5f)",
				seed, name, share(got, best), best.AUC, got.ECE, got.LogLoss, best.LogLoss)
			if share(got, best) < 0.97 || got.ECE > 0.01 {
				t.Errorf("seed %d, %s: AUC %.4f of %.4f, ECE %.4f", seed, name, got.AUC, best.AUC, got.ECE)
			}
		}
	}
}

func paramsOf(o Outcome) *fitted {
	if f := fittedOf(&o.Params); f != nil {
		return f
	}
	f := prior()
	f.intercept = o.Params.Intercept
	return &f
}

// TestNeverWorseThanTheGateAllows fits workspaces with truths of their own, and compares what is chosen with the prior,
// moved by an intercept, on others who follow the same truth: AUC and calibration may be as much worse as the gate allows
// them to be, and log loss no more than the gain that the gate asks for. KUSTIQ_MODEL_WORKSPACES=200 is the whole of it.
func TestNeverWorseThanTheGateAllows(t *testing.T) {
	workspaces := 8
	if text := os.Getenv("KUSTIQ_MODEL_WORKSPACES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal("KUSTIQ_MODEL_WORKSPACES must be a number")
		}
		workspaces = n
	}
	accepted, gain, worst := 0, 0.0, 1.0
	for seed := range uint64(workspaces) {
		w := odd(seed, 2)
		p := panelOf(w.populate(200 + w.random.IntN(1300)))
		o := Decide(p, Current{}, true, seed)
		if o.Card.Kind != report.ModelFitted {
			continue // the prior itself
		}
		accepted++
		unseen := panelOf(w.populate(3000))
		published := prior()
		published.intercept = p.fitIntercept(p.all().newest(interceptDays), published.weights)
		got, _ := unseen.figures(unseen.all(), paramsOf(o))
		want, _ := unseen.figures(unseen.all(), &published)
		here := (want.LogLoss - got.LogLoss) / want.LogLoss
		gain, worst = gain+here, min(worst, here)
		if here < -leastGain || got.AUC < want.AUC-mostAUCLost || got.ECE > want.ECE+mostECEGained {
			t.Errorf("workspace %d: log loss %.5f, AUC %.4f, ECE %.4f; of the prior %.5f, %.4f, %.4f",
				seed, got.LogLoss, got.AUC, got.ECE, want.LogLoss, want.AUC, want.ECE)
		}
	}
	t.Logf("%d of %d workspaces have fitted weights, whose log loss on others is %.2f %% better than the prior's in the mean, and %.2f %% at the least",
		accepted, workspaces, 100*gain/float64(max(accepted, 1)), 100*worst)
	if accepted == 0 {
		t.Error("no weights were accepted anywhere")
	}
}
