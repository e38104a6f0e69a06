package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/report"
)

// server answers what doctor asks an API server beside its resources, with a clock that is off.
func server(t *testing.T, off time.Duration, kinds string) *rest.Config {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		switch r.URL.Path {
		case "/version":
			_, _ = w.Write([]byte(`{"gitVersion":"v1.99.0"}`))
		case "/apis/integrations.kustiq.io/v1alpha1":
			_, _ = w.Write([]byte(`{"resources":[` + kinds + `]}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return &rest.Config{Host: s.URL}
}

const allKinds = `{"name":"workspaces"},{"name":"stripeconnections"},{"name":"backfills"},{"name":"backfills/status"}`

// diagnosed runs every check on a cluster of the given objects, in which all is allowed but what is denied.
func diagnosed(t *testing.T, config *rest.Config, denied string, objects ...client.Object) string {
	t.Helper()
	t.Setenv("KUSTIQ_DASHBOARD_URL", "")
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, authorizationv1.AddToScheme} {
		if err := add(all); err != nil {
			t.Fatal(err)
		}
	}
	review := func(_ context.Context, _ client.WithWatch, obj client.Object, _ ...client.CreateOption) error {
		r := obj.(*authorizationv1.SelfSubjectAccessReview)
		asked := r.Spec.ResourceAttributes
		r.Status.Allowed = asked.Verb+" "+asked.Resource != denied && asked.Namespace == "ns" && asked.Group == v1alpha1.GroupVersion.Group
		return nil
	}
	p := &plugin{config: config, namespace: "ns"}
	p.kube = fake.NewClientBuilder().WithScheme(all).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{Create: review}).Build()
	d := p.diagnose(t.Context(), scope{})
	var out strings.Builder
	printFindings(&out, d)
	if err := d.verdict(); err != nil {
		out.WriteString("verdict: " + err.Error())
	}
	return out.String()
}

// dashboardOf answers as one of another release does, or as one that does not say its release.
func dashboardOf(t *testing.T, release string, status int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if release != "" {
			w.Header().Set(report.VersionHeader, release)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestDoctorAsksForEveryRight holds what doctor looks at against what dashboards ask for.
func TestDoctorAsksForEveryRight(t *testing.T) {
	for _, right := range []access.Right{access.View, access.Operate, access.Erase} {
		for _, ask := range strings.Split(right.Ask(), " and ") {
			if !slices.ContainsFunc(rights, func(r struct{ verb, resource, commands string }) bool { return r.verb+" "+r.resource == ask }) {
				t.Errorf("doctor does not look whether one may %s", ask)
			}
		}
	}
}

func TestDoctorSaysWhatIsWrong(t *testing.T) {
	url, _ := api(t)
	seen := workspaceAt("acme", url)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(receiver.Close)
	conn := func(change func(*v1alpha1.StripeConnection)) *v1alpha1.StripeConnection {
		c := &v1alpha1.StripeConnection{ObjectMeta: named("stripe-live")}
		change(c)
		return c
	}
	condition := func(kind, reason string) *v1alpha1.StripeConnection {
		return conn(func(c *v1alpha1.StripeConnection) {
			c.Status.Conditions = []metav1.Condition{{Type: kind, Status: "False", Reason: reason, Message: "It says so."}}
		})
	}
	behind := conn(func(c *v1alpha1.StripeConnection) { c.Generation = 2; c.Status.ObservedGeneration = 1 })
	ready := conn(func(c *v1alpha1.StripeConnection) {
		c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "True", Reason: v1alpha1.ReasonReady}}
	})
	away := conn(func(c *v1alpha1.StripeConnection) { c.Status.Endpoint.URL = receiver.URL + "/webhooks/stripe/live" })
	for name, c := range map[string]struct {
		config  *rest.Config
		denied  string
		objects []client.Object
		want    string
		failed  bool
	}{
		"all well":           {server(t, 0, allKinds), "", []client.Object{seen, ready}, "ok       stripeconnection/stripe-live Ready", false},
		"a clock behind":     {server(t, -2*time.Minute, allKinds), "", nil, "warning  clock", false},
		"a clock ahead":      {server(t, 2*time.Minute, allKinds), "", nil, "differs from the one here by", false},
		"no such kinds":      {server(t, 0, ""), "", nil, "not served: workspaces, stripeconnections, backfills", true},
		"an older kind":      {server(t, 0, `{"name":"workspaces"},{"name":"stripeconnections"}`), "", nil, "not served: backfills", true},
		"a right that lacks": {server(t, 0, allKinds), "patch stripeconnections", nil, "you may not patch stripeconnections (rematch, rotate-secret) in ns", false},
		"a right to erase":   {server(t, 0, allKinds), "erase workspaces", nil, "you may not erase workspaces (erase) in ns", false},
		"no right to decide": {server(t, 0, allKinds), "update stripeconnections", nil, "(matches approve, profiles import, redrive) in ns", false},
		"the same release":   {server(t, 0, allKinds), "", []client.Object{seen}, "ok       version                      Kustiq dev in the cluster and here", false},
		"another release": {server(t, 0, allKinds), "", []client.Object{seen, workspaceAt("beta", dashboardOf(t, "0.1.0", http.StatusNotFound))},
			"warning  version                      Kustiq 0.1.0 and dev in the cluster, dev here", false},
		"no release":          {server(t, 0, allKinds), "", []client.Object{workspaceAt("acme", dashboardOf(t, "", http.StatusOK))}, "one that does not say its release", false},
		"nothing there":       {server(t, 0, allKinds), "", nil, "Workspaces: 0, StripeConnections: 0 in namespace ns", false},
		"no operator":         {server(t, 0, allKinds), "", []client.Object{behind}, "has not looked at stripeconnection/stripe-live", true},
		"a dashboard":         {server(t, 0, allKinds), "", []client.Object{seen}, "ok       dashboard of ns/acme", false},
		"no dashboard":        {server(t, 0, allKinds), "", []client.Object{workspaceAt("acme", "http://127.0.0.1:1")}, "failed   dashboard of ns/acme", true},
		"a full receiver":     {server(t, 0, allKinds), "", []client.Object{away}, "answers with status 503", true},
		"a person is needed":  {server(t, 0, allKinds), "", []client.Object{condition("Authorized", "ERR_ST_401")}, "Open the connect URL and authorise the account again. (docs/troubleshooting.md#err_st_401)", true},
		"another remedy":      {server(t, 0, allKinds), "", []client.Object{condition("TokenFresh", "RotationFailed")}, "→ It says so.", false},
		"what goes by itself": {server(t, 0, allKinds), "", []client.Object{condition("BackfillComplete", "InProgress")}, "StripeConnections: 1 in namespace ns", false},
	} {
		out := diagnosed(t, c.config, c.denied, c.objects...)
		if !strings.Contains(out, c.want) || strings.Contains(out, "verdict: ") != c.failed {
			t.Errorf("%s: no %q in\n%s", name, c.want, out)
		}
		if c.want == "StripeConnections: 1 in namespace ns" && strings.Contains(out, "BackfillComplete") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}
