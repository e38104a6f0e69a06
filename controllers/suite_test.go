package controllers_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/devcluster"
	"github.com/kustiq/kustiq/internal/rbactest"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/internal/vault"
)

const (
	operatorNamespace = "kustiq-system"
	installation      = "inst-under-test"
	dashboardURL      = "https://app.kustiq.example"
	receiverURL       = "https://eu.events.kustiq.example"
	redirectURI       = dashboardURL + "/oauth/callback"
)

// platform is the EU platform account that the simulated Stripe knows.
var platform = stripesim.Platform{
	Name: "Kustiq EU", ClientIDLive: "ca_live", ClientIDTest: "ca_test",
	SecretKeyLive: "sk_live_platform", SecretKeyTest: "sk_test_platform", RedirectURIs: []string{redirectURI},
}

// One control plane, bus, Stripe and manager for all stories: each takes a namespace and an account of its own.
var (
	k8s      client.Client
	operator client.Client // with the operator's rights
	clk      *clocktesting.FakeClock
	sim      *stripesim.Server
	stripe   *stripeapi.API
	euBus    *bus.Bus
	busVault *vault.Vault
	tokens   *tokenstore.Store
	metrics  *prometheus.Registry
	// asked has the metrics of what is asked of Stripe.
	asked *prometheus.Registry
	tasks *taskLog
	// admin is the cluster as its administrator reaches it, from the command line too.
	admin *devcluster.Cluster
)

func TestControllers(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "Controllers")
}

var _ = BeforeSuite(func() {
	logger := slog.New(slog.NewTextHandler(GinkgoWriter, nil))
	log.SetLogger(GinkgoLogr)
	dir := GinkgoT().TempDir()
	ctx, stop := context.WithCancel(context.Background())

	crds, err := config.CRDs()
	Expect(err).NotTo(HaveOccurred())
	cluster, err := devcluster.Start(ctx, devcluster.Options{Dir: filepath.Join(dir, "cluster"), CRDs: crds})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })
	admin = cluster
	clk = clocktesting.NewFakeClock(time.Now())
	startStripe(ctx, logger)
	startBus(ctx, dir, logger)

	// The tests look past the operator's cache, with every right; the operator has those of its role and no others.
	k8s, err = client.New(cluster.Config, client.Options{Scheme: controllers.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}})).To(Succeed())
	Expect(k8s.Create(ctx, platformSecret())).To(Succeed())
	applyManifests(ctx, "../config/rbac/role.yaml", "../config/rbac/role_bindings.yaml")
	Expect(rbactest.CatchUp(ctx, cluster.Config)).To(Succeed())
	asOperator := rest.CopyConfig(cluster.Config)
	asOperator.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + operatorNamespace + ":kustiq-operator"}
	operator, err = client.New(asOperator, client.Options{Scheme: controllers.Scheme()})
	Expect(err).NotTo(HaveOccurred())

	ended := startOperator(ctx, asOperator)
	DeferCleanup(func() {
		stop()
		Eventually(ended).Should(Receive(BeNil()))
	})
})

func startOperator(ctx context.Context, config *rest.Config) <-chan error {
	options := controllers.ManagerOptions(operatorNamespace)
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	mgr, err := ctrl.NewManager(config, options)
	Expect(err).NotTo(HaveOccurred())
	metrics = prometheus.NewRegistry()
	tokensVault := newVault()
	busVault = newVault()
	tokens = tokenstore.New(k8s, operatorNamespace, tokensVault)
	Expect(controllers.Setup(mgr, controllers.Config{
		OperatorNamespace: operatorNamespace,
		InstallationID:    installation,
		Regions:           map[string]controllers.Region{"EU": {ReceiverURL: receiverURL, DashboardURL: dashboardURL, Bus: euBus}},
		API:               stripe,
		TokensVault:       tokensVault,
		BusVault:          busVault,
		Clock:             clk,
		Metrics:           metrics,
	})).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	return ended
}

// The API server's own clock stamps creation and deletion, so each story begins beside it and only moves on.
var _ = BeforeEach(func() { clk.SetTime(time.Now()) })

func startStripe(ctx context.Context, logger *slog.Logger) {
	var err error
	sim, err = stripesim.New(stripesim.Options{Clock: clk, Seed: 1, Logger: logger})
	Expect(err).NotTo(HaveOccurred())
	sim.AddPlatform(platform)
	server := httptest.NewServer(sim)
	DeferCleanup(server.Close)
	asked = prometheus.NewRegistry()
	stripe, err = stripeapi.New(stripeapi.Config{APIURL: server.URL, ConnectURL: server.URL, Clock: clk, Metrics: asked})
	Expect(err).NotTo(HaveOccurred())
	stripeURL = server.URL
}

func startBus(ctx context.Context, dir string, logger *slog.Logger) {
	key := make([]byte, 32)
	_, err := rand.Read(key)
	Expect(err).NotTo(HaveOccurred())
	server, err := bus.StartServer(ctx, bus.ServerOptions{Dir: filepath.Join(dir, "bus"), EncryptionKey: key, Logger: logger})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Close)
	euBus, err = bus.Open(ctx, bus.Options{Server: server, Region: "eu", Replicas: 1, Name: "test", Logger: logger})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(euBus.Close)
	tasks = &taskLog{}
	ended := make(chan error, 1)
	go func() { ended <- euBus.ConsumeTasks(ctx, bus.TaskSlots{LookUps: 1, Backfills: 1}, tasks.take) }()
	DeferCleanup(func() { Eventually(ended).Should(Receive(MatchError(context.Canceled))) })
}

func newVault() *vault.Vault {
	keys, err := vault.NewKeyset()
	Expect(err).NotTo(HaveOccurred())
	v, err := vault.Open(keys)
	Expect(err).NotTo(HaveOccurred())
	return v
}

// applyManifests installs files of the repository as an administrator does.
func applyManifests(ctx context.Context, files ...string) {
	for _, file := range files {
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		for _, document := range strings.Split(string(text), "\n---\n") {
			object := &unstructured.Unstructured{}
			Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed(), file)
			Expect(k8s.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("test"))).To(Succeed(), file)
		}
	}
}

func platformSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kustiq-platform-eu"},
		StringData: map[string]string{
			"client-id-live": platform.ClientIDLive, "secret-key-live": platform.SecretKeyLive,
			"client-id-test": platform.ClientIDTest, "secret-key-test": platform.SecretKeyTest,
		},
	}
}
