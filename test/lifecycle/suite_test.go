// Package lifecycle_test walks connections through their lives on the whole of Kustiq: a real API server, two regions
// with a bus, a store, a receiver, an engine and a worker each, one operator with no more than its own rights, and a
// simulated Stripe. All of them share one fake clock, so that every time it states is Kustiq's own.
package lifecycle_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/engine/ingest"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/devcluster"
	"github.com/kustiq/kustiq/internal/rbactest"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/internal/vault"
	"github.com/kustiq/kustiq/webhookreceiver"
	"github.com/kustiq/kustiq/worker"
)

const (
	operatorNamespace = "kustiq-system"
	installation      = "inst-under-test"
)

// region is everything that one region has to itself.
type region struct {
	name     string
	platform stripesim.Platform
	bus      *bus.Bus
	vault    *vault.Vault
	store    *store.Store
	engine   *ingest.Engine
	receiver *httptest.Server

	mu   sync.Mutex
	seen map[string]int // requests to the receiver, by the account they claim
}

var (
	cluster   *devcluster.Cluster
	k8s       client.Client
	clk       *clocktesting.FakeClock
	sim       *stripesim.Server
	stripeURL string
	metrics   = prometheus.NewRegistry()
	eu        = newRegion("EU")
	us        = newRegion("US")
)

func newRegion(name string) *region {
	token := strings.ToLower(name)
	return &region{name: name, seen: map[string]int{}, platform: stripesim.Platform{
		Name: "Kustiq " + name, ClientIDLive: "ca_live_" + token, ClientIDTest: "ca_test_" + token,
		SecretKeyLive: "sk_live_" + token, SecretKeyTest: "sk_test_" + token,
		RedirectURIs: []string{"https://" + token + ".app.kustiq.example/oauth/callback"},
	}}
}

func TestLifecycle(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(poll)
	RunSpecs(t, "Lifecycle")
}

var _ = BeforeSuite(func() {
	logger := slog.New(slog.NewTextHandler(GinkgoWriter, nil))
	log.SetLogger(GinkgoLogr)
	dir := GinkgoT().TempDir()
	ctx, stop := context.WithCancel(context.Background())
	crds, err := config.CRDs()
	Expect(err).NotTo(HaveOccurred())
	cluster, err = devcluster.Start(ctx, devcluster.Options{Dir: filepath.Join(dir, "cluster"), CRDs: crds})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
	var running sync.WaitGroup
	DeferCleanup(func() {
		stop()
		running.Wait()
	})
	run := func(role func(context.Context) error) { running.Go(func() { _ = role(ctx) }) }

	// Behind the API server's own clock, which stamps creation and deletion, by more than all stories move it: a deletion's
	// deadline counts from that stamp and must not be over before it begins.
	clk = clocktesting.NewFakeClock(time.Now().Add(-72 * time.Hour))
	sim, err = stripesim.New(stripesim.Options{Clock: clk, Seed: 1, Logger: logger})
	Expect(err).NotTo(HaveOccurred())
	run(sim.Run)
	web := httptest.NewServer(sim)
	DeferCleanup(web.Close)
	stripeURL = web.URL
	api, err := stripeapi.New(stripeapi.Config{APIURL: stripeURL, ConnectURL: stripeURL, Clock: clk, Metrics: metrics})
	Expect(err).NotTo(HaveOccurred())

	k8s, err = client.New(cluster.Config, client.Options{Scheme: controllers.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})).To(Succeed())
	applyManifest(ctx, "../../config/rbac/role.yaml")
	applyManifest(ctx, "../../config/rbac/role_bindings.yaml")
	Expect(rbactest.CatchUp(ctx, cluster.Config)).To(Succeed())
	tokensVault, busVault := newVault(), newVault()
	tokens := tokenstore.New(k8s, operatorNamespace, tokensVault)
	for _, r := range []*region{eu, us} {
		sim.AddPlatform(r.platform)
		Expect(k8s.Create(ctx, r.credentials())).To(Succeed())
		r.vault = busVault
		r.start(ctx, filepath.Join(dir, r.name), logger, tokens, api, run)
	}
	startOperator(run, api, tokensVault, busVault)
})

