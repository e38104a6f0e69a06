package dashboard

import (
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/access"
)

// askedAtOnce is how many workspaces Kubernetes is asked about at the same time.
const askedAtOnce = 16

// workspaces lists "namespace/name" of this region's that the caller may view, in order.
func (d *Dashboard) workspaces(r *http.Request) ([]string, error) {
	var list v1alpha1.WorkspaceList
	if err := d.Kube.List(r.Context(), &list); err != nil {
		return nil, err
	}
	visible := make([]bool, len(list.Items))
	group, ctx := errgroup.WithContext(r.Context())
	group.SetLimit(askedAtOnce)
	for i, w := range list.Items {
		if string(w.Spec.Region) != d.Region {
			continue
		}
		group.Go(func() (err error) {
			visible[i], err = d.allowed(r.WithContext(ctx), access.View, w.Namespace, w.Name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var names []string
	for i, w := range list.Items {
		if visible[i] {
			names = append(names, w.Namespace+"/"+w.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// noWorkspace says what to do for somebody who sees none.
func (d *Dashboard) noWorkspace(w http.ResponseWriter, r *http.Request) {
	if d.LocalUser != "" {
		d.problem(w, r, http.StatusOK, "There is no Workspace in region "+d.Region+" yet",
			"Apply a Workspace and a StripeConnection, as in config/samples: kubectl apply -k config/samples.")
		return
	}
	d.problem(w, r, http.StatusOK, "There is no workspace for you in region "+d.Region,
		"You are signed in as "+callerOf(r).user.Name+". A workspace shows up here once you may "+access.View.Ask()+
			" in its namespace: ask whoever gives rights in your cluster.")
}
