package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/version"
)

// api answers as the dashboard does, and notes what it was asked.
func api(t *testing.T) (url string, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.RequestURI())
		w.Header().Set(report.VersionHeader, version.Version)
		row := report.Row{Rank: 1, Customer: "cus_1", Name: "Nord", Score: 95, Tier: "Critical", P30: .5, MRRMinor: 9900, Currency: "eur"}
		var body any = report.AtRisk{Workspace: "ns/acme", AsOf: time.Unix(1, 0), Total: 1, Rows: []report.Row{row}}
		if strings.Contains(r.URL.Path, "/customers/") {
			body = report.Detail{Workspace: "ns/acme", Row: row, Eta: 0.1, Terms: []report.Term{{Label: "Usual risk", LogOdds: 0.1, Points: 1.4427, Basis: "data"}}}
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/counts"):
			body = report.Counts{Workspace: "ns/acme", Customers: 7, AtRisk: 2}
		case strings.HasSuffix(r.URL.Path, "/failed"):
			page := report.Failed{Workspace: "ns/acme", AsOf: time.Unix(7200, 0), Next: "second", Events: []report.FailedEvent{
				{Event: "evt_1", Type: "charge.dispute.created", Livemode: true, Reason: "unattributed", Attempts: 1, FailedAt: time.Unix(0, 0)}}}
			if r.URL.Query().Get("after") == page.Next {
				page.Next, page.Events = "", []report.FailedEvent{{Event: "evt_2", Reason: "gone"}}
			}
			body = page
		case strings.HasSuffix(r.URL.Path, "/redrive"):
			var wanted report.Redrive
			_ = json.NewDecoder(r.Body).Decode(&wanted)
			done := report.Redriven{Asked: wanted.Events}
			if wanted.After != "" {
				done.Asked, done.Listed = []string{"evt_3"}, []string{"in_1:paid"}
			} else if wanted.All {
				done.Asked, done.Next = []string{"evt_1"}, "second"
			} else if slices.Contains(wanted.Events, "evt_2") {
				done.Asked, done.Unknown = nil, wanted.Events
			}
			w.WriteHeader(http.StatusAccepted)
			body = done
		}
		_ = json.NewEncoder(w).Encode(body)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "ns", Name: name} }

func workspaceAt(name, url string) *v1alpha1.Workspace {
	return &v1alpha1.Workspace{ObjectMeta: named(name), Status: v1alpha1.WorkspaceStatus{DashboardURL: url + "/dashboard/churn?workspace=ns%2F" + name}}
}

// run executes the plugin on a cluster with the given objects.
func run(t *testing.T, objects []client.Object, args ...string) (out string, kube client.Client, err error) {
	t.Helper()
	return typed(t, "", objects, args...)
}

// typed is run with something typed in.
func typed(t *testing.T, input string, objects []client.Object, args ...string) (out string, kube client.Client, err error) {
	t.Helper()
	t.Setenv("KUSTIQ_DASHBOARD_URL", "")
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	p := &plugin{flags: genericclioptions.NewConfigFlags(true), namespace: "ns"}
	p.kube = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	cmd := p.command()
	var buffer bytes.Buffer
	cmd.SetOut(&buffer)
	cmd.SetErr(io.Discard)
	cmd.SetIn(strings.NewReader(input))
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return buffer.String(), p.kube, err
}

