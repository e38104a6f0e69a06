package report_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/report"
)

var asOf = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

func twoRows() report.AtRisk {
	return report.AtRisk{
		Workspace: "acme/main", AsOf: asOf, Total: 3,
		Rows: []report.Row{
			{Rank: 1, Customer: "cus_A", Name: "Anna Ångström", Score: 95, Tier: "Critical", P30: 0.524, MRRMinor: 4900, Currency: "usd",
				Reason: "2 failed payments, unpaid", LastSignal: "invoice.payment_failed", LastSignalAt: asOf.Add(-90 * time.Second),
				FreshnessMs: 180, ModelVersion: "prior-1"},
			{Rank: 2, Customer: "cus_B2", Name: "株式会社 例", Score: 65, Tier: "Normal", P30: 0.2678, MRRMinor: 1250000, Currency: "jpy"},
		},
	}
}

func TestAtRiskTable(t *testing.T) {
	var out strings.Builder
	if err := report.AtRiskTable(&out, twoRows()); err != nil {
		t.Fatal(err)
	}
	want := `
RANK  CUSTOMER  NAME           SCORE  TIER         P30         MRR  REASON
   1  cus_A     Anna Ångström     95  Critical  52.4 %      $49.00  2 failed payments, unpaid
   2  cus_B2    株式会社 例       65  Normal    26.8 %  ¥1,250,000  –
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("table:%s\nwant:%s", got, want)
	}
}

func TestAtRiskWideAddsLastSignal(t *testing.T) {
	var out strings.Builder
	if err := report.AtRiskWide(&out, twoRows()); err != nil {
		t.Fatal(err)
	}
	first := strings.Split(out.String(), "\n")[1]
	for _, part := range []string{"Payment failed", "1 minute ago", "180 ms", "prior-1"} {
		if !strings.Contains(first, part) {
			t.Errorf("wide row %q lacks %q", first, part)
		}
	}
}

func TestNamesCannotSteerTheTerminal(t *testing.T) {
	page := twoRows()
	page.Rows[0].Name = "Eve\x1b[2J\u202egnp.exe\nRoot"
	var out strings.Builder
	if err := report.AtRiskTable(&out, page); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e") || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("control characters reached the terminal: %q", out.String())
	}
}

func TestLongCellsAreCut(t *testing.T) {
	page := twoRows()
	page.Rows[0].Name = strings.Repeat("名", 40)
	var out strings.Builder
	if err := report.AtRiskTable(&out, page); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("名", 13) + "…"; !strings.Contains(out.String(), want+" ") {
		t.Errorf("want the name cut to %q in\n%s", want, out.String())
	}
}

func TestExplain(t *testing.T) {
	d := report.Detail{
		Workspace: "acme/main", AsOf: asOf,
		Row: report.Row{Customer: "cus_A", Name: "Anna", Score: 65, Tier: "Normal", P30: 0.2678, MRRMinor: 4900, Currency: "usd",
			LastSignal: "invoice.payment_failed", LastSignalAt: asOf.Add(-time.Hour), NextChangeAt: asOf.Add(3 * time.Hour), ModelVersion: "prior-1"},
		Eta: -1.0060,
		Terms: []report.Term{
			{Name: "baseline", Label: "Customer for 225 days, paying monthly", LogOdds: -2.9060, Points: -41.9247, Basis: "data"},
			{Name: "open_dunning", LogOdds: 1.9, Points: 27.4113, Basis: "data", Evidence: []string{"evt_1", "evt_2", "evt_3", "evt_4"}},
		},
	}
	var out strings.Builder
	if err := report.Explain(&out, d, false); err != nil {
		t.Fatal(err)
	}
	want := `
Anna (cus_A) in acme/main
Score 65, Normal, 26.8 % likely to cancel within 30 days, MRR $49.00

POINTS  LOG-ODDS  BECAUSE                                BASIS  EVIDENCE
 80.00            Even odds, where the scale is pinned
-41.92   -2.9060  Customer for 225 days, paying monthly  data
+27.41   +1.9000  open dunning                           data   evt_1, evt_2, evt_3 and 1 more
 65.49   -1.0060  Sum (η)

The points sum to 65.49; rounded and kept within 0 to 88, the score is 65.
Last signal: Payment failed, 1 hour ago.
Looked at again in 3 hours (2025-06-01 15:00 UTC) if nothing happens before.
Model prior-1.
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("explanation:%s\nwant:%s", got, want)
	}
	out.Reset()
	if err := report.Explain(&out, d, true); err != nil || !strings.Contains(out.String(), "evt_1, evt_2, evt_3, evt_4\n") {
		t.Errorf("wide: %v\n%s", err, out.String())
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		minor    float64
		currency string
		want     string
	}{
		{4900, "usd", "$49.00"}, {123456789, "eur", "€1,234,567.89"}, {500, "jpy", "¥500"}, {-1250, "gbp", "-£12.50"},
		{1234567, "kwd", "KWD 1,234.567"}, {99, "CHF", "CHF 0.99"}, {0, "", "–"},
	} {
		if got := report.Money(c.minor, c.currency); got != c.want {
			t.Errorf("Money(%v, %q) = %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
}

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Hour, "just now"}, {500 * time.Millisecond, "just now"}, {time.Second, "1 second ago"}, {59 * time.Second, "59 seconds ago"},
		{time.Minute, "1 minute ago"}, {47 * time.Hour, "47 hours ago"}, {48 * time.Hour, "2 days ago"},
	} {
		if got := report.Ago(asOf.Add(-c.d), asOf); got != c.want {
			t.Errorf("Ago(%s) = %q, want %q", c.d, got, c.want)
		}
	}
	if got := report.Ago(time.Time{}, asOf); got != "–" {
		t.Errorf("an unknown instant is %q", got)
	}
}

func TestClient(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		if strings.Contains(r.URL.Path, "cus_none") {
			w.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(w).Encode(report.Problem{Error: report.ProblemDetail{Code: "not_found", Message: "No such customer."}})
			return
		}
		_ = json.NewEncoder(w).Encode(twoRows())
	}))
	defer server.Close()
	client, err := report.NewClient(server.URL+"/", server.Client())
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.AtRisk(context.Background(), "acme/main", report.AtRiskQuery{Limit: 2, Tier: "Critical", After: "x"})
	if err != nil || len(page.Rows) != 2 || page.Rows[0].Customer != "cus_A" {
		t.Fatalf("page %+v, error %v", page, err)
	}
	if want := "/api/v1/workspaces/acme/main/at-risk?after=x&limit=2&tier=Critical"; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
	_, err = client.Customer(context.Background(), "acme/main", "cus_none")
	var refused *report.APIError
	if !errors.As(err, &refused) || refused.Status != http.StatusNotFound || refused.Code != "not_found" {
		t.Errorf("want an APIError with the server's code, got %v", err)
	}
	if _, err := report.NewClient("localhost:8080", server.Client()); err == nil {
		t.Error("an address without a scheme was accepted")
	}
}
