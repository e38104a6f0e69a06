//go:build !image

package main

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/dashboard"
	"github.com/kustiq/kustiq/engine/explain"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/webhookreceiver"
	"github.com/kustiq/kustiq/worker"
)

func (s *devStack) startBus() (err error) {
	s.busServer, err = bus.StartServer(s.ctx, bus.ServerOptions{
		Dir: filepath.Join(s.opts.dataDir, "bus"), EncryptionKey: s.busFiles, Logger: s.log,
	})
	if err != nil {
		return err
	}
	s.bus, err = bus.Open(s.ctx, bus.Options{
		Server: s.busServer, Region: devRegionToken, Replicas: 1, Name: "kustiq-dev", Logger: s.log,
	})
	return err
}

func (s *devStack) openStore() (err error) {
	s.storeDSN = s.opts.store
	if s.storeDSN == "" {
		s.storeDSN = "sqlite://" + filepath.Join(s.opts.dataDir, "kustiq.db")
	}
	s.store, err = store.Open(s.ctx, store.Options{DSN: s.storeDSN, Vault: s.keys.Identity, Clock: s.clock, Logger: s.log})
	if err != nil || s.opts.store == "" {
		return err
	}
	// What an earlier demo left in a database of one's own is of a simulated Stripe, and of keys, that are gone.
	erased, err := s.store.Erase(s.ctx, demoWorkspace)
	if err == nil && erased.Customers > 0 {
		s.say("erased %d customers of an earlier demo (%s)", erased.Customers, demoWorkspace)
	}
	return err
}

// Names of the simulated platform. They open nothing but the simulator.
const (
	platformName = "Kustiq"
	clientIDLive = "ca_KustiqDevLive"
	clientIDTest = "ca_KustiqDevTest"
)

func (s *devStack) startStripe() (err error) {
	s.stripe, err = stripesim.New(stripesim.Options{Clock: s.clock, Seed: s.opts.seed, Logger: s.log})
	if err != nil {
		return err
	}
	liveKey, testKey := "sk_live_"+rand.Text(), "sk_test_"+rand.Text()
	s.stripe.AddPlatform(stripesim.Platform{
		Name: platformName, ClientIDLive: clientIDLive, ClientIDTest: clientIDTest,
		SecretKeyLive: liveKey, SecretKeyTest: testKey,
		RedirectURIs: []string{baseURL(s.listeners.dashboard) + "/oauth/callback"},
	})
	s.addDemoAccount()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kustiq-platform-" + devRegionToken},
		StringData: map[string]string{
			"client-id-live": clientIDLive, "client-id-test": clientIDTest,
			"secret-key-live": liveKey, "secret-key-test": testKey,
		},
	}
	if err := s.kube.Create(s.ctx, secret); err != nil {
		return fmt.Errorf("store platform credentials: %w", err)
	}
	s.serve(&http.Server{Handler: s.stripe, ReadHeaderTimeout: stopTimeout}, s.listeners.stripe)
	s.run("simulated Stripe", s.stripe.Run)
	s.api, err = stripeapi.New(stripeapi.Config{
		APIURL: baseURL(s.listeners.stripe), ConnectURL: baseURL(s.listeners.stripe),
		Clock: s.clock, Metrics: s.metrics,
	})
	return err
}

func (s *devStack) startRoles() error {
	receiver, err := s.newReceiver(s.bus, s.keys)
	if err != nil {
		return err
	}
	engine, err := s.newEngine(s.bus, s.store, s.keys, s.opts.allowed)
	if err != nil {
		return err
	}
	if err := s.runFitter(s.store); err != nil {
		return err
	}
	work, err := s.newWorker(s.bus, s.kube, operatorNamespace, s.keys, s.api, worker.DefaultShare)
	if err != nil {
		return err
	}
	explainer, err := explain.New(s.store, s.clock)
	if err != nil {
		return err
	}
	pages, err := dashboard.New(dashboard.Options{
		Store: s.store, Matching: s.store, Explain: explainer, Audit: s.store, Bus: s.bus, Vault: s.keys.Bus, Kube: s.kube, Clock: s.clock, Logger: s.log,
		BaseURL: baseURL(s.listeners.dashboard), Region: devRegion, LocalUser: "developer",
	})
	if err != nil {
		return err
	}
	s.serve(webhookreceiver.NewServer("", receiver.Handler()), s.listeners.receiver)
	s.serve(&http.Server{Handler: s.withMetrics(pages.Handler()), ReadHeaderTimeout: stopTimeout}, s.listeners.dashboard)
	s.run("dashboard", pages.Run)
	s.run("receiver", receiver.Run)
	s.run("engine", engine.Run)
	s.run("worker", work.Run)
	return nil
}

// withMetrics serves every role's metrics beside the pages. In a cluster each role has a port for them that is not the internet's.
func (s *devStack) withMetrics(pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	mux.Handle("/", pages)
	return mux
}

func (s *devStack) startOperator() error {
	mgr, err := s.newManager(s.cluster.Config, controllers.ManagerOptions(operatorNamespace), controllers.Config{
		OperatorNamespace: operatorNamespace, InstallationID: "kustiq-dev",
		Regions: map[string]controllers.Region{devRegion: {
			ReceiverURL: baseURL(s.listeners.receiver), DashboardURL: baseURL(s.listeners.dashboard), Bus: s.bus,
		}},
		API: s.api,
	}, s.keys)
	if err != nil {
		return err
	}
	return s.runManager(mgr)
}