func TestAtRiskAsksTheWorkspacesDashboard(t *testing.T) {
	url, asked := api(t)
	out, _, err := run(t, []client.Object{workspaceAt("acme", url)}, "at-risk", "--limit", "5", "--tier", "Critical", "--test")
	if err != nil || !strings.Contains(out, "cus_1") || !strings.Contains(out, "€99.00") {
		t.Errorf("%v\n%s", err, out)
	}
	if len(*asked) != 1 || !strings.HasPrefix((*asked)[0], "/api/v1/workspaces/ns/acme/at-risk?") || !strings.Contains((*asked)[0], "limit=5") || !strings.Contains((*asked)[0], "tier=Critical") ||
		!strings.Contains((*asked)[0], "mode=test") {
		t.Errorf("asked %v", *asked)
	}
	out, _, err = run(t, []client.Object{workspaceAt("acme", url)}, "at-risk", "-o", "json")
	var page report.AtRisk
	if err != nil || json.Unmarshal([]byte(out), &page) != nil || page.Rows[0].Score != 95 {
		t.Errorf("json: %v\n%s", err, out)
	}
	out, _, err = run(t, []client.Object{workspaceAt("acme", url)}, "explain", "cus_1", "-o", "yaml")
	if err != nil || !strings.Contains(out, "label: Usual risk") {
		t.Errorf("yaml: %v\n%s", err, out)
	}
}

func TestFailedEventsAndTheirRedrive(t *testing.T) {
	url, asked := api(t)
	acme := []client.Object{workspaceAt("acme", url)}
	for _, tc := range []struct{ args, want string }{
		{"failed", "no customer: its charge has none"},
		{"failed -o json", `"reason": "unattributed"`},
		{"redrive evt_1", "1 of 1 events are being fetched"},
		{"failed", "evt_2"},
		{"redrive --all", "2 of 3 events are being fetched"},
		{"redrive evt_1 -o yaml", "asked:\n- evt_1\n"},
	} {
		if out, _, err := run(t, acme, strings.Fields(tc.args)...); err != nil || !strings.Contains(out, tc.want) {
			t.Errorf("%s: %v\n%s", tc.args, err, out)
		}
	}
	if (*asked)[0] != "/api/v1/workspaces/ns/acme/failed" || (*asked)[1] != "/api/v1/workspaces/ns/acme/failed?after=second" ||
		(*asked)[4] != "/api/v1/workspaces/ns/acme/failed/redrive" {
		t.Errorf("asked %v", *asked)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	url, _ := api(t)
	two := []client.Object{workspaceAt("acme", url), workspaceAt("beta", url)}
	for name, tc := range map[string]struct {
		objects []client.Object
		args    []string
		want    string
	}{
		"no Workspace":         {nil, []string{"at-risk"}, "use -n, or -A"},
		"an unknown one":       {two, []string{"at-risk", "-w", "gamma"}, "kubectl get workspaces -A"},
		"several to choose":    {two, []string{"explain", "cus_1"}, "acme, beta): choose one with --workspace"},
		"no dashboard yet":     {[]client.Object{&v1alpha1.Workspace{ObjectMeta: named("acme")}}, []string{"at-risk"}, "--dashboard-url"},
		"a limit too large":    {two, []string{"at-risk", "--limit", "500"}, "between 1 and 200"},
		"an unknown format":    {two[:1], []string{"at-risk", "-o", "xml"}, "use json, yaml or wide"},
		"no connection":        {nil, []string{"status"}, "kubectl get stripeconnections -A"},
		"no such connection":   {nil, []string{"connect", "stripe-live"}, "not found"},
		"no connect URL yet":   {[]client.Object{&v1alpha1.StripeConnection{ObjectMeta: named("c")}}, []string{"connect", "c"}, "--wait"},
		"a redrive of nothing": {two[:1], []string{"redrive"}, "kubectl kustiq failed"},
		"no such wide view":    {two[:1], []string{"erase", "--yes", "-o", "wide"}, "use json or yaml"},
		"an event not listed":  {two[:1], []string{"redrive", "evt_2"}, "not listed as failed: [evt_2]"},
		"a replay of nothing":  {nil, []string{"replay", "c"}, "not found"},
	} {
		if _, _, err := run(t, tc.objects, tc.args...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStatusNamesTheRemedy(t *testing.T) {
	conn := &v1alpha1.StripeConnection{ObjectMeta: named("stripe-live"), Spec: v1alpha1.StripeConnectionSpec{Mode: "Live"}}
	conn.Status.Conditions = []metav1.Condition{
		{Type: "Entitled", Status: "False", Reason: "ERR_PLAN_REQUIRED", Message: "The plan is Free."},
		{Type: "Ready", Status: "False", Reason: "ERR_PLAN_REQUIRED", Message: "The plan is Free."},
	}
	out, _, err := run(t, []client.Object{conn}, "status")
	for _, want := range []string{"ns/stripe-live  Live", "├─ Entitled", "└─ Ready", "The plan is Free.", "plan to Pro", "troubleshooting.md#err_plan_required"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("no %q (%v) in\n%s", want, err, out)
		}
	}
}

func TestStatusIsWiderWhenAskedTo(t *testing.T) {
	hourAgo := metav1.NewTime(time.Now().Add(-time.Hour - time.Minute))
	conn := &v1alpha1.StripeConnection{ObjectMeta: named("stripe-live"), Spec: v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}}}
	conn.Status.Endpoint = v1alpha1.EndpointStatus{ID: "we_1", URL: "https://in.example/webhooks/stripe/live", SecretGeneration: 2}
	conn.Status.Events = v1alpha1.EventStatus{Accepted: 12, Rejected: 1}
	conn.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Ready", Message: "All is well.", LastTransitionTime: hourAgo}}
	narrow, _, err := run(t, []client.Object{conn}, "status")
	if err != nil || strings.Contains(narrow, "we_1") || strings.Contains(narrow, "All is well.") {
		t.Errorf("%v\n%s", err, narrow)
	}
	out, _, err := run(t, []client.Object{conn}, "status", "-o", "wide")
	for _, want := range []string{"Workspace acme, region –, connected –", "Endpoint we_1 at https://in.example/webhooks/stripe/live, secret 2",
		"12 accepted, 0 duplicates, 1 rejected, the last –", "True     Ready, 1 hour ago\n   All is well."} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("no %q (%v) in\n%s", want, err, out)
		}
	}
}

