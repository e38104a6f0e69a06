package dashboard

import (
	"errors"
	"net/http"
	"strings"

	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/version"
)

const (
	// anyone needs no sign-in: such a route shows nothing of any workspace.
	anyone access.Right = "anyone"
	// person must be signed in. The handler shows what they may view and nothing else: see chosenWorkspace and connection.
	person access.Right = "person"
)

// route is a pattern of the mux, and what somebody must be allowed to do to take it. With a right, the pattern names the
// workspace by {namespace} and {name}, and the handler is reached by those only who have it there.
type route struct {
	pattern string
	need    access.Right
	serve   http.HandlerFunc
}

// routes are all there are.
func (d *Dashboard) routes() []route {
	return append(d.connectionRoutes(), []route{
		{"GET /{$}", person, http.RedirectHandler("/dashboard/churn", http.StatusSeeOther).ServeHTTP},
		{"GET /dashboard/churn", person, d.churn},
		{"GET /dashboard/churn.csv", person, d.export},
		{"GET /dashboard/churn/changes", person, d.churnChanges},
		{"GET /dashboard/churn/customers/{customer}", person, d.customer},
		{"GET /dashboard/model", person, d.modelPage},
		{"POST /dashboard/model/{namespace}/{name}/fit", access.Operate, d.fit},
		{"GET /dashboard/integrations", person, d.integrations},
		{"GET " + connectionPattern + "status", access.View, d.connectionStatus},
		{"POST /dashboard/workspaces/{namespace}/{name}/failed/redrive", access.Operate, d.redriveForm},
		{"GET " + matchesPath, person, d.matches},
		{"POST /dashboard/workspaces/{namespace}/{name}/matches/{customer}", access.Operate, d.decideForm},
		{"POST /dashboard/workspaces/{namespace}/{name}/rematch", access.Operate, d.rematchForm},
		{"GET /dashboard/settings", person, d.settings},
		{"GET /dashboard/settings/integrations", person, d.settings},
		{"GET " + regionPath, person, d.region},
		{"GET " + dataPath, person, d.data},
		{importPattern, access.Operate, d.importForm},
		{"POST /dashboard/workspaces/{namespace}/{name}/profiles/delete", access.Operate, d.deleteProfilesForm},
		{"POST /dashboard/workspaces/{namespace}/{name}/erase", access.Erase, d.eraseForm},
		{"GET /connect/{namespace}/{name}", person, d.connect},
		{"POST /connect/{namespace}/{name}", person, d.goToStripe},
		{"GET /oauth/callback", person, d.callback},

		// One of the API is described in openapi.yaml as well, which a test holds against these.
		{"GET /api/v1/openapi.yaml", person, d.apiDescription},
		{"GET /api/v1/workspaces/{namespace}/{name}/at-risk", access.View, d.apiAtRisk},
		{"GET /api/v1/workspaces/{namespace}/{name}/customers/{customer}", access.View, d.apiCustomer},
		{"GET /api/v1/workspaces/{namespace}/{name}/customers/{customer}/history", access.View, d.apiHistory},
		{"GET /api/v1/workspaces/{namespace}/{name}/trend", access.View, d.apiTrend},
		{"GET /api/v1/workspaces/{namespace}/{name}/counts", access.View, d.apiCounts},
		{"GET /api/v1/workspaces/{namespace}/{name}/failed", access.View, d.apiFailed},
		{"POST /api/v1/workspaces/{namespace}/{name}/failed/redrive", access.Operate, d.apiRedrive},
		{"GET /api/v1/workspaces/{namespace}/{name}/model", access.View, d.apiModel},
		{"POST /api/v1/workspaces/{namespace}/{name}/model/fit", access.Operate, d.apiFit},
		{"GET /api/v1/workspaces/{namespace}/{name}/deliveries", access.View, d.apiDeliveries},
		{"POST /api/v1/workspaces/{namespace}/{name}/deliveries/{delivery}/resend", access.Operate, d.apiResend},
		{"GET /api/v1/workspaces/{namespace}/{name}/audit", access.View, d.apiAudit},
		{"GET /api/v1/workspaces/{namespace}/{name}/matches", access.View, d.apiMatches},
		{"POST /api/v1/workspaces/{namespace}/{name}/matches/{customer}", access.Operate, d.apiDecide},
		{"POST /api/v1/workspaces/{namespace}/{name}/rematch", access.Operate, d.apiRematch},
		{"GET /api/v1/workspaces/{namespace}/{name}/profiles", access.View, d.apiProfiles},
		{"POST /api/v1/workspaces/{namespace}/{name}/profiles", access.Operate, d.apiImport},
		{"DELETE /api/v1/workspaces/{namespace}/{name}/profiles", access.Operate, d.apiDeleteProfiles},
		{"DELETE /api/v1/workspaces/{namespace}/{name}/profiles/{profile}", access.Operate, d.apiDeleteProfile},
		{"GET /api/v1/workspaces/{namespace}/{name}/imports", access.View, d.apiImports},
		{"GET /api/v1/workspaces/{namespace}/{name}/imports/{import}", access.View, d.apiGetImport},
		{"POST /api/v1/workspaces/{namespace}/{name}/erase", access.Erase, d.apiErase},
		{"GET /api/v1/workspaces/{namespace}/{name}/erase/{erasure}", access.View, d.apiErasure},
		{"/api/", person, func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusNotFound, "not_found", "the API has no such path or method")
		}},

		{"GET /signin", anyone, d.beginSignIn},
		{"GET " + callbackPath, anyone, d.finishSignIn},
		{"POST /signout", person, d.endSignIn},
		{"GET /signed-out", anyone, d.signedOut},
		{"GET /healthz", anyone, func(http.ResponseWriter, *http.Request) {}},
		{"GET /assets/", anyone, d.assets.handler().ServeHTTP},
		{"/", person, func(w http.ResponseWriter, r *http.Request) {
			d.problem(w, r, http.StatusNotFound, "There is no such page", "Go to the list of customers at risk.")
		}},
	}...)
}

