package dashboard

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kustiq/kustiq/engine/model"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
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

// TestAFitThroughTheAPI asks for a fit of a real store's workspace, lets a fitter do it, and reads the card.
func TestAFitThroughTheAPI(t *testing.T) {
	d := open(t)
	scores, err := store.Open(t.Context(), store.Options{DSN: "sqlite://" + filepath.Join(t.TempDir(), "store.db"), Vault: d.vault, Clock: d.clock,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = scores.Close() }()
	d.dashboard.Store = scores
	fill(t, scores, 90)
	fitter, err := model.New(model.Options{Store: scores, Clock: d.clock, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Owner: "one"})
	if err != nil {
		t.Fatal(err)
	}
	read := func() (m report.Model) {
		t.Helper()
		if err := json.Unmarshal([]byte(text(t, d.do("GET", "/api/v1/workspaces/ns/acme/model", nil))), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := read(); m.Card.Version != "prior-1" || m.Run.State != report.RunWaiting || len(m.Versions) != 0 {
		t.Errorf("before: %+v", m)
	}
	if resp := d.post("/api/v1/workspaces/ns/acme/model/fit", "{}", ""); resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%d", resp.StatusCode)
	}
	if m := read(); m.Run.State != report.RunAsked {
		t.Errorf("asked: %+v", m.Run)
	}
	// Another engine takes it up, tells how far it is, and dies.
	claim, _, err := scores.ClaimModelRun(t.Context(), "two", now.Add(time.Minute))
	if err != nil || scores.ProgressModelRun(t.Context(), claim, "reading", 40, 90, now.Add(time.Minute)) != nil {
		t.Fatal(err)
	}
	if m := read(); m.Run.State != report.RunRunning || m.Run.Phase != "reading" || m.Run.Done != 40 || m.Run.Total != 90 {
		t.Errorf("running: %+v", m.Run)
	}
	d.clock.SetTime(now.Add(2 * time.Minute))
	if m := read(); m.Run.State != report.RunAsked {
		t.Errorf("died: %+v", m.Run)
	}
	if !fitter.RunDue(t.Context()) {
		t.Fatal("nothing was due")
	}
	m := read()
	if m.Card.Version != "intercept-1" || m.Card.Panel.Customers != 90 || m.Card.Panel.Churns != 30 || len(m.Card.Weights) != scoring.CoefficientCount ||
		m.Card.Figures == nil || len(m.Card.Calibration) == 0 || m.Card.Test == nil || len(m.Card.Test.Reasons) == 0 {
		t.Errorf("%+v", m.Card)
	}
	if m.Run.State != report.RunWaiting || m.Run.Result != m.Card.Reason || len(m.Versions) != 1 || m.Versions[0].Figures == nil {
		t.Errorf("%+v", m)
	}
}

// fill stores customers who have paid for a year, of whom every third has left.
func fill(t *testing.T, s *store.Store, customers int) {
	t.Helper()
	scope := store.Scope{Workspace: "ns/acme", Livemode: true}
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Workspaces(t.Context(), []store.Scope{scope}); err != nil {
			return err
		}
		var signals []store.ScopedSignal
		var records []*store.CustomerRecord
		for i := range customers {
			key := store.CustomerKey{Scope: scope, Customer: fmt.Sprintf("cus_%02d", i)}
			at := now.AddDate(0, 0, -365).Unix()
			history := []signal.Signal{{ID: "paid", Kind: signal.PaymentSucceeded, Created: at, Customer: key.Customer,
				Invoice: &signal.Invoice{ID: "in_1", Subscription: "sub_1", BillingReason: "subscription_create", AmountPaid: 100, Created: at, PaidAt: at}}}
			if i%3 == 0 {
				history = append(history, signal.Signal{ID: "ended", Kind: signal.SubscriptionDeleted, Created: at + int64(86400*(60+3*i)), Customer: key.Customer,
					Subscription: &signal.Subscription{ID: "sub_1", Status: "canceled"}})
			}
			loaded, err := tx.Customers(t.Context(), []store.CustomerKey{key})
			if err != nil {
				return err
			}
			record := loaded[key]
			record.State, record.EvaluatedAt = []byte("{}"), now
			record.Evaluation = scoring.Evaluate(scoring.Fold(history), now, scoring.Prior())
			records = append(records, record)
			for _, h := range history {
				signals = append(signals, store.ScopedSignal{Scope: scope, Signal: h})
			}
		}
		if _, err := tx.InsertSignals(t.Context(), signals); err != nil {
			return err
		}
		return tx.SaveCustomers(t.Context(), records)
	})
	if err != nil {
		t.Fatal(err)
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
