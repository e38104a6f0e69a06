// Package churnpage_test measures the churn page over HTTP, with many customers in the store. KUSTIQ_PAGE_CUSTOMERS says
// how many: 20,000 by default, 1,000,000 for the figures of the documentation.
package churnpage_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/dashboard"
	"github.com/kustiq/kustiq/engine/explain"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/vault"
	"github.com/kustiq/kustiq/test/postgres"
)

const (
	workspace = "acme/production"
	// requests of each kind are made, one after another.
	requests = 400
	// batch is how many customers a transaction stores.
	batch = 2000
)

var scope = store.Scope{Workspace: workspace, Livemode: true}

type world struct {
	b     *testing.B
	store *store.Store
	url   string
	n     int
}

// BenchmarkChurnPage asks for the page as browsers do: whole, filtered, searched, far down the list, and the part that
// changes by itself.
func BenchmarkChurnPage(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { measure(b, "sqlite://"+filepath.Join(b.TempDir(), "kustiq.db")) })
	b.Run("postgres", func(b *testing.B) {
		dsn, why := postgres.Start(b, false)
		if dsn == "" {
			b.Skip(why)
		}
		measure(b, dsn)
	})
}

func measure(b *testing.B, dsn string) {
	w := newWorld(b, dsn)
	w.fill()
	w.tidy(dsn)
	deep := w.deep()
	for _, page := range []struct {
		name  string
		query url.Values
		part  bool
	}{
		{"first", url.Values{}, false},
		{"part", url.Values{}, true},
		{"tier", url.Values{"tier": {"Leaving"}}, false},
		{"reason", url.Values{"reason": {"price_change"}}, false},
		{"interval", url.Values{"interval": {"year"}}, false},
		{"mrr", url.Values{"mrr": {"500"}}, false},
		{"all-filters", url.Values{"tier": {"Normal"}, "reason": {"dispute"}, "interval": {"year"}, "mrr": {"800"}}, false},
		{"name", url.Values{"q": {"granite"}}, false},
		{"rare-name", url.Values{"q": {"zephyr"}}, false},
		{"middling-name", url.Values{"q": {"ledger"}}, false},
		{"id", url.Values{"q": {"cus_0000042"}}, false},
		{"deep", url.Values{"after": {deep}}, false},
	} {
		b.Run(page.name, func(b *testing.B) {
			for b.Loop() {
				w.report(b, w.ask(page.query, page.part))
			}
		})
	}
}

func newWorld(b *testing.B, dsn string) *world {
	b.Helper()
	w, log := &world{b: b, n: 20_000}, slog.New(slog.DiscardHandler)
	if text := os.Getenv("KUSTIQ_PAGE_CUSTOMERS"); text != "" {
		n, err := strconv.Atoi(text)
		w.must(err)
		w.n = n
	}
	keyset, err := vault.NewKeyset()
	w.must(err)
	keys, err := vault.Open(keyset)
	w.must(err)
	w.store, err = store.Open(b.Context(), store.Options{DSN: dsn, Vault: keys, Clock: clock.RealClock{}, Logger: log})
	w.must(err)
	server, err := bus.StartServer(b.Context(), bus.ServerOptions{Dir: b.TempDir(), EncryptionKey: bytes.Repeat([]byte{1}, 32), Logger: log})
	w.must(err)
	messages, err := bus.Open(b.Context(), bus.Options{Server: server, Region: "eu", Logger: log})
	w.must(err)
	scheme := runtime.NewScheme()
	w.must(v1alpha1.AddToScheme(scheme))
	kube := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&v1alpha1.Workspace{
		ObjectMeta: metav1.ObjectMeta{Namespace: "acme", Name: "production"}, Spec: v1alpha1.WorkspaceSpec{Plan: "Pro", Region: "EU"},
	}).Build()
	explainer, err := explain.New(w.store, clock.RealClock{})
	w.must(err)
	web := httptest.NewUnstartedServer(nil)
	w.url = "http://" + web.Listener.Addr().String()
	pages, err := dashboard.New(dashboard.Options{
		Store: w.store, Matching: w.store, Explain: explainer, Audit: w.store, Bus: messages, Vault: keys, Kube: kube, Clock: clock.RealClock{}, Logger: log,
		BaseURL: w.url, Region: "EU", LocalUser: "bench",
	})
	w.must(err)
	web.Config.Handler = pages.Handler()
	web.Start()
	b.Cleanup(func() {
		web.Close()
		messages.Close()
		_ = server.Close()
		_ = w.store.Close()
	})
	return w
}

func (w *world) must(err error) {
	w.b.Helper()
	if err != nil {
		w.b.Fatal(err)
	}
}

