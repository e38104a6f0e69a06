package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/dashboard"
	"github.com/kustiq/kustiq/engine/explain"
	"github.com/kustiq/kustiq/engine/model"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/vault"
)

// showcase is a dashboard in front of a store with some weeks of history, at an instant that never changes: its pictures
// change with the pages only.
type showcase struct {
	url   string
	store *store.Store
	keys  *vault.Vault
	kube  client.Client
	clock *clocktesting.FakeClock
	all   []*subject
}

// showcaseNow is when the showcase's pages are looked at.
var showcaseNow = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

const showcaseWorkspace = "acme/production"

var showcaseScope = store.Scope{Workspace: showcaseWorkspace, Livemode: true}

func openShowcase(t testing.TB) *showcase {
	t.Helper()
	s := newShowcase(t, showcaseNow.AddDate(0, 0, -pastDays))
	s.all = subjects(420, showcaseNow.Unix())
	s.live(t)
	s.fit(t)
	s.review(t)
	s.serve(t, func(o *dashboard.Options) { o.LocalUser = "kim@acme.example" })
	return s
}

// newShowcase has no history yet.
func newShowcase(t testing.TB, at time.Time) *showcase {
	t.Helper()
	g := NewWithT(t)
	s := &showcase{clock: clocktesting.NewFakeClock(at), kube: showcaseCluster(t)}
	keyset, err := vault.NewKeyset()
	g.Expect(err).NotTo(HaveOccurred())
	s.keys, err = vault.Open(keyset)
	g.Expect(err).NotTo(HaveOccurred())
	s.store, err = store.Open(t.Context(), store.Options{
		DSN: "sqlite://" + filepath.Join(t.TempDir(), "kustiq.db"), Vault: s.keys, Clock: s.clock, Logger: slog.New(slog.DiscardHandler),
	})
	g.Expect(err).NotTo(HaveOccurred())
	return s
}

// serve opens the dashboard to whom the options let in.
func (s *showcase) serve(t testing.TB, letIn func(*dashboard.Options)) {
	t.Helper()
	g, log := NewWithT(t), slog.New(slog.DiscardHandler)
	server, err := bus.StartServer(t.Context(), bus.ServerOptions{Dir: t.TempDir(), EncryptionKey: bytes.Repeat([]byte{1}, 32), Logger: log})
	g.Expect(err).NotTo(HaveOccurred())
	b, err := bus.Open(t.Context(), bus.Options{Server: server, Region: "eu", Logger: log})
	g.Expect(err).NotTo(HaveOccurred())
	web := httptest.NewUnstartedServer(nil)
	s.url = "http://" + web.Listener.Addr().String()
	explainer, err := explain.New(s.store, s.clock)
	g.Expect(err).NotTo(HaveOccurred())
	options := dashboard.Options{
		Store: s.store, Matching: s.store, Explain: explainer, Audit: s.store, Bus: b, Vault: s.keys, Kube: s.kube, Clock: s.clock, Logger: log,
		BaseURL: s.url, Region: "EU",
	}
	letIn(&options)
	pages, err := dashboard.New(options)
	g.Expect(err).NotTo(HaveOccurred())
	web.Config.Handler = pages.Handler()
	web.Start()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = pages.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		web.Close()
		b.Close()
		_ = server.Close()
		_ = s.store.Close()
	})
}

// live lets the days pass up to showcaseNow, and scores on each what was known by then.
func (s *showcase) live(t testing.TB) {
	states := map[string]int{} // how many signals of a customer are stored
	for day := pastDays; day >= 0; day-- {
		s.clock.SetTime(showcaseNow.AddDate(0, 0, -day))
		NewWithT(t).Expect(s.store.Update(t.Context(), func(tx *store.Tx) error { return s.pass(t.Context(), tx, states) })).To(Succeed())
	}
}

// fit has the model looked at, as an engine does at night.
func (s *showcase) fit(t testing.TB) {
	g := NewWithT(t)
	fitter, err := model.New(model.Options{
		Store: s.store, Clock: s.clock, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Owner: "showcase",
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.store.AskModelRun(t.Context(), showcaseWorkspace)).To(Succeed())
	g.Expect(fitter.RunDue(t.Context())).To(BeTrue())
}

func (s *showcase) pass(ctx context.Context, tx *store.Tx, stored map[string]int) error {
	if _, err := tx.Workspaces(ctx, []store.Scope{showcaseScope}); err != nil {
		return err
	}
	now := s.clock.Now()
	var fresh []store.ScopedSignal
	var keys []store.CustomerKey
	known := map[string][]signal.Signal{}
	for _, c := range s.all {
		n := 0
		for n < len(c.signals) && c.signals[n].Created <= now.Unix() {
			n++
		}
		if n == 0 {
			continue
		}
		for _, sig := range c.signals[stored[c.id]:n] {
			fresh = append(fresh, store.ScopedSignal{Scope: showcaseScope, Signal: sig})
		}
		known[c.id], stored[c.id] = c.signals[:n], n
		keys = append(keys, store.CustomerKey{Scope: showcaseScope, Customer: c.id})
	}
	if _, err := tx.InsertSignals(ctx, fresh); err != nil {
		return err
	}
	records, err := tx.Customers(ctx, keys)
	if err != nil {
		return err
	}
	save := make([]*store.CustomerRecord, 0, len(keys))
	for _, key := range keys {
		r := records[key]
		for _, sig := range fresh {
			if sig.Signal.Customer == key.Customer {
				r.Observe(sig.Signal)
				r.FreshnessMs = 40 + sig.Signal.Created%200
			}
		}
		state := scoring.Fold(known[key.Customer])
		if r.State, err = json.Marshal(state); err != nil {
			return err
		}
		score(r, state, now)
		save = append(save, r)
	}
	return tx.SaveCustomers(ctx, save)
}

// score fills in what the engine saves of a customer.
func score(r *store.CustomerRecord, state *scoring.State, now time.Time) {
	r.Account, r.Evaluation, r.EvaluatedAt = "acct_1Showcase", scoring.Evaluate(state, now, scoring.Prior()), now
	r.TopReason, r.TopTerm = reasonOf(r.Evaluation)
}

// reasonOf is the term that raises the risk most, as the engine has it.
func reasonOf(e scoring.Evaluation) (reason, name string) {
	most := 0.0
	for _, term := range e.Terms {
		if term.Name != "baseline" && term.LogOdds > most {
			most, reason, name = term.LogOdds, term.Label, term.Name
		}
	}
	return reason, name
}

// showcaseCluster has two workspaces, one of them with a connection.
func showcaseCluster(t testing.TB) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	NewWithT(t).Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	var objects []client.Object
	for _, name := range []string{showcaseWorkspace, "globex/production", "initech/production"} {
		namespace, name, _ := strings.Cut(name, "/")
		objects = append(objects, &v1alpha1.Workspace{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.WorkspaceSpec{Plan: "Pro", Region: "EU"},
		})
	}
	conn := &v1alpha1.StripeConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "stripe-live", UID: "uid-live"},
		Spec:       v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "production"}, Mode: "Live"},
	}
	conn.Status.AccountID = "acct_1Showcase"
	conn.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Ready"}}
	objects = append(objects, conn)
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(append(objects, troubled()...)...).Build()
}

// riskiest is the customer at the top of the list who has the most to tell.
func (s *showcase) riskiest() string {
	page, err := s.store.AtRisk(context.Background(), showcaseWorkspace, store.AtRiskQuery{Tier: "Critical"})
	if err != nil || len(page.Rows) == 0 {
		return "none"
	}
	return page.Rows[0].Customer
}
