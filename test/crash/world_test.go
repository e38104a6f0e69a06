// Package crash_test kills the operator before and after every single one of its outside effects, one after the other,
// and lets another take over: on a real API server, a real bus and the simulated Stripe.
package crash_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/go-logr/logr"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/controllers/stripeconnection"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/devcluster"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/internal/vault"
)

const (
	operatorNamespace = "kustiq-system"
	installation      = "inst-under-test"
	redirectURI       = "https://app.kustiq.example/oauth/callback"
)

// world is everything that outlives an operator.
type world struct {
	t        *testing.T
	k8s      client.Client
	clock    *clocktesting.FakeClock
	sim      *stripesim.Server
	simURL   string
	platform stripesim.Platform
	api      *stripeapi.API
	bus      *bus.Server
	eye      *bus.Bus
	vault    *vault.Vault
	tokens   *tokenstore.Store
	serial   int
}

// newWorld starts the parts, with a platform of one flavour.
func newWorld(t *testing.T, cluster *devcluster.Cluster, app bool) *world {
	t.Helper()
	w := &world{t: t, clock: clocktesting.NewFakeClock(time.Now())}
	var err error
	w.k8s, err = client.New(cluster.Config, client.Options{Scheme: controllers.Scheme()})
	w.must(err)
	w.platform = stripesim.Platform{
		Name: "Kustiq", ClientIDLive: "ca_live", ClientIDTest: "ca_test", SecretKeyLive: "sk_live_platform",
		SecretKeyTest: "sk_test_platform", RedirectURIs: []string{redirectURI}, App: app,
	}
	logger := slog.New(slog.DiscardHandler)
	w.sim, err = stripesim.New(stripesim.Options{Clock: w.clock, Seed: 1, Logger: logger})
	w.must(err)
	w.sim.AddPlatform(w.platform)
	server := httptest.NewServer(w.sim)
	t.Cleanup(server.Close)
	w.simURL = server.URL
	w.api = w.stripe(http.DefaultTransport)

	key := make([]byte, 32)
	_, err = rand.Read(key)
	w.must(err)
	w.bus, err = bus.StartServer(t.Context(), bus.ServerOptions{Dir: filepath.Join(t.TempDir(), "bus"), EncryptionKey: key, Logger: logger})
	w.must(err)
	t.Cleanup(func() { _ = w.bus.Close() })
	w.eye = w.openBus()
	keys, err := vault.NewKeyset()
	w.must(err)
	w.vault, err = vault.Open(keys)
	w.must(err)
	w.tokens = tokenstore.New(w.k8s, operatorNamespace, w.vault)
	w.installPlatform(app)
	t.Cleanup(w.forget)
	return w
}

// forget removes what a scenario has left in the cluster, which the next one shares.
func (w *world) forget() {
	ctx := context.WithoutCancel(w.t.Context())
	var left v1alpha1.StripeConnectionList
	w.must(w.k8s.List(ctx, &left))
	for i := range left.Items {
		c := &left.Items[i]
		c.Finalizers = nil
		w.must(w.k8s.Update(ctx, c))
		w.must(client.IgnoreNotFound(w.k8s.Delete(ctx, c)))
	}
	w.must(w.k8s.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(operatorNamespace)))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) installPlatform(app bool) {
	flavor := "connect"
	if app {
		flavor = "app"
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	w.must(client.IgnoreAlreadyExists(w.k8s.Create(w.t.Context(), ns)))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kustiq-platform-eu"}}
	w.must(client.IgnoreNotFound(w.k8s.Delete(w.t.Context(), secret.DeepCopy())))
	secret.StringData = map[string]string{
		"client-id-live": w.platform.ClientIDLive, "secret-key-live": w.platform.SecretKeyLive,
		"client-id-test": w.platform.ClientIDTest, "secret-key-test": w.platform.SecretKeyTest, "flavor": flavor,
	}
	w.must(w.k8s.Create(w.t.Context(), secret))
}

func (w *world) stripe(transport http.RoundTripper) *stripeapi.API {
	api, err := stripeapi.New(stripeapi.Config{
		APIURL: w.simURL, ConnectURL: w.simURL, HTTPClient: &http.Client{Transport: transport}, Clock: w.clock, Metrics: prometheus.NewRegistry(),
	})
	w.must(err)
	return api
}

func (w *world) openBus() *bus.Bus {
	b, err := bus.Open(w.t.Context(), bus.Options{Server: w.bus, Region: "eu", Replicas: 1, Name: "test", Logger: slog.New(slog.DiscardHandler)})
	w.must(err)
	w.t.Cleanup(b.Close)
	return b
}

// live is one operator's life over one connection: it reconciles until it is killed, is done, or wants to wait. It
// returns where it was killed; "" when it was not.
func (w *world) live(c *v1alpha1.StripeConnection, f *fate) (death string) {
	w.t.Helper()
	connection := w.openBus()
	defer connection.Close()
	r := w.operator(connection, writer{w.k8s, f}, transport{f, http.DefaultTransport})
	defer func() {
		if cause := recover(); cause != nil {
			k, ok := cause.(killed)
			if !ok {
				panic(cause)
			}
			death = k.effect
		}
	}()
	ctx := ctrl.LoggerInto(w.t.Context(), logr.Discard())
	for range 5 {
		result, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(c)})
		w.must(err)
		if result.RequeueAfter > time.Minute {
			return ""
		}
	}
	return ""
}