func newVault() *vault.Vault {
	keys, err := vault.NewKeyset()
	Expect(err).NotTo(HaveOccurred())
	v, err := vault.Open(keys)
	Expect(err).NotTo(HaveOccurred())
	return v
}

func applyManifest(ctx context.Context, path string) {
	content, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	for _, document := range strings.Split(string(content), "\n---\n") {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed())
		if object.GetKind() != "" {
			Expect(k8s.Create(ctx, object)).To(Succeed())
		}
	}
}

// credentials is the Secret with the region's platform account.
func (r *region) credentials() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kustiq-platform-" + strings.ToLower(r.name)},
		StringData: map[string]string{
			"client-id-live": r.platform.ClientIDLive, "secret-key-live": r.platform.SecretKeyLive,
			"client-id-test": r.platform.ClientIDTest, "secret-key-test": r.platform.SecretKeyTest,
		},
	}
}

func (r *region) start(ctx context.Context, dir string, logger *slog.Logger, tokens *tokenstore.Store, api *stripeapi.API, run func(func(context.Context) error)) {
	key := make([]byte, 32)
	_, err := rand.Read(key)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.MkdirAll(dir, 0o700)).To(Succeed())
	server, err := bus.StartServer(ctx, bus.ServerOptions{Dir: filepath.Join(dir, "bus"), EncryptionKey: key, Logger: logger})
	Expect(err).NotTo(HaveOccurred())
	r.bus, err = bus.Open(ctx, bus.Options{Server: server, Region: strings.ToLower(r.name), Replicas: 1, Name: "lifecycle", Logger: logger})
	Expect(err).NotTo(HaveOccurred())
	r.store, err = store.Open(ctx, store.Options{DSN: "sqlite://" + filepath.Join(dir, "kustiq.db"), Vault: newVault(), Clock: clk, Logger: logger})
	Expect(err).NotTo(HaveOccurred())
	own := prometheus.NewRegistry()
	receiver, err := webhookreceiver.New(webhookreceiver.Options{Bus: r.bus, Vault: r.vault, Clock: clk, Logger: logger, Metrics: own})
	Expect(err).NotTo(HaveOccurred())
	engine, err := ingest.New(ingest.Options{Bus: r.bus, Store: r.store, Clock: clk, Logger: logger, Metrics: own})
	Expect(err).NotTo(HaveOccurred())
	work, err := worker.New(worker.Options{Bus: r.bus, Tokens: tokens, API: api, Clock: clk, Logger: logger, Metrics: own})
	Expect(err).NotTo(HaveOccurred())
	r.engine = engine
	run(receiver.Run)
	run(engine.Run)
	run(work.Run)
	r.receiver = httptest.NewServer(r.watch(receiver.Handler()))
	DeferCleanup(r.receiver.Close)
}

// watch counts the requests that reach the region's receiver.
func (r *region) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var event struct {
			Account string `json:"account"`
		}
		_ = json.Unmarshal(body, &event)
		r.mu.Lock()
		r.seen[event.Account]++
		r.mu.Unlock()
		req.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, req)
	})
}

// saw is how many requests claimed to come from an account.
func (r *region) saw(account string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[account]
}

// startOperator runs one with the rights of its role and no others.
func startOperator(run func(func(context.Context) error), api *stripeapi.API, tokensVault, busVault *vault.Vault) {
	asOperator := rest.CopyConfig(cluster.Config)
	asOperator.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + operatorNamespace + ":kustiq-operator"}
	options := controllers.ManagerOptions(operatorNamespace)
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	mgr, err := ctrl.NewManager(asOperator, options)
	Expect(err).NotTo(HaveOccurred())
	regions := map[string]controllers.Region{}
	for _, r := range []*region{eu, us} {
		regions[r.name] = controllers.Region{
			ReceiverURL: r.receiver.URL, DashboardURL: strings.TrimSuffix(r.platform.RedirectURIs[0], "/oauth/callback"), Bus: r.bus,
		}
	}
	Expect(controllers.Setup(mgr, controllers.Config{
		OperatorNamespace: operatorNamespace, InstallationID: installation, Regions: regions, API: api,
		TokensVault: tokensVault, BusVault: busVault, Clock: clk, Metrics: metrics,
	})).To(Succeed())
	run(mgr.Start)
}
