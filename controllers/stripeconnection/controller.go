package stripeconnection

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/stripeapi"
	"github.com/kustiq/kustiq/internal/tokenstore"
	"github.com/kustiq/kustiq/internal/vault"
)

const (
	// Name of the controller, and the field manager of the status.
	Name = "stripeconnection"

	fieldOwner = client.FieldOwner("kustiq-" + Name)

	// regularPace is how often a connection is looked at when nothing happens: the "probed again" of DESIGN §4. With
	// thousands on one platform it is less often (pace.go).
	regularPace = 5 * time.Minute
	// probeAfter is the age from which the answer about an endpoint is asked for again, which all that share it do.
	probeAfter = regularPace / 5 * 4
)

// Region is one data region that this installation serves.
type Region struct {
	// ReceiverURL is the public base URL of the region's receiver, without a path.
	ReceiverURL string
	// DashboardURL is the public base URL of the region's dashboard, without a slash at its end.
	DashboardURL string
	// Bus of the region.
	Bus *bus.Bus
}

// Config is what the controller works with. All of it is needed.
type Config struct {
	Client   client.Client
	Recorder events.EventRecorder
	// OperatorNamespace holds the platform credentials, tokens and endpoint secrets.
	OperatorNamespace string
	// InstallationID marks what is ours on a platform account that others may use too.
	InstallationID string
	Regions        map[string]Region
	API            *stripeapi.API
	Tokens         *tokenstore.Store
	// BusVault seals what lies on the bus: authorisation codes and endpoint secrets.
	BusVault *vault.Vault
	Clock    clock.Clock
	Jitter   step.Jitter

	// pacer is New's.
	pacer *pacer
}

func (c Config) check() error {
	if c.Client == nil || c.Recorder == nil || c.API == nil || c.Tokens == nil || c.BusVault == nil || c.Clock == nil || c.Jitter == nil {
		return errors.New("stripeconnection: client, recorder, API, tokens, vault, clock and jitter are needed")
	}
	if c.OperatorNamespace == "" || c.InstallationID == "" {
		return errors.New("stripeconnection: operator namespace and installation id are needed")
	}
	for name, region := range c.Regions {
		if region.Bus == nil || region.ReceiverURL == "" || region.DashboardURL == "" {
			return errors.New("stripeconnection: region " + name + " needs a bus, a receiver URL and a dashboard URL")
		}
	}
	return nil
}

// Reconciler reconciles StripeConnections.
type Reconciler struct {
	Config

	endpoints *endpointKeeper
	memory    *memory
	setUp     []step.Step[*scope]
	windDown  []step.Step[*scope]
}

// New makes the reconciler.
func New(c Config) (*Reconciler, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.pacer = newPacer()
	r := &Reconciler{Config: c, endpoints: newEndpointKeeper(c), memory: newMemory()}
	r.setUp = []step.Step[*scope]{
		{Name: "entitle", Condition: v1alpha1.ConditionEntitled, Run: r.entitle},
		{Name: "serve region", Condition: v1alpha1.ConditionRegionPinned, Run: r.serveRegion},
		{Name: "suspend", Condition: v1alpha1.ConditionReady, Run: r.suspend},
		{Name: "read platform credentials", Condition: v1alpha1.ConditionAuthorized, Run: r.readCredentials},
		{Name: "offer", Condition: v1alpha1.ConditionAuthorized, Run: r.offer},
		{Name: "authorize", Condition: v1alpha1.ConditionAuthorized, Run: r.authorize},
		{Name: "rotate", Condition: v1alpha1.ConditionTokenFresh, Run: r.rotate, Aside: true},
		{Name: "probe", Condition: v1alpha1.ConditionAuthorized, Run: r.probe},
		{Name: "pin region", Condition: v1alpha1.ConditionRegionPinned, Run: r.pinRegion, Always: true},
		{Name: "judge account", Condition: v1alpha1.ConditionAccountActive, Run: r.judgeAccount, Aside: true},
		{Name: "register endpoint", Condition: v1alpha1.ConditionEndpointRegistered, Run: r.registerEndpoint},
		{Name: "route", Condition: v1alpha1.ConditionReady, Run: r.route, Always: true},
		{Name: "interrupt", Condition: v1alpha1.ConditionBackfillComplete, Run: r.interrupt, Always: true, Aside: true},
		{Name: "backfill", Condition: v1alpha1.ConditionBackfillComplete, Run: r.backfill, Always: true, Aside: true},
		{Name: "hear of events", Condition: v1alpha1.ConditionEventsVerified, Run: r.hearOfEvents, Always: true, Aside: true},
		{Name: "match", Condition: v1alpha1.ConditionCustomersMatched, Run: r.match, Always: true, Aside: true},
	}
	r.windDown = []step.Step[*scope]{
		{Name: "withdraw route", Condition: v1alpha1.ConditionReady, Run: r.withdrawRoute},
		{Name: "recall account", Condition: v1alpha1.ConditionReady, Run: r.recallAccount},
		{Name: "deauthorize", Condition: v1alpha1.ConditionReady, Run: r.deauthorize},
		{Name: "delete token", Condition: v1alpha1.ConditionReady, Run: r.deleteToken},
		{Name: "erase scores", Condition: v1alpha1.ConditionReady, Run: r.erase},
		{Name: "clear bus", Condition: v1alpha1.ConditionReady, Run: r.clearBus},
		{Name: "release endpoint", Condition: v1alpha1.ConditionReady, Run: r.releaseEndpoint},
	}
	return r, nil
}

// Reconcile brings one connection closer to what it declares.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var conn v1alpha1.StripeConnection
	if err := r.Client.Get(ctx, req.NamespacedName, &conn); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !conn.DeletionTimestamp.IsZero() {
		return r.delete(ctx, &conn)
	}
	if err := kube.EnsureFinalizer(ctx, r.Client, &conn, v1alpha1.Finalizer); err != nil {
		return ctrl.Result{}, err
	}
	s := r.newScope(&conn)
	stops := step.Run(ctx, s, r.setUp)
	r.pacer.count(s.uid, s.probed)
	written := r.conclude(ctx, s, stops)
	result, err := step.Schedule(stops, s.pace(), r.Jitter)
	if err = errors.Join(err, written); err != nil {
		result = ctrl.Result{}
	}
	result.Priority = s.priority()
	return result, err
}

// event publishes a Kubernetes Event about the connection.
func (r *Reconciler) event(s *scope, n note) {
	r.Recorder.Eventf(s.conn, nil, n.kind, n.reason, n.action, "%s", n.text)
}

// Kinds of Events.
const (
	normal  = corev1.EventTypeNormal
	warning = corev1.EventTypeWarning
)
