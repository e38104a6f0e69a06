package main

import (
	"context"
	"crypto/rand"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/engine/ingest"
	"github.com/kustiq/kustiq/engine/model"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/keys"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/webhookreceiver"
	"github.com/kustiq/kustiq/worker"
)

// What kustiq dev and the commands of single roles make alike.

// openKeys opens keysets and follows their changes.
func (p *process) openKeys(from keys.Source, names ...keys.Name) (*keys.Set, error) {
	set, err := keys.Load(p.ctx, from, keys.OpenKMS, names...)
	if err != nil {
		return nil, err
	}
	p.run("keysets", func(ctx context.Context) error { return set.Watch(ctx, p.clock, p.log) })
	return set, nil
}

func (p *process) newReceiver(b *bus.Bus, set *keys.Set) (*webhookreceiver.Receiver, error) {
	return webhookreceiver.New(webhookreceiver.Options{
		Bus: b, Vault: set.Bus, Clock: p.clock, Logger: p.log, Metrics: p.metrics, Tracer: p.tracer,
	})
}

func (p *process) newEngine(b *bus.Bus, s *store.Store, set *keys.Set, allowed networks) (*ingest.Engine, error) {
	return ingest.New(ingest.Options{
		Bus: b, Store: s, Clock: p.clock, Logger: p.log, Tracer: p.tracer, Metrics: p.metrics, Model: model.NewCache(p.log),
		BusVault: set.Bus, AllowedNetworks: allowed,
	})
}

// runFitter keeps fitting workspaces' models.
func (p *process) runFitter(s *store.Store) error {
	fitter, err := model.New(model.Options{Store: s, Clock: p.clock, Logger: p.log, Metrics: p.metrics, Owner: rand.Text()})
	if err != nil {
		return err
	}
	p.run("model", fitter.Run)
	return nil
}

func (p *process) newWorker(
	b *bus.Bus, kube client.Client, namespace string, set *keys.Set, api *stripeapi.API, share float64,
) (*worker.Worker, error) {
	return worker.New(worker.Options{
		Bus: b, Tokens: tokenstore.New(kube, namespace, set.Tokens), API: api,
		Clock: p.clock, Logger: p.log, Metrics: p.metrics, Share: share,
	})
}

// newManager returns the operator. Its metrics go where those of all parts go.
func (p *process) newManager(
	cluster *rest.Config, options ctrl.Options, cfg controllers.Config, set *keys.Set,
) (ctrl.Manager, error) {
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	mgr, err := ctrl.NewManager(cluster, options)
	if err != nil {
		return nil, err
	}
	cfg.TokensVault, cfg.BusVault, cfg.Clock, cfg.Metrics = set.Tokens, set.Bus, p.clock, p.metrics
	return mgr, controllers.Setup(mgr, cfg)
}

// runManager returns when the operator knows what there is in the cluster.
func (p *process) runManager(mgr ctrl.Manager) error {
	p.run("operator", mgr.Start)
	synced := make(chan bool, 1)
	go func() { synced <- mgr.GetCache().WaitForCacheSync(p.ctx) }()
	select {
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	case <-synced:
		return nil
	}
}
