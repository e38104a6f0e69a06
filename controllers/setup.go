// Package controllers wires the operator's controllers into a manager.
//
// It owns their list, what they share, and the rights they need. Each controller lives in a package of its own; none
// knows another.
//
// Who writes which condition (one writer each; all of a StripeConnection's are written once at the end of a reconcile,
// from what these steps found):
//
//	StripeConnection  Entitled            stripeconnection/workspace.go
//	                  RegionPinned        stripeconnection/region.go
//	                  Authorized          stripeconnection/credentials.go, offer.go, authorize.go, redeem.go, probe.go, prove.go
//	                  AccountActive       stripeconnection/account.go
//	                  TokenFresh          stripeconnection/rotate.go
//	                  EndpointRegistered  stripeconnection/endpoint.go
//	                  EventsVerified      stripeconnection/health.go
//	                  BackfillComplete    stripeconnection/backfill.go, interrupt.go
//	                  CustomersMatched    stripeconnection/matching.go
//	                  Ready               stripeconnection/conclude.go, with suspend.go and route.go
//	Backfill          Complete, Ready     backfill/conclude.go
//	Workspace         Ready               workspace/controller.go
//	                  NotificationsReady  workspace/notifications.go
package controllers

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/backfill"
	"github.com/kustiq/kustiq/controllers/orphan"
	"github.com/kustiq/kustiq/controllers/stripeconnection"
	"github.com/kustiq/kustiq/controllers/workspace"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/internal/vault"
)

// Region is one data region that this installation serves.
type Region = stripeconnection.Region

// Config is what the controllers work with.
type Config struct {
	// OperatorNamespace holds the platform credentials, tokens and endpoint secrets.
	OperatorNamespace string
	// InstallationID marks what is ours on a platform account that others may use too.
	InstallationID string
	// Regions by name: "EU", "US".
	Regions map[string]Region
	API     *stripeapi.API
	// TokensVault seals tokens, BusVault what lies on the bus.
	TokensVault, BusVault *vault.Vault
	Clock                 clock.Clock
	// Jitter spreads schedules; nil takes chance.
	Jitter step.Jitter
	// Metrics takes the gauges of this package; nil leaves them out.
	Metrics prometheus.Registerer
}

// Scheme knows every kind that the operator reads or writes.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	return scheme
}

// ManagerOptions are the options that the controllers rely on; the caller adds its own. Secrets and ConfigMaps are cached and
// watched in the operator's namespace only, as its rights allow no others. Reads wait for the cache to have seen our own
// writes: a status or a token is never decided on from before the last reconcile.
func ManagerOptions(operatorNamespace string) ctrl.Options {
	return ctrl.Options{
		Scheme: Scheme(),
		Cache: cache.Options{
			// Nothing here reads who wrote which field, and with many connections that is a good part of the heap.
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}:    {Namespaces: map[string]cache.Config{operatorNamespace: {}}},
				&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{operatorNamespace: {}}},
			},
		},
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: ptr.To(true)}},
	}
}

// Setup adds all controllers to a manager that was made with ManagerOptions.
func Setup(mgr ctrl.Manager, cfg Config) error {
	if cfg.TokensVault == nil || cfg.Clock == nil || cfg.OperatorNamespace == "" {
		return errors.New("controllers: tokens vault, clock and operator namespace are needed")
	}
	if cfg.Jitter == nil {
		cfg.Jitter = step.Random()
	}
	ctx := context.Background() // the field indexer's signature asks for one and uses it for nothing but start-up
	for _, add := range []func(context.Context, ctrl.Manager, Config) error{
		addWorkspace,
		addStripeConnection,
		addBackfill,
		addMetrics,
	} {
		if err := add(ctx, mgr, cfg); err != nil {
			return fmt.Errorf("controllers: %w", err)
		}
	}
	return nil
}

func addWorkspace(_ context.Context, mgr ctrl.Manager, cfg Config) error {
	dashboards, buses := map[string]string{}, map[string]*bus.Bus{}
	for name, region := range cfg.Regions {
		dashboards[name], buses[name] = region.DashboardURL, region.Bus
	}
	reviews, err := authenticationv1.NewForConfig(mgr.GetConfig())
	if err != nil {
		return err
	}
	r, err := workspace.New(workspace.Config{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Reviews: reviews.SelfSubjectReviews(), Dashboards: dashboards, Buses: buses, BusVault: cfg.BusVault,
		Clock: cfg.Clock, Jitter: cfg.Jitter,
	})
	if err != nil {
		return err
	}
	return r.SetupWithManager(mgr)
}

func addStripeConnection(ctx context.Context, mgr ctrl.Manager, cfg Config) error {
	r, err := stripeconnection.New(stripeconnection.Config{
		Client:            mgr.GetClient(),
		Recorder:          mgr.GetEventRecorder("kustiq-" + stripeconnection.Name),
		OperatorNamespace: cfg.OperatorNamespace,
		InstallationID:    cfg.InstallationID,
		Regions:           cfg.Regions,
		API:               cfg.API,
		Tokens:            tokenstore.New(mgr.GetClient(), cfg.OperatorNamespace, cfg.TokensVault).ReadingPast(mgr.GetAPIReader()),
		BusVault:          cfg.BusVault,
		Clock:             cfg.Clock,
		Jitter:            cfg.Jitter,
	})
	if err != nil {
		return err
	}
	if err := addOrphan(mgr, cfg, r); err != nil {
		return err
	}
	return r.SetupWithManager(ctx, mgr)
}

// addOrphan adds what tries again for deleted connections, at the same pace towards Stripe as those that are there.
func addOrphan(mgr ctrl.Manager, cfg Config, connections *stripeconnection.Reconciler) error {
	r, err := orphan.New(orphan.Config{
		Client: mgr.GetClient(), Undo: connections.Undo, Clock: cfg.Clock, Jitter: cfg.Jitter,
	})
	if err != nil {
		return err
	}
	return r.SetupWithManager(mgr)
}

func addBackfill(ctx context.Context, mgr ctrl.Manager, cfg Config) error {
	buses := map[string]*bus.Bus{}
	for name, region := range cfg.Regions {
		buses[name] = region.Bus
	}
	r, err := backfill.New(backfill.Config{
		Client:   mgr.GetClient(),
		Recorder: mgr.GetEventRecorder("kustiq-" + backfill.Name),
		Buses:    buses,
		Clock:    cfg.Clock,
		Jitter:   cfg.Jitter,
	})
	if err != nil {
		return err
	}
	return r.SetupWithManager(ctx, mgr)
}