func TestReplayCreatesABackfill(t *testing.T) {
	out, kube, err := run(t, []client.Object{&v1alpha1.StripeConnection{ObjectMeta: named("stripe-live")}}, "replay", "stripe-live", "--window", "90d")
	var list v1alpha1.BackfillList
	if listErr := kube.List(t.Context(), &list); err != nil || listErr != nil || len(list.Items) != 1 {
		t.Fatalf("%v %v %d\n%s", err, listErr, len(list.Items), out)
	}
	if spec := list.Items[0].Spec; spec.Window != "90d" || spec.ConnectionRef.Name != "stripe-live" || spec.TTLAfterFinished == nil {
		t.Errorf("%+v", spec)
	}
}

func TestProgressBar(t *testing.T) {
	for percent, want := range map[int32]string{0: "[" + strings.Repeat(".", 30) + "]", 50: "[" + strings.Repeat("#", 15) + strings.Repeat(".", 15) + "]", 100: "[" + strings.Repeat("#", 30) + "]"} {
		if got := progressBar(v1alpha1.BackfillStatus{Percent: percent}); !strings.HasPrefix(got, want) {
			t.Errorf("%d: %s", percent, got)
		}
	}
}

func TestProgressOutsideATerminal(t *testing.T) {
	var out bytes.Buffer
	view := newProgressView(&out)
	for percent := range int32(101) {
		view.state(v1alpha1.BackfillStatus{Phase: v1alpha1.BackfillRunning, Percent: percent, Objects: int64(percent), Rate: "2 objects/s"})
	}
	view.state(v1alpha1.BackfillStatus{Phase: v1alpha1.BackfillSuspended, Percent: 100})
	view.end()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 12 || strings.ContainsAny(out.String(), "\r#") {
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
	if lines[5] != " 50 %  50 objects  0 signals  2 objects/s" || !strings.HasSuffix(lines[11], "suspended") {
		t.Errorf("%q, %q", lines[5], lines[11])
	}
}