// operator makes one that reaches the cluster and Stripe as given.
func (w *world) operator(connection *bus.Bus, cluster client.Client, stripe http.RoundTripper) *stripeconnection.Reconciler {
	w.t.Helper()
	r, err := stripeconnection.New(stripeconnection.Config{
		Client: cluster, Recorder: &events.FakeRecorder{}, OperatorNamespace: operatorNamespace, InstallationID: installation,
		Regions: map[string]stripeconnection.Region{"EU": {
			ReceiverURL: "https://eu.events.kustiq.example", DashboardURL: "https://app.kustiq.example", Bus: connection,
		}},
		API: w.stripe(stripe), Tokens: tokenstore.New(cluster, operatorNamespace, w.vault), BusVault: w.vault,
		Clock: w.clock, Jitter: func() float64 { return 0 },
	})
	w.must(err)
	return r
}

// declare makes a connection in a namespace of its own.
func (w *world) declare() (*v1alpha1.StripeConnection, *stripesim.Account) {
	w.t.Helper()
	w.serial++
	ctx, ns := w.t.Context(), fmt.Sprintf("tenant-%d-%d", time.Now().UnixNano(), w.serial)
	w.must(w.k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}))
	w.must(w.k8s.Create(ctx, &v1alpha1.Workspace{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "acme"}, Spec: v1alpha1.WorkspaceSpec{Plan: v1alpha1.PlanPro, Region: v1alpha1.RegionEU},
	}))
	c := &v1alpha1.StripeConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "main"},
		Spec:       v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: v1alpha1.ModeLive},
	}
	w.must(w.k8s.Create(ctx, c))
	id := fmt.Sprintf("acct_%s_%d", ns[len(ns)-6:], w.serial)
	a := stripesim.Generate(stripesim.GenerateOptions{
		AccountID: id, Name: id, Country: "DE", Currency: "eur", Customers: 1, Years: 0.2, Seed: 1, End: w.clock.Now(), Livemode: true,
	})
	w.sim.AddAccount(a)
	return c, a
}

// consent does what the account's owner and the dashboard do.
func (w *world) consent(c *v1alpha1.StripeConnection, a *stripesim.Account) {
	w.t.Helper()
	offer, _, err := w.eye.Offers().Get(w.t.Context(), string(c.UID))
	w.must(err)
	answer, err := w.sim.Consent(offer.AuthorizeURL, redirectURI, a.ID)
	w.must(err)
	sealed, err := w.vault.Seal([]byte(answer.Get("code")), "grant/"+string(c.UID))
	w.must(err)
	_, err = w.eye.Grants().Put(w.t.Context(), string(c.UID), bus.Grant{At: w.clock.Now().Unix(), SealedCode: sealed})
	w.must(err)
}

// connected makes a connection that is Ready.
func (w *world) connected() (*v1alpha1.StripeConnection, *stripesim.Account) {
	w.t.Helper()
	c, a := w.declare()
	w.live(c, &fate{})
	w.consent(c, a)
	w.live(c, &fate{})
	w.mustBeReady(c, "after its consent")
	return c, a
}

// show reads a connection and returns a condition of it.
func (w *world) show(c *v1alpha1.StripeConnection, conditionType string) metav1.Condition {
	w.t.Helper()
	w.must(w.k8s.Get(w.t.Context(), client.ObjectKeyFromObject(c), c))
	found := meta.FindStatusCondition(c.Status.Conditions, conditionType)
	if found == nil {
		return metav1.Condition{}
	}
	return *found
}

func (w *world) mustBeReady(c *v1alpha1.StripeConnection, when string) {
	w.t.Helper()
	if ready := w.show(c, v1alpha1.ConditionReady); ready.Status != metav1.ConditionTrue {
		w.t.Fatalf("%s: %s: %s", when, ready.Reason, ready.Message)
	}
}

// credentials are the platform's for live mode.
func (w *world) credentials() stripeapi.Platform {
	return stripeapi.Platform{ClientID: w.platform.ClientIDLive, SecretKey: w.platform.SecretKeyLive}
}

// own lists our endpoints at Stripe.
func (w *world) own() []stripeapi.Endpoint {
	w.t.Helper()
	listed, err := w.api.Endpoints(w.credentials()).List(context.WithoutCancel(w.t.Context()))
	w.must(err)
	var own []stripeapi.Endpoint
	for _, e := range listed {
		if e.Metadata["kustiq_installation"] == installation {
			own = append(own, e)
		}
	}
	return own
}
