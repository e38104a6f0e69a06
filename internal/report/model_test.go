package report_test

import (
	"strings"
	"testing"

	"github.com/kustiq/kustiq/internal/report"
)

func testedCard() report.ModelCard {
	weights := []report.ModelWeight{{Name: "dispute", Weight: 2.2, Prior: 2.2, Basis: "prior"}}
	tested := []report.ModelWeight{{Name: "dispute", Weight: 1.25, Prior: 2.2, Basis: "fitted"}}
	f := &report.Figures{Rows: 900, Customers: 300, Churns: 20, Rate: .05, Expected: .04, LogLoss: .2, AUC: .7, PRAUC: .1, Lift10: 2.5, BrierSkill: .02, ECE: .01}
	return report.ModelCard{
		Kind: report.ModelIntercept, Reason: "fitted weights were not accepted: too much alike", Intercept: -0.25, Weights: weights,
		Panel:   report.PanelSummary{Customers: 300, Rows: 5000, Churns: 90, From: asOf.AddDate(-1, 0, 0), To: asOf.AddDate(0, -1, 0), Share: 0.5},
		Figures: f, Calibration: []report.CalibrationBin{{Low: .01, High: .02, Rows: 90, Expected: .015, Observed: .02}},
		Test: &report.ModelTest{At: asOf, Reasons: []string{"too much alike"}, TrainFrom: asOf.AddDate(-1, 0, 0), TrainTo: asOf.AddDate(0, -5, 0),
			TestFrom: asOf.AddDate(0, -3, 0), TestTo: asOf.AddDate(0, -1, 0), Customers: 280, Churns: 70, Gain: .001, Better: .6, Seed: 7,
			Fitted: f, Prior: f, Intercept: -0.2, Weights: tested},
	}
}

func TestModelCardText(t *testing.T) {
	var out strings.Builder
	if err := report.ModelCardText(&out, testedCard()); err != nil {
		t.Fatal(err)
	}
	want := `
Model: intercept, because: fitted weights were not accepted: too much alike.
History: 5000 rows of 300 customers, 90 cancellations, from 2024-06-01 to 2025-05-01, a sample of 50.0 % of the customers.

Fitted on 2024-06-01 to 2025-01-01: 280 customers, 70 cancellations. Tested on 2025-03-01 to 2025-05-01.
          N  CHURNS    RATE  EXPECTED  LOG LOSS     AUC  PR-AUC  LIFT@10%  BRIER SKILL     ECE
fitted  900      20  0.0500    0.0400   0.20000  0.7000  0.1000    2.5000       0.0200  0.0100
prior   900      20  0.0500    0.0400   0.20000  0.7000  0.1000    2.5000       0.0200  0.0100
Log loss 0.10 % better than the prior's; better in 60.0 % of the resamplings (seed 7).
Not accepted:
  too much alike

The model in use, on the newest 60 days:
             N  CHURNS    RATE  EXPECTED  LOG LOSS     AUC  PR-AUC  LIFT@10%  BRIER SKILL     ECE
intercept  900      20  0.0500    0.0400   0.20000  0.7000  0.1000    2.5000       0.0200  0.0100

P30 FROM      TO   N  EXPECTED  OBSERVED
  0.0100  0.0200  90    0.0150    0.0200

WEIGHT     PRIOR  IN USE  BASIS  TESTED
intercept  0.000  -0.250         -0.200
dispute    2.200   2.200  prior   1.250
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	out.Reset()
	if err := report.ModelCardText(&out, report.ModelCard{Kind: report.ModelPrior, Reason: "no history"}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "History: none") || strings.Contains(got, "TESTED") {
		t.Errorf("without history: %s", got)
	}
}

func TestAFittedTermNamesItsModel(t *testing.T) {
	d := report.Detail{Row: report.Row{Customer: "cus_A", Tier: "Normal"}, Terms: []report.Term{
		{Name: "baseline", Basis: "fitted", Model: "fitted-3"}, {Name: "dispute", Basis: "prior"}}}
	var out strings.Builder
	if err := report.Explain(&out, d, false); err != nil || !strings.Contains(out.String(), "fitted (fitted-3)") || strings.Contains(out.String(), "prior (") {
		t.Errorf("error %v\n%s", err, out.String())
	}
}
