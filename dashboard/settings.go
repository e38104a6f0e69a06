package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

const (
	regionPath = "/dashboard/settings/region"
	dataPath   = "/dashboard/settings/data"
)

// settings leads to the first of the settings, or to the connections, which are among them as well.
func (d *Dashboard) settings(w http.ResponseWriter, r *http.Request) {
	to := regionPath
	if strings.HasSuffix(r.URL.Path, "/integrations") {
		to = "/dashboard/integrations"
	}
	http.Redirect(w, r, inWorkspace(to, r.URL.Query().Get("workspace")), http.StatusSeeOther)
}

// regionPlaces are where the data of a region is.
var regionPlaces = map[v1alpha1.Region]string{v1alpha1.RegionEU: "Frankfurt, European Union", v1alpha1.RegionUS: "Virginia, United States"}

// accountView is one connected account and whether it fits the region.
type accountView struct {
	Name, Account, Country string
	Mode                   v1alpha1.Mode
	Pinned                 stepView
}

type regionView struct {
	layout
	Resource v1alpha1.Workspace
	Place    string
	Keeper   *keeper
	Accounts []accountView
}

// region says where the workspace's data stays, and which accounts may be connected to it.
func (d *Dashboard) region(w http.ResponseWriter, r *http.Request) {
	workspaces, workspace, ok := d.chosenWorkspace(w, r)
	if !ok {
		return
	}
	namespace, name, _ := strings.Cut(workspace, "/")
	view := regionView{layout: d.layout(r, "Region", workspace)}
	view.Section, view.Workspaces = sectionSettings, workspaces
	err := d.Kube.Get(r.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &view.Resource)
	var list v1alpha1.StripeConnectionList
	if err == nil {
		err = d.Kube.List(r.Context(), &list, client.InNamespace(namespace))
	}
	if err != nil {
		d.failure(w, r, "read the workspace", err)
		return
	}
	view.Place, view.Keeper = regionPlaces[view.Resource.Spec.Region], keeperOf(&view.Resource)
	pinned := []namedCondition{{v1alpha1.ConditionRegionPinned, "Region pinned"}}
	for _, conn := range list.Items {
		if conn.Spec.WorkspaceRef.Name == name {
			view.Accounts = append(view.Accounts, accountView{
				Name: conn.Name, Account: conn.Status.AccountID, Country: conn.Status.Country, Mode: conn.Spec.Mode,
				Pinned: steps(pinned, conn.Status.Conditions)[0],
			})
		}
	}
	slices.SortFunc(view.Accounts, func(a, b accountView) int { return strings.Compare(a.Name, b.Name) })
	d.render(w, r, http.StatusOK, "region.html", view)
}