// tidy does what autovacuum does some time after so many customers have come.
func (w *world) tidy(dsn string) {
	if !strings.HasPrefix(dsn, "postgres") {
		return
	}
	db, err := sql.Open("pgx", dsn)
	w.must(err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(w.b.Context(), `VACUUM (ANALYZE) customers, search_tokens`)
	w.must(err)
}

// fill stores customers of which every fifth is at risk.
func (w *world) fill() {
	random := rand.New(rand.NewPCG(1, 1))
	began := time.Now()
	for from := 0; from < w.n; from += batch {
		w.must(w.store.Update(w.b.Context(), func(tx *store.Tx) error { return w.fillBatch(tx, from, random) }))
	}
	w.b.Logf("stored %d customers in %s", w.n, time.Since(began).Round(time.Second))
}

var (
	tiers  = []scoring.Tier{scoring.Normal, scoring.Normal, scoring.Normal, scoring.Leaving, scoring.Critical}
	causes = []string{"open_dunning", "cancel_scheduled", "price_change", "dispute", "pause"}
	first  = []string{"Alder", "Birch", "Cobalt", "Dune", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper"}
	second = []string{"Analytics", "Bakery", "Cloud", "Design", "Energy", "Foods", "Games", "Health", "Labs", "Media"}
)

func (w *world) fillBatch(tx *store.Tx, from int, random *rand.Rand) error {
	ctx := w.b.Context()
	if _, err := tx.Workspaces(ctx, []store.Scope{scope}); err != nil {
		return err
	}
	var keys []store.CustomerKey
	for i := from; i < min(w.n, from+batch); i++ {
		keys = append(keys, store.CustomerKey{Scope: scope, Customer: fmt.Sprintf("cus_%08d", i)})
	}
	records, err := tx.Customers(ctx, keys)
	if err != nil {
		return err
	}
	save := make([]*store.CustomerRecord, 0, len(keys))
	for i, key := range keys {
		r := records[key]
		cause := causes[random.IntN(len(causes))]
		name := first[random.IntN(len(first))] + " " + second[random.IntN(len(second))]
		if (from+i)%25_000 == 5 {
			name = "Zephyr Labs"
		}
		if (from+i)%476 == 10 { // at a million just more than are taken one by one
			name = "Ledger Labs"
		}
		r.State, r.Account, r.EvaluatedAt = make([]byte, 600), "acct_1", time.Now()
		r.TopTerm, r.TopReason = cause, "2 failed payments on an unpaid invoice"
		tier := tiers[random.IntN(len(tiers))]
		r.Evaluation = scoring.Evaluation{
			Tier: tier, Score: 60 + random.IntN(38), MRR: float64(random.IntN(120_000)), P30: random.Float64(), Currency: []string{"eur", "usd"}[i%2],
			Segment: i%5 == 0, ModelVersion: "prior-1", IntervalMonths: []float64{1, 1, 1, 12}[random.IntN(4)], NextChangeAt: time.Now().Add(time.Hour),
			Terms: []scoring.Term{{Name: "baseline", Label: "Usual risk", LogOdds: -2.9, Points: -41.8}, {Name: cause, Label: "2 failed payments", LogOdds: 2, Points: 28.9}},
		}
		r.Observe(signal.Signal{ID: "evt_1", Kind: signal.CustomerUpdated, Created: time.Now().Unix(),
			Person: &signal.Person{Email: key.Customer + "@example.com", Name: name}})
		save = append(save, r)
	}
	return tx.SaveCustomers(ctx, save)
}

// deep is a cursor after half of the segment.
func (w *world) deep() string {
	q := store.AtRiskQuery{Limit: 500}
	for shown := 0; ; {
		page, err := w.store.AtRisk(w.b.Context(), workspace, q)
		w.must(err)
		shown += len(page.Rows)
		if page.Next == "" || shown >= page.Total/2 {
			return strconv.Itoa(shown) + "." + page.Next
		}
		q.After = page.Next
	}
}

// ask makes requests one after another and returns how long each took.
func (w *world) ask(query url.Values, part bool) []time.Duration {
	query.Set("workspace", workspace)
	took := make([]time.Duration, requests)
	for i := range took {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, w.url+"/dashboard/churn?"+query.Encode(), nil)
		w.must(err)
		if part {
			req.Header.Set("HX-Request", "true")
			req.Header.Set("HX-Target", "segment")
		}
		began := time.Now()
		resp, err := http.DefaultClient.Do(req)
		w.must(err)
		body, err := io.ReadAll(resp.Body)
		w.must(err)
		w.must(resp.Body.Close())
		took[i] = time.Since(began)
		if resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("cus_")) {
			w.b.Fatalf("%s: %d\n%.500s", query.Encode(), resp.StatusCode, body)
		}
	}
	slices.Sort(took)
	return took
}

func (w *world) report(b *testing.B, took []time.Duration) {
	b.Helper()
	ms := func(share float64) float64 {
		return float64(took[min(len(took)-1, int(share*float64(len(took))))].Microseconds()) / 1000
	}
	figures := map[string]float64{"ms-p50": ms(.5), "ms-p99": ms(.99), "ms-max": ms(1)}
	for name, figure := range figures {
		b.ReportMetric(figure, name)
	}
	line, err := json.Marshal(map[string]any{"benchmark": b.Name(), "customers": w.n, "requests": requests, "figures": figures})
	w.must(err)
	fmt.Fprintln(os.Stdout, string(line))
	b.ReportMetric(0, "ns/op") // one turn is no operation
}
