package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/internal/devcluster"
)

// doctor runs the command as a person with the kubeconfig does.
func doctor(t *testing.T, kubeconfig string, args ...string) (string, error) {
	t.Helper()
	t.Setenv("KUSTIQ_DASHBOARD_URL", "")
	p := &plugin{flags: genericclioptions.NewConfigFlags(true)}
	cmd := p.command()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"doctor", "--kubeconfig", kubeconfig, "-n", "ns"}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestDoctorOnARealAPIServer goes from a cluster without Kustiq to one where all is well, and finds what is broken between.
func TestDoctorOnARealAPIServer(t *testing.T) {
	crds, err := config.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := devcluster.Start(t.Context(), devcluster.Options{Dir: filepath.Join(t.TempDir(), "cluster")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop() })
	expect := func(failed bool, wants ...string) {
		t.Helper()
		out, err := doctor(t, cluster.Kubeconfig)
		if (err != nil) != failed {
			t.Errorf("%v\n%s", err, out)
		}
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	}
	expect(true, "ok       API server                   Kubernetes v", "is not served", "kubectl apply -k config/crd")

	all := scheme.Scheme
	if err := v1alpha1.AddToScheme(all); err != nil {
		t.Fatal(err)
	}
	kube, err := client.New(cluster.Config, client.Options{Scheme: all})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := envtest.InstallCRDs(cluster.Config, envtest.CRDInstallOptions{CRDs: crds}); err != nil {
		t.Fatal(err)
	}
	must(kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}}))
	expect(false, "ok       clock", "Workspaces: 0, StripeConnections: 0 in namespace ns", "enough for every command in ns")

	url, _ := api(t)
	receiver := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(receiver.Close)
	w := &v1alpha1.Workspace{ObjectMeta: named("acme"), Spec: v1alpha1.WorkspaceSpec{Plan: "Pro", Region: "EU"}}
	conn := &v1alpha1.StripeConnection{ObjectMeta: named("stripe-live"), Spec: v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: "Live"}}
	must(kube.Create(t.Context(), w))
	must(kube.Create(t.Context(), conn))
	expect(true, "has not looked at workspace/acme, stripeconnection/stripe-live", "its address is not known")

	w.Status.ObservedGeneration, w.Status.DashboardURL = w.Generation, url+"/dashboard/churn?workspace=ns%2Facme"
	must(kube.Status().Update(t.Context(), w))
	conn.Status.ObservedGeneration, conn.Status.Endpoint.URL = conn.Generation, receiver.URL+"/webhooks/stripe/live"
	at := metav1.Now()
	conn.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionEntitled, Status: "False", Reason: v1alpha1.ReasonPlanRequired, LastTransitionTime: at},
		{Type: v1alpha1.ConditionAuthorized, Status: "False", Reason: v1alpha1.ReasonAwaitingConsent, LastTransitionTime: at},
		{Type: v1alpha1.ConditionBackfillComplete, Status: "False", Reason: v1alpha1.ReasonInProgress, LastTransitionTime: at},
		{Type: v1alpha1.ConditionReady, Status: "False", Reason: v1alpha1.ReasonPlanRequired, LastTransitionTime: at},
	}
	must(kube.Status().Update(t.Context(), conn))
	expect(true, "ok       operator", "ok       dashboard of ns/acme", "ok       version", "ok       receiver", "Entitled: ERR_PLAN_REQUIRED",
		"troubleshooting.md#err_plan_required", "Authorized: AwaitingConsent", "kubectl kustiq connect stripe-live")

	conn.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "True", Reason: v1alpha1.ReasonReady, LastTransitionTime: at}}
	must(kube.Status().Update(t.Context(), conn))
	expect(false, "ok       stripeconnection/stripe-live Ready")

	out, err := doctor(t, cluster.Kubeconfig, "-o", "json")
	if err != nil || !strings.Contains(out, `"check": "clock"`) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = doctor(t, cluster.Kubeconfig, "--as", "nobody"); err == nil || !strings.Contains(out, "you may not list workspaces (all)") {
		t.Errorf("without rights: %v\n%s", err, out)
	}
	receiver.Close()
	if out, err = doctor(t, cluster.Kubeconfig); err != nil || !strings.Contains(out, "does not answer from here") {
		t.Errorf("a receiver that is away: %v\n%s", err, out)
	}
}

func TestDoctorWithoutAnAPIServer(t *testing.T) {
	p := &plugin{config: &rest.Config{Host: "http://127.0.0.1:1"}, namespace: "ns"}
	d := p.diagnose(t.Context(), scope{})
	if len(d.Findings) != 1 || d.Findings[0].Level != broken || d.verdict() == nil {
		t.Errorf("%+v", d)
	}
}
