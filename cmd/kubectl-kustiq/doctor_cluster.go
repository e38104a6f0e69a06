package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/api/v1alpha1"
)

// ask reads a path of the API server that is no resource, and its clock.
func (p *plugin) ask(ctx context.Context, path string, into any) (clock time.Time, err error) {
	by, err := rest.HTTPClientFor(p.config)
	if err != nil {
		return clock, err
	}
	base, _, err := rest.DefaultServerUrlFor(p.config)
	if err != nil {
		return clock, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base.String(), "/")+path, nil)
	if err != nil {
		return clock, err
	}
	res, err := by.Do(req)
	if err != nil {
		return clock, err
	}
	defer res.Body.Close()
	clock, _ = http.ParseTime(res.Header.Get("Date")) // zero without one
	if res.StatusCode != http.StatusOK {
		return clock, fmt.Errorf("it answers with status %d", res.StatusCode)
	}
	return clock, json.NewDecoder(res.Body).Decode(into)
}

// checkServer reaches the API server, and compares its clock with the one here.
func (p *plugin) checkServer(ctx context.Context, d *diagnosis) bool {
	var server struct {
		GitVersion string `json:"gitVersion"`
	}
	clock, err := p.ask(ctx, "/version", &server)
	if err != nil {
		d.add("API server", broken, "cannot be asked: "+err.Error(), "Check the kubeconfig's server and credential: kubectl version.")
		return false
	}
	d.add("API server", fine, "Kubernetes "+server.GitVersion, "")
	if clock.IsZero() {
		return true
	}
	skew := time.Since(clock).Round(time.Second)
	if skew.Abs() > maxSkew {
		d.add("clock", warning, fmt.Sprintf("the API server's differs from the one here by %s", skew.Abs()),
			"Events are refused when the receiver's clock is 5 minutes off: correct whichever is wrong by NTP.")
		return true
	}
	d.add("clock", fine, fmt.Sprintf("the API server's is within %s of the one here", maxSkew), "")
	return true
}

// checkKinds looks for the custom resources.
func (p *plugin) checkKinds(ctx context.Context, d *diagnosis) bool {
	var served metav1.APIResourceList
	group := v1alpha1.GroupVersion.String()
	if _, err := p.ask(ctx, "/apis/"+group, &served); err != nil {
		d.add("custom resources", broken, group+" is not served", "Install the chart, or its custom resource definitions: kubectl apply -k config/crd.")
		return false
	}
	var missing []string
	for _, name := range []string{"workspaces", "stripeconnections", "backfills"} {
		if !slices.ContainsFunc(served.APIResources, func(r metav1.APIResource) bool { return r.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		d.add("custom resources", broken, "not served: "+strings.Join(missing, ", "), "The definitions are older than this command: upgrade the chart, its CRDs included.")
		return false
	}
	d.add("custom resources", fine, group+" with workspaces, stripeconnections and backfills", "")
	return true
}

// decisions are the commands for which a dashboard asks both of what stands for its right to operate: see internal/access.
const decisions = "matches approve, profiles import, redrive"

// rights are what the commands need, and which commands those are. The dashboard asks for some of them.
var rights = []struct{ verb, resource, commands string }{
	{"list", "workspaces", "all"},
	{"get", "workspaces", "at-risk, explain, matches, profiles, failed"},
	{"list", "stripeconnections", "status"},
	{"get", "stripeconnections", "connect, rematch, rotate-secret, replay"},
	{"watch", "stripeconnections", "connect --wait, rematch --wait, rotate-secret --wait"},
	{"patch", "stripeconnections", "rematch, rotate-secret"},
	{"update", "stripeconnections", decisions},
	{"create", "backfills", "replay, " + decisions},
	{"watch", "backfills", "replay --wait"},
	{"erase", "workspaces", "erase"},
}

// checkRights asks the API server what the user may do in the namespace.
func (p *plugin) checkRights(ctx context.Context, d *diagnosis) {
	var lacking []string
	for _, r := range rights {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: p.namespace, Verb: r.verb, Group: v1alpha1.GroupVersion.Group, Resource: r.resource,
			},
		}}
		if err := p.kube.Create(ctx, review); err != nil {
			d.add("your rights", warning, "the API server does not say: "+err.Error(), "Try again, or kubectl auth can-i --list.")
			return
		}
		if !review.Status.Allowed {
			lacking = append(lacking, fmt.Sprintf("%s %s (%s)", r.verb, r.resource, r.commands))
		}
	}
	if len(lacking) > 0 {
		d.add("your rights", warning, "you may not "+strings.Join(lacking, "; ")+" in "+p.namespace,
			"Where you need the commands, have yourself bound to Kubernetes' role view or edit, or to admin to erase: docs/dashboard-access.md.")
		return
	}
	d.add("your rights", fine, "enough for every command in "+p.namespace, "")
}

