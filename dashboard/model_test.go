package dashboard

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/report"
)

func TestTheModelCard(t *testing.T) {
	d := open(t)
	read := func(workspace string) (m report.Model) {
		t.Helper()
		if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/"+workspace+"/model", nil))), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := read("ns/acme")
	if m.Workspace != "ns/acme" || m.Card.Version != "fitted-3" || m.Card.Kind != report.ModelFitted || m.Card.Figures.AUC != 0.7 ||
		m.Card.Weights[0].Basis != "fitted" || !m.Card.CreatedAt.Equal(now) {
		t.Errorf("%+v", m)
	}
	if len(m.Versions) != 2 || m.Versions[0].Figures.AUC != 0.7 || m.Versions[0].Reason != "stood the test" || m.Versions[1].Figures != nil {
		t.Errorf("%+v", m.Versions)
	}
	if m.Run.State != report.RunWaiting || !m.Run.NextAt.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v", m.Run)
	}
	if m := read("ns/other"); m.Run.State != report.RunFailed || m.Run.Result == "" {
		t.Errorf("%+v", m.Run)
	}
	if resp := d.do("GET", "/api/v1/workspaces/ns/american/model", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another region's: %d", resp.StatusCode)
	}
}

func TestAFitOnDemand(t *testing.T) {
	d := open(t)
	var run report.ModelRun
	resp := d.post("/api/v1/workspaces/ns/acme/model/fit", "{}", "")
	if resp.StatusCode != http.StatusAccepted || json.Unmarshal([]byte(text(t, resp)), &run) != nil || run.State != report.RunAsked {
		t.Errorf("%d, %+v", resp.StatusCode, run)
	}
	if log := text(t, d.do("GET", "/api/v1/workspaces/ns/acme/audit", nil)); !json.Valid([]byte(log)) || !strings.Contains(log, `"fit"`) {
		t.Errorf("the audit log: %s", log)
	}
	if resp := d.post("/api/v1/workspaces/ns/acme/model/fit", "{}", "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("from a page elsewhere: %d", resp.StatusCode)
	}
	d.dashboard.Store.(shelf)["ns/other"] = nil
	if resp := d.post("/api/v1/workspaces/ns/other/model/fit", "", ""); resp.StatusCode != http.StatusConflict {
		t.Errorf("without history: %d", resp.StatusCode)
	}
	if page := text(t, d.do("GET", "/api/v1/workspaces/ns/other/model", nil)); !strings.Contains(page, "has not been looked at yet") || !strings.Contains(page, `"prior-1"`) {
		t.Errorf("without history: %s", page)
	}
}
