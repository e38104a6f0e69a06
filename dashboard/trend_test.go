package dashboard

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/kustiq/kustiq/internal/report"
)

func TestHistoryAndTrend(t *testing.T) {
	d := open(t)
	var history report.History
	if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/ns/acme/customers/cus_1/history", nil))), &history); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(history, report.History{
		Workspace: "ns/acme", Customer: "cus_1", AsOf: now, Livemode: true, Points: []report.HistoryPoint{
			{Day: "2026-02-28", Score: 65, Tier: "Normal", P30: .26}, {Day: "2026-03-01", Score: 95, Tier: "Critical", P30: .52},
		},
	}) {
		t.Errorf("%+v", history)
	}
	if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/ns/acme/customers/cus_1/history?days=1", nil))), &history); err != nil || len(history.Points) != 1 {
		t.Errorf("%+v %v", history, err)
	}
	var trend report.Trend
	if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/ns/acme/trend?days=400", nil))), &trend); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(trend, report.Trend{Workspace: "ns/acme", AsOf: now, Livemode: true, Points: []report.TrendPoint{{
		Day: "2026-03-01", AtRisk: 6, Critical: 1, Leaving: 2, Normal: 3, MRR: []report.Amount{{Currency: "eur", MRRMinor: 2000}, {Currency: "usd", MRRMinor: 4900}},
	}}}) {
		t.Errorf("%+v", trend)
	}
	for target, want := range map[string]string{
		"customers/cus_9/history":        "customer_not_found",
		"customers/cus_1/history?days=0": "bad_days",
		"trend?days=401":                 "bad_days",
		"trend?days=many":                "bad_days",
	} {
		var problem report.Problem
		body := text(t, d.do("GET", "/api/v1/workspaces/ns/acme/"+target, nil))
		if err := json.Unmarshal([]byte(body), &problem); err != nil || problem.Error.Code != want {
			t.Errorf("%s: %s", target, body)
		}
	}
}
