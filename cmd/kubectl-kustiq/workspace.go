package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/report"
)

// requestTimeout bounds one request to the dashboard.
const requestTimeout = 15 * time.Second

// scope is how a command chooses Workspaces.
type scope struct {
	workspace string
	all       bool
	test      bool
}

const testUsage = "test data, where there is live data as well"

// mode is what the dashboard calls the data that is asked for.
func (s scope) mode() string {
	if s.test {
		return "test"
	}
	return ""
}

// workspaces returns the named Workspace, or those of the namespace or of all namespaces.
func (p *plugin) workspaces(ctx context.Context, s scope) ([]v1alpha1.Workspace, error) {
	var list v1alpha1.WorkspaceList
	var in []client.ListOption
	if !s.all {
		in = append(in, client.InNamespace(p.namespace))
	}
	if err := p.kube.List(ctx, &list, in...); err != nil {
		return nil, fmt.Errorf("list Workspaces: %w", err)
	}
	var found []v1alpha1.Workspace
	for _, w := range list.Items {
		if s.workspace == "" || w.Name == s.workspace {
			found = append(found, w)
		}
	}
	sort.Slice(found, func(i, j int) bool {
		return found[i].Namespace+"/"+found[i].Name < found[j].Namespace+"/"+found[j].Name
	})
	if len(found) == 0 && s.workspace != "" {
		return nil, fmt.Errorf("there is no Workspace %s in namespace %s: kubectl get workspaces -A lists them", s.workspace, p.namespace)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no Workspace in namespace %s: use -n, or -A for all namespaces", p.namespace)
	}
	return found, nil
}

// one is for commands that speak of a single Workspace.
func (p *plugin) one(ctx context.Context, s scope) (v1alpha1.Workspace, error) {
	found, err := p.workspaces(ctx, s)
	if err != nil {
		return v1alpha1.Workspace{}, err
	}
	if len(found) > 1 {
		var names []string
		for _, w := range found {
			names = append(names, w.Name)
		}
		return v1alpha1.Workspace{}, fmt.Errorf("namespace %s has several Workspaces (%s): choose one with --workspace", p.namespace, strings.Join(names, ", "))
	}
	return found[0], nil
}

// reach returns the name of the one Workspace and a client for its dashboard.
func (p *plugin) reach(ctx context.Context, s scope) (workspace string, api *report.Client, err error) {
	w, err := p.one(ctx, s)
	if err != nil {
		return "", nil, err
	}
	api, err = p.api(w)
	return key(w), api, err
}

// api returns a client for the dashboard of a Workspace.
func (p *plugin) api(w v1alpha1.Workspace) (*report.Client, error) {
	base := p.dashboardURL
	for _, next := range []string{os.Getenv("KUSTIQ_DASHBOARD_URL"), baseOf(w.Status.DashboardURL)} {
		if base == "" {
			base = next
		}
	}
	if base == "" {
		return nil, errors.New("the Workspace's status names no dashboard yet: is the operator running? Or give --dashboard-url")
	}
	client, err := p.dashboardHTTP(base)
	if err != nil {
		return nil, err
	}
	return report.NewClient(base, client)
}

// baseOf takes the page off a link to the dashboard.
func baseOf(page string) string {
	base, _, _ := strings.Cut(page, "/dashboard/churn")
	return base
}

func key(w v1alpha1.Workspace) string { return w.Namespace + "/" + w.Name }
