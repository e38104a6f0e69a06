package dashboard

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/kustiq/kustiq/engine/store"
)

// ask requests a page with headers.
func (d *desk) ask(target string, headers ...string) *http.Response {
	d.t.Helper()
	req := httptest.NewRequest("GET", "http://127.0.0.1:8080"+target, nil)
	req.RemoteAddr = "127.0.0.1:5000"
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req)
	return w.Result()
}

func TestThePartThatChangesComesAlone(t *testing.T) {
	d := open(t)
	const page = "/dashboard/churn?workspace=ns/acme&tier=Critical"
	chosen := d.ask(page, "HX-Request", "true", "HX-Target", "segment")
	part := text(t, chosen)
	if strings.Contains(part, "<html") || !strings.HasPrefix(part, `<div id="segment"`) || !strings.Contains(part, "cus_1") {
		t.Errorf("not the part alone:\n%s", part)
	}
	if got := chosen.Header.Get("HX-Push-Url"); got != "/dashboard/churn?tier=Critical&workspace=ns%2Facme" {
		t.Errorf("a choice has the address %q", got)
	}
	if got := d.ask(page, "HX-Request", "true", "HX-Target", "segment", "HX-Trigger", "segment").Header.Get("HX-Push-Url"); got != "false" {
		t.Errorf("an update by itself changes the address to %q", got)
	}
	if came := d.ask(page, "HX-Request", "true", "HX-Target", "main"); came.Header.Get("HX-Refresh") != "true" {
		t.Error("a page that waited for customers is not loaded anew when they have come")
	}
}

// A page that was left by all who were on it is not the end of the risk.
func TestALaterPageCanBecomeEmpty(t *testing.T) {
	d := open(t)
	page := text(t, d.ask("/dashboard/churn?workspace=ns/acme&after=50.99"))
	if !strings.Contains(page, "This page of the list is empty now") || !strings.Contains(page, `href="/dashboard/churn?workspace=ns%2Facme"`) || strings.Contains(page, "Nobody is at risk") {
		t.Error(page)
	}
}

func TestAnExportIsWholeHarmlessAndAudited(t *testing.T) {
	d := open(t)
	long := shelf{}
	for i := range exportPage + 7 {
		long["ns/acme"] = append(long["ns/acme"], scored(fmt.Sprintf("cus_%04d", i), "=HYPERLINK(\"x\")", "Critical", 95))
	}
	d.dashboard.Store = long
	resp := d.ask("/dashboard/churn.csv?workspace=ns/acme")
	rows, err := csv.NewReader(resp.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+exportPage+7 || rows[1][1] != "cus_0000" || rows[len(rows)-1][1] != fmt.Sprintf("cus_%04d", exportPage+6) {
		t.Errorf("%d rows, the last one %v", len(rows), rows[len(rows)-1])
	}
	want := []string{"1", "cus_0000", `'=HYPERLINK("x")`, "95", "Critical", "0.5000", "99.00", "EUR", "2 failed payments"}
	if got := rows[1][:len(want)]; strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%q", got)
	}
	if got := resp.Header.Get("Content-Disposition"); got != `attachment; filename="ns-acme-at-risk-20260301-1200.csv"` {
		t.Errorf("%s", got)
	}
	if e := d.audit.entries; len(e) != 1 || e[0].Action != "customers.export" || e[0].Outcome != store.AuditDone || e[0].Workspace != "ns/acme" {
		t.Errorf("the audit log: %+v", e)
	}
	if other := d.ask("/dashboard/churn.csv?workspace=ns/american"); other.StatusCode != http.StatusNotFound {
		t.Errorf("a workspace of another region: %d", other.StatusCode)
	}
}

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Acme": "Acme", "=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@SUM": "'@SUM", "\tx": "'\tx", "\rx": "'\rx", "|x": "'|x", "a=b": "a=b",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// maxFirstLoad is what a browser may have to fetch for the first churn page, in bytes as they are sent.
const maxFirstLoad = 150_000

func TestTheFirstLoadIsSmall(t *testing.T) {
	d := open(t)
	full := shelf{}
	for i := range pageSize + 1 {
		full["ns/acme"] = append(full["ns/acme"], scored(fmt.Sprintf("cus_%04d", i), fmt.Sprintf("A customer with a name, No. %d", i), "Critical", 95))
	}
	d.dashboard.Store = full
	sent := func(address string) (length int, body string) {
		t.Helper()
		resp := d.ask(address, "Accept-Encoding", "gzip")
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: %d %v", address, resp.StatusCode, resp.Header)
		}
		packed := text(t, resp)
		r, err := gzip.NewReader(strings.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return len(packed), string(plain)
	}
	total, page := sent("/dashboard/churn?workspace=ns/acme")
	if strings.Count(page, "<tr role") != pageSize+1 {
		t.Fatalf("the page has %d rows", strings.Count(page, "<tr role"))
	}
	found := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	seen := map[string]bool{}
	for _, f := range found {
		if !seen[f[1]] {
			seen[f[1]] = true
			length, _ := sent(f[1])
			total += length
		}
	}
	if len(seen) != 4 || total > maxFirstLoad {
		t.Errorf("%d bytes for the page and %v", total, seen)
	}
	t.Logf("%d bytes", total)
}
