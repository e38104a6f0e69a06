package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/report"
)

func TestExplainTellsWhatIf(t *testing.T) {
	at65 := report.Outcome{Score: 65, Tier: "Normal", P30: .2678, AtRisk: true}
	at95 := report.Outcome{Score: 95, Tier: "Critical", P30: .5235, AtRisk: true}
	failed := report.Fact{ID: "evt_2", Event: "evt_2", Kind: "invoice.payment_failed", At: asOf.Add(-3 * time.Minute), Provenance: "event"}
	d := report.Detail{
		Workspace: "acme/main", AsOf: asOf, Row: report.Row{Customer: "cus_A", Score: 95, Tier: "Critical", P30: .5235},
		Eta: .094, Terms: []report.Term{
			{Name: "baseline", Label: "Usual risk", LogOdds: -2.906, Points: -41.92, Basis: "data"},
			{Name: "dispute", Label: "Disputed a charge", LogOdds: 3, Points: 43.28, Basis: "prior", Evidence: []string{"evt_2"}},
		},
		Explanation: report.Explanation{
			Facts:      []report.Fact{{ID: "in_0:failed:1", Kind: "invoice.payment_failed", At: asOf.Add(-72 * time.Hour), Provenance: "inferred"}, failed},
			LastChange: &report.LastChange{Signal: failed, Before: at65, After: at95},
			WhatIfs: []report.WhatIf{
				{Name: "invoices_paid", Label: "the open invoice is paid now", Before: at95, After: report.Outcome{Score: 57, Tier: "Normal", P30: .1671}},
				{Name: "quiet_7d", Label: "nothing happens for 7 days", Before: at95, After: report.Outcome{Score: 94, Tier: "Critical", P30: .4}},
			},
		},
	}
	var out strings.Builder
	if err := report.Explain(&out, d, false); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(out.String(), "by probability: 95.\n")
	want := `prior: a weight that is assumed until this workspace's own history has fitted it.
Last change: 65 → 95 (Normal → Critical) by Payment failed, 3 minutes ago.

EVIDENCE       WHAT            WHEN           KNOWN BY
in_0:failed:1  Payment failed  3 days ago     concluded from a list
evt_2          Payment failed  3 minutes ago  Stripe event

WHAT IF                       SCORE                        WITHIN 30 DAYS
the open invoice is paid now  95 → 57 (Critical → Normal)  52.3 % → 16.7 %
nothing happens for 7 days    95 → 94                      52.3 % → 40.0 %
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
