// Package workspace reconciles Workspaces: where a tenant's scores are shown, how many connections it has, whether
// this installation serves its region, and what its engine has to know of it.
//
// It owns the Workspace's status and the settings on the bus. It must not know what a connection does.
package workspace

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/controllers/buswatch"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
	"github.com/kustiq/kustiq/internal/step"
	"github.com/kustiq/kustiq/internal/vault"
)

const (
	// Name of the controller.
	Name = "workspace"

	fieldOwner = client.FieldOwner("kustiq-" + Name)

	// secretsAgain is when signing secrets are read again at the latest: they cannot be watched.
	secretsAgain = 5 * time.Minute
)

// Config is what the controller works with. All of it is needed but Dashboards and Buses.
type Config struct {
	Client client.Client
	// Reader asks the API server itself.
	Reader client.Reader
	// Reviews tells who the operator is. The cluster's client is not for that: it waits to see what it has created.
	Reviews authenticationv1.SelfSubjectReviewInterface
	// Dashboards are the public base URLs of the dashboards, without a slash at their end, by the names of the regions
	// that this installation serves.
	Dashboards map[string]string
	// Buses of the regions, by name.
	Buses map[string]*bus.Bus
	// BusVault seals what is secret on the bus.
	BusVault *vault.Vault
	Clock    clock.Clock
	Jitter   step.Jitter
}

// Reconciler reconciles Workspaces.
type Reconciler struct {
	Config
}

// New makes the reconciler.
func New(c Config) (*Reconciler, error) {
	if c.Client == nil || c.Reader == nil || c.Reviews == nil || c.BusVault == nil || c.Clock == nil || c.Jitter == nil {
		return nil, errors.New("workspace: client, reader, reviews, bus vault, clock and jitter are needed")
	}
	return &Reconciler{Config: c}, nil
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	b := ctrl.NewControllerManagedBy(mgr).
		Named(Name).
		For(&v1alpha1.Workspace{}).
		// Only how many there are matters, not how they fare.
		Watches(&v1alpha1.StripeConnection{}, handler.EnqueueRequestsFromMapFunc(ofConnection), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(buswatch.ControllerOptions(1))
	for _, on := range r.Buses {
		// Settings whose Workspace was deleted while no operator ran are found by this alone.
		b = b.WatchesRawSource(buswatch.Source("settings", on.Settings(), r.Clock, 0, ofSettings))
	}
	return b.Complete(r)
}

func ofSettings(_ context.Context, key string, value *bus.Settings) []reconcile.Request {
	namespace, name, ok := strings.Cut(key, "/")
	if !ok || value == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}}
}

func ofConnection(_ context.Context, o client.Object) []reconcile.Request {
	connection, ok := o.(*v1alpha1.StripeConnection)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: connection.Namespace, Name: connection.Spec.WorkspaceRef.Name}}}
}

// Reconcile brings one Workspace's settings and status up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var workspace v1alpha1.Workspace
	err := r.Client.Get(ctx, req.NamespacedName, &workspace)
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, r.withdraw(ctx, req.String())
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("read workspace: %w", err)
	}
	var connections v1alpha1.StripeConnectionList
	if err := r.Client.List(ctx, &connections, client.InNamespace(workspace.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("list connections: %w", err)
	}
	conditions := kube.NewConditions(workspace.Status.Conditions, workspace.Generation, r.Clock.Now())
	base, served := r.Dashboards[string(workspace.Spec.Region)]
	judge(conditions, workspace.Spec.Region, served)
	targets, err := r.notify(ctx, &workspace, conditions)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := r.publish(ctx, &workspace, targets); err != nil {
		return ctrl.Result{}, err
	}
	status := v1alpha1.WorkspaceStatus{
		ObservedGeneration: workspace.Generation,
		DashboardURL:       dashboardURL(base, req.String()),
		Connections:        count(connections.Items, workspace.Name),
		Conditions:         conditions.Sorted(v1alpha1.ConditionReady, v1alpha1.ConditionNotificationsReady),
	}
	result := ctrl.Result{}
	if len(workspace.Spec.Notifications) > 0 {
		result.RequeueAfter = r.Jitter.Shorten(secretsAgain)
	}
	_, err = kube.ApplyStatus(ctx, r.Client, fieldOwner, &workspace, &workspace.Status, &status)
	return result, err
}

// dashboardURL is where the workspace ("namespace/name") is shown; "" when its region has no dashboard.
func dashboardURL(base, workspace string) string {
	if base == "" {
		return ""
	}
	return base + "/dashboard/churn?" + url.Values{"workspace": {workspace}}.Encode()
}

func count(connections []v1alpha1.StripeConnection, workspace string) int32 {
	var n int32
	for i := range connections {
		if connections[i].Spec.WorkspaceRef.Name == workspace {
			n++
		}
	}
	return n
}

func judge(c *kube.Conditions, region v1alpha1.Region, served bool) {
	if !served {
		message := fmt.Sprintf("This installation does not serve region %s. Use an installation that does, or ask its operator to add the region.", region)
		c.False(v1alpha1.ConditionReady, v1alpha1.ReasonRegionNotServed, message)
		c.Stuck(v1alpha1.ReasonUserAction, message)
		return
	}
	c.True(v1alpha1.ConditionReady, v1alpha1.ReasonReady, fmt.Sprintf("Region %s is served.", region))
	c.Settled()
}