// Route says what a pattern of the mux needs: a right, or "person" or "anyone".
type Route struct{ Pattern, Need string }

// Routes lists all that the handler serves.
func (d *Dashboard) Routes() []Route {
	var all []Route
	for _, r := range d.routes() {
		all = append(all, Route{Pattern: r.pattern, Need: string(r.need)})
	}
	return all
}

// Handler serves everything.
func (d *Dashboard) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range d.routes() {
		mux.Handle(r.pattern, d.gate(r))
	}
	return d.front(mux)
}

// gate lets those through to a route who may take it.
func (d *Dashboard) gate(to route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to.need == anyone {
			to.serve(w, r)
			return
		}
		r, ok := d.authenticated(w, r)
		if !ok {
			return
		}
		if isAPI(r) {
			w.Header().Set(report.VersionHeader, version.Version) // for those only who are known
		}
		if to.need != person && !d.entitled(w, r, to.need) {
			return
		}
		if to.pattern != importPattern && !d.ownForm(w, r) {
			return
		}
		to.serve(w, r)
	})
}

// ownForm says whether what a browser sends by a form comes from a form of its own session, or answers. importForm
// alone looks for itself: its upload is not to be read whole.
func (d *Dashboard) ownForm(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || isAPI(r) {
		return true
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if d.formTokenValid(r.PostFormValue("token"), callerOf(r).session) {
		return true
	}
	d.notOwnForm(w, r)
	return false
}

func (d *Dashboard) notOwnForm(w http.ResponseWriter, r *http.Request) {
	d.problem(w, r, http.StatusForbidden, "This form is not from your session", "Nothing was done. Open the page again and use its button.")
}

// entitled says whether the caller has a right in the workspace that the path names, or answers.
func (d *Dashboard) entitled(w http.ResponseWriter, r *http.Request, right access.Right) bool {
	return d.permitted(w, r, d.may(r, right, r.PathValue("namespace"), r.PathValue("name")))
}

// permitted answers an error of may. Somebody who may not even view a workspace is told that there is none.
func (d *Dashboard) permitted(w http.ResponseWriter, r *http.Request, err error) bool {
	var forbidden *forbiddenError
	switch {
	case err == nil:
		return true
	case errors.Is(err, errNoWorkspace):
		d.deny(w, r, http.StatusNotFound, "workspace_not_found", "there is no such Workspace in region "+d.Region+" that you may see")
	case errors.As(err, &forbidden):
		d.deny(w, r, http.StatusForbidden, "forbidden", forbidden.Error())
	default:
		d.Logger.Error("dashboard: find out what somebody may do", "error", err)
		d.deny(w, r, http.StatusServiceUnavailable, "unavailable", "Kubernetes does not say now what you may do: try again in a moment")
	}
	return false
}

// deny answers as the caller expects: the API in JSON, a browser with a page.
func (d *Dashboard) deny(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if isAPI(r) {
		refuse(w, status, code, message)
		return
	}
	title := map[int]string{
		http.StatusNotFound: "There is no such workspace here", http.StatusForbidden: "You may not do this",
	}[status]
	if title == "" {
		title = "This cannot be done now"
	}
	d.problem(w, r, status, title, strings.ToUpper(message[:1])+message[1:]+".")
}

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }
