// Package crd checks on a real kube-apiserver what the custom resources accept, refuse, default and show, and who may
// write them.
package crd

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/internal/devcluster"
)

var (
	cluster *devcluster.Cluster
	kube    client.Client
)

func TestCRDs(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Custom resources")
}

var _ = BeforeSuite(func(ctx context.Context) {
	crds, err := config.CRDs()
	Expect(err).NotTo(HaveOccurred())
	dir, err := os.MkdirTemp("", "crd")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = os.RemoveAll(dir) })
	cluster, err = devcluster.Start(ctx, devcluster.Options{Dir: dir, CRDs: crds})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(cluster.Stop)
	scheme := runtime.NewScheme()
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	unchecked, err := client.New(cluster.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	kube = client.WithFieldValidation(unchecked, metav1.FieldValidationStrict)
})

// change is an update of a stored object; refusal "" means that it is allowed.
type change struct {
	kind, path string
	from, to   any
	refusal    string
}

var changes = []change{
	{"Workspace", "spec.plan", "Pro", "Free", ""},
	{"Workspace", "spec.region", "EU", "EU", ""},
	{"Workspace", "spec.region", "EU", "US", "region cannot be changed: create a Workspace in the other region"},
	{"StripeConnection", "spec.suspend", false, true, ""},
	{"StripeConnection", "spec.mode", "Live", "Live", ""},
	{"StripeConnection", "spec.mode", "Live", "Test", "mode cannot be changed: live and test are separate connections"},
	{"StripeConnection", "spec.workspaceRef.name", "acme", "acme", ""},
	{"StripeConnection", "spec.workspaceRef.name", "acme", "other", "workspaceRef cannot be changed: create another StripeConnection"},
	{"Backfill", "spec.suspend", false, true, ""},
	{"Backfill", "spec.window", "90d", "90d", ""},
	{"Backfill", "spec.window", "30d", "90d", "window cannot be changed: create another Backfill"},
	{"Backfill", "spec.window", "90d", nil, "window cannot be changed: create another Backfill"},
	{"Backfill", "spec.connectionRef.name", "main", "main", ""},
	{"Backfill", "spec.connectionRef.name", "main", "other", "connectionRef cannot be changed: create another Backfill"},
	{"Backfill", "spec.since", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", ""},
	{"Backfill", "spec.since", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", fixedSince},
	{"Backfill", "spec.since", nil, "2026-03-02T00:00:00Z", fixedSince},
	{"Backfill", "spec.since", "2026-03-01T00:00:00Z", nil, fixedSince},
	{"Backfill", "spec.ttlAfterFinished", "24h", "24h0m0s", ""}, // the same, as Go writes it
	{"Backfill", "spec.ttlAfterFinished", "24h", "25h", fixedTTL},
	{"Backfill", "spec.ttlAfterFinished", "24h", nil, fixedTTL},
	{"Backfill", "spec.ttlAfterFinished", nil, "24h", fixedTTL},
}

const fixedSince = "since cannot be changed: create another Backfill"

const fixedTTL = "ttlAfterFinished cannot be changed: delete the Backfill when it is no longer needed"

var _ = Describe("changing", func() {
	for _, c := range changes {
		It(c.kind+" "+c.path, func(ctx context.Context) {
			object := example(c.kind)
			if c.from != nil {
				put(object.Object, c.path, c.from)
			}
			Expect(kube.Create(ctx, object)).To(Succeed())
			put(object.Object, c.path, c.to)
			err := kube.Update(ctx, object)
			if c.refusal == "" {
				Expect(err).NotTo(HaveOccurred())
				return
			}
			Expect(err).To(MatchError(ContainSubstring(c.refusal)))
		})
	}
})

var _ = It("sets defaults", func(ctx context.Context) {
	meta := metav1.ObjectMeta{Namespace: "default", GenerateName: "t-"}
	w := &v1alpha1.Workspace{ObjectMeta: meta, Spec: v1alpha1.WorkspaceSpec{Plan: v1alpha1.PlanPro, Region: v1alpha1.RegionEU}}
	c := &v1alpha1.StripeConnection{ObjectMeta: meta, Spec: v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: v1alpha1.ModeLive}}
	b := &v1alpha1.Backfill{ObjectMeta: meta, Spec: v1alpha1.BackfillSpec{ConnectionRef: v1alpha1.LocalRef{Name: "stripe-live"}}}
	for _, object := range []client.Object{w, c, b} {
		Expect(kube.Create(ctx, object)).To(Succeed())
	}
	Expect(w.Spec.CrossRegion).To(Equal(v1alpha1.CrossRegionDeny))
	Expect(w.Spec.AtRiskThreshold).To(BeEquivalentTo(60))
	Expect(c.Spec.Backfill.Window).To(Equal(v1alpha1.Window30d))
	Expect(c.Spec.Matching.MinimumConfidence).To(BeEquivalentTo(90))
	Expect(c.Spec.DeletionPolicy).To(Equal(v1alpha1.DeletionRetain))
	Expect(b.Spec.Window).To(Equal(v1alpha1.Window30d))
	Expect(b.Spec.TTLAfterFinished).To(BeNil())
})

var _ = DescribeTable("requires", func(ctx context.Context, kind, field string) {
	object := example(kind)
	delete(object.Object["spec"].(map[string]any), field)
	Expect(kube.Create(ctx, object)).To(MatchError(ContainSubstring("spec." + field + ": Required value")))
},
	Entry("a plan", "Workspace", "plan"),
	Entry("a region", "Workspace", "region"),
	Entry("a Workspace", "StripeConnection", "workspaceRef"),
	Entry("a mode", "StripeConnection", "mode"),
	Entry("a connection", "Backfill", "connectionRef"),
)

var _ = DescribeTable("columns of kubectl get", func(ctx context.Context, resource, columns string) {
	rest := kubernetes.NewForConfigOrDie(cluster.Config).CoreV1().RESTClient()
	raw, err := rest.Get().AbsPath("/apis/integrations.kustiq.io/v1alpha1/"+resource).
		SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	var table metav1.Table
	Expect(json.Unmarshal(raw, &table)).To(Succeed())
	var names []string
	for _, column := range table.ColumnDefinitions {
		if column.Priority == 0 {
			names = append(names, strings.ToUpper(column.Name))
		}
	}
	Expect(strings.Join(names, " ")).To(Equal("NAME " + columns))
},
	Entry("StripeConnection", "stripeconnections", "MODE REGION ACCOUNT READY REASON LAST-EVENT AGE"),
	Entry("Workspace", "workspaces", "PLAN REGION CONNECTIONS READY REASON AGE"),
	Entry("Backfill", "backfills", "CONNECTION WINDOW PHASE PERCENT OBJECTS SIGNALS RATE ETA READY AGE"),
)

var _ = It("knows short names and the category", func() {
	found, err := kubernetes.NewForConfigOrDie(cluster.Config).Discovery().ServerResourcesForGroupVersion("integrations.kustiq.io/v1alpha1")
	Expect(err).NotTo(HaveOccurred())
	short := map[string][]string{}
	for _, r := range found.APIResources {
		if !strings.Contains(r.Name, "/") {
			short[r.Name] = r.ShortNames
			Expect(r.Categories).To(ContainElement("kustiq"))
		}
	}
	Expect(short).To(Equal(map[string][]string{"workspaces": {"ws"}, "stripeconnections": {"strc"}, "backfills": {"bf"}}))
})