// checkResources reads what all further checks are about.
func (p *plugin) checkResources(ctx context.Context, d *diagnosis, s scope) ([]v1alpha1.Workspace, []v1alpha1.StripeConnection) {
	var in []client.ListOption
	where := "all namespaces"
	if !s.all {
		in, where = append(in, client.InNamespace(p.namespace)), "namespace "+p.namespace
	}
	var workspaces v1alpha1.WorkspaceList
	var connections v1alpha1.StripeConnectionList
	if err := p.kube.List(ctx, &workspaces, in...); err != nil {
		d.add("Workspaces", broken, "cannot be listed: "+err.Error(), "Ask for the right to list them.")
		return nil, nil
	}
	if err := p.kube.List(ctx, &connections, in...); err != nil {
		d.add("StripeConnections", broken, "cannot be listed: "+err.Error(), "Ask for the right to list them.")
		return workspaces.Items, nil
	}
	found := fmt.Sprintf("Workspaces: %d, StripeConnections: %d in %s", len(workspaces.Items), len(connections.Items), where)
	if len(workspaces.Items) == 0 {
		d.add("resources", warning, found, "Choose another namespace with -n, look everywhere with -A, or apply config/samples.")
	} else {
		d.add("resources", fine, found, "")
	}
	return workspaces.Items, connections.Items
}

// checkOperator sees whether every resource's status speaks of what was last declared.
func (p *plugin) checkOperator(d *diagnosis, workspaces []v1alpha1.Workspace, connections []v1alpha1.StripeConnection) {
	var behind []string
	for _, w := range workspaces {
		if w.Status.ObservedGeneration != w.Generation {
			behind = append(behind, "workspace/"+w.Name)
		}
	}
	for _, c := range connections {
		if c.Status.ObservedGeneration != c.Generation {
			behind = append(behind, "stripeconnection/"+c.Name)
		}
	}
	switch {
	case len(behind) > 0:
		d.add("operator", broken, "has not looked at "+strings.Join(behind, ", "),
			"Is it running? kubectl get pods -A -l app.kubernetes.io/name=kustiq,app.kubernetes.io/component=operator, and its log.")
	case len(workspaces)+len(connections) > 0:
		d.add("operator", fine, "has seen every resource as it is declared", "")
	}
}

// goesByItself are reasons that nobody has to do anything about.
var goesByItself = []string{
	v1alpha1.ReasonInProgress, v1alpha1.ReasonAwaitingFirstEvent, v1alpha1.ReasonProgressing, v1alpha1.ReasonPending,
	v1alpha1.ReasonDeleting, v1alpha1.ReasonSuspended, v1alpha1.ReasonNoProfiles, v1alpha1.ReasonNoNotifications,
}

// checkConditions lists what waits for a person.
func checkConditions(d *diagnosis, connections []v1alpha1.StripeConnection) {
	for _, c := range connections {
		name := "stripeconnection/" + c.Name
		before := len(d.Findings)
		for _, condition := range c.Status.Conditions {
			entry, known := errcode.Lookup(errcode.Code(condition.Reason))
			switch {
			case condition.Status != metav1.ConditionFalse || condition.Type == v1alpha1.ConditionReady:
			case known && entry.Class == errcode.UserAction:
				d.add(name, broken, condition.Type+": "+condition.Reason, entry.Remedy+" (docs/troubleshooting.md#"+entry.Anchor+")")
			case condition.Reason == v1alpha1.ReasonAwaitingConsent:
				d.add(name, warning, condition.Type+": "+condition.Reason, "Open the connect URL and authorise the account: kubectl kustiq connect "+c.Name+".")
			case !known && !slices.Contains(goesByItself, condition.Reason):
				d.add(name, warning, condition.Type+": "+condition.Reason, condition.Message)
			}
		}
		if len(d.Findings) == before && meta.IsStatusConditionTrue(c.Status.Conditions, v1alpha1.ConditionReady) {
			d.add(name, fine, "Ready", "")
		}
	}
}
