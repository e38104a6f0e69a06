// Package crd checks on a real kube-apiserver what the custom resources accept, refuse, default and show.
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
	kube, err = client.New(cluster.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
})

func meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "default", GenerateName: "t-"}
}

func workspace(change func(*v1alpha1.WorkspaceSpec)) *v1alpha1.Workspace {
	w := &v1alpha1.Workspace{ObjectMeta: meta(), Spec: v1alpha1.WorkspaceSpec{Plan: "Pro", Region: "EU"}}
	change(&w.Spec)
	return w
}

func connection(change func(*v1alpha1.StripeConnectionSpec)) *v1alpha1.StripeConnection {
	c := &v1alpha1.StripeConnection{ObjectMeta: meta(), Spec: v1alpha1.StripeConnectionSpec{
		WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: "Live",
	}}
	change(&c.Spec)
	return c
}

func backfill(change func(*v1alpha1.BackfillSpec)) *v1alpha1.Backfill {
	b := &v1alpha1.Backfill{ObjectMeta: meta(), Spec: v1alpha1.BackfillSpec{ConnectionRef: v1alpha1.LocalRef{Name: "stripe-live"}}}
	change(&b.Spec)
	return b
}

func notification(url string) func(*v1alpha1.WorkspaceSpec) {
	return func(s *v1alpha1.WorkspaceSpec) {
		s.Notifications = []v1alpha1.Notification{{URL: url, SigningSecretRef: v1alpha1.SecretKeyRef{Name: "s", Key: "k"}}}
	}
}

var _ = DescribeTable("creating", func(ctx context.Context, object client.Object, refusal string) {
	err := kube.Create(ctx, object)
	if refusal == "" {
		Expect(err).NotTo(HaveOccurred())
		return
	}
	Expect(err).To(MatchError(ContainSubstring(refusal)))
},
	Entry("a Workspace", workspace(func(*v1alpha1.WorkspaceSpec) {}), ""),
	Entry("an unknown plan", workspace(func(s *v1alpha1.WorkspaceSpec) { s.Plan = "Gold" }), `supported values: "Free", "Insight", "Pro"`),
	Entry("an unknown region", workspace(func(s *v1alpha1.WorkspaceSpec) { s.Region = "APAC" }), `supported values: "EU", "US"`),
	Entry("an unknown crossRegion", workspace(func(s *v1alpha1.WorkspaceSpec) { s.CrossRegion = "Maybe" }), `supported values: "Deny", "Allow"`),
	Entry("a threshold of 100", workspace(func(s *v1alpha1.WorkspaceSpec) { s.AtRiskThreshold = 100 }), ""),
	Entry("a threshold of 101", workspace(func(s *v1alpha1.WorkspaceSpec) { s.AtRiskThreshold = 101 }), "less than or equal to 100"),
	Entry("a notification over https", workspace(notification("https://hooks.example/churn")), ""),
	Entry("a notification over http", workspace(notification("http://hooks.example/churn")), "url must begin with https://"),
	Entry("an unknown event type", workspace(func(s *v1alpha1.WorkspaceSpec) {
		notification("https://hooks.example/")(s)
		s.Notifications[0].EventTypes = []v1alpha1.EventType{"customer.lost"}
	}), "supported values"),
	Entry("eleven notifications", workspace(func(s *v1alpha1.WorkspaceSpec) {
		notification("https://hooks.example/")(s)
		for range 10 {
			s.Notifications = append(s.Notifications, s.Notifications[0])
		}
	}), "must have at most 10 items"),
	Entry("a StripeConnection", connection(func(*v1alpha1.StripeConnectionSpec) {}), ""),
	Entry("a connection without a Workspace", connection(func(s *v1alpha1.StripeConnectionSpec) { s.WorkspaceRef.Name = "" }), "spec.workspaceRef.name"),
	Entry("an unknown mode", connection(func(s *v1alpha1.StripeConnectionSpec) { s.Mode = "Sandbox" }), `supported values: "Live", "Test"`),
	Entry("an unknown window", connection(func(s *v1alpha1.StripeConnectionSpec) { s.Backfill.Window = "1y" }), `supported values: "30d", "90d", "AllTime"`),
	Entry("a confidence of 100", connection(func(s *v1alpha1.StripeConnectionSpec) { s.Matching.MinimumConfidence = 100 }), ""),
	Entry("a confidence of 89", connection(func(s *v1alpha1.StripeConnectionSpec) { s.Matching.MinimumConfidence = 89 }), "greater than or equal to 90"),
	Entry("a confidence of 101", connection(func(s *v1alpha1.StripeConnectionSpec) { s.Matching.MinimumConfidence = 101 }), "less than or equal to 100"),
	Entry("an unknown deletion policy", connection(func(s *v1alpha1.StripeConnectionSpec) { s.DeletionPolicy = "Shred" }), `supported values: "Retain", "Erase"`),
	Entry("a Backfill", backfill(func(*v1alpha1.BackfillSpec) {}), ""),
	Entry("a Backfill of no connection", backfill(func(s *v1alpha1.BackfillSpec) { s.ConnectionRef.Name = "" }), "spec.connectionRef.name"),
	Entry("a Backfill of an unknown window", backfill(func(s *v1alpha1.BackfillSpec) { s.Window = "2d" }), "supported values"),
)

var _ = DescribeTable("changing", func(ctx context.Context, object client.Object, change func(client.Object), refusal string) {
	Expect(kube.Create(ctx, object)).To(Succeed())
	change(object)
	err := kube.Update(ctx, object)
	if refusal == "" {
		Expect(err).NotTo(HaveOccurred())
		return
	}
	Expect(err).To(MatchError(ContainSubstring(refusal)))
},
	Entry("a plan", workspace(func(*v1alpha1.WorkspaceSpec) {}), func(o client.Object) { o.(*v1alpha1.Workspace).Spec.Plan = "Free" }, ""),
	Entry("a region", workspace(func(*v1alpha1.WorkspaceSpec) {}), func(o client.Object) { o.(*v1alpha1.Workspace).Spec.Region = "US" },
		"region cannot be changed: create a Workspace in the other region"),
	Entry("a connection's suspend", connection(func(*v1alpha1.StripeConnectionSpec) {}), func(o client.Object) { o.(*v1alpha1.StripeConnection).Spec.Suspend = true }, ""),
	Entry("a connection's mode", connection(func(*v1alpha1.StripeConnectionSpec) {}), func(o client.Object) { o.(*v1alpha1.StripeConnection).Spec.Mode = "Test" },
		"mode cannot be changed: live and test are separate connections"),
	Entry("a connection's Workspace", connection(func(*v1alpha1.StripeConnectionSpec) {}), func(o client.Object) { o.(*v1alpha1.StripeConnection).Spec.WorkspaceRef.Name = "other" },
		"workspaceRef cannot be changed: create another StripeConnection"),
	Entry("a Backfill's suspend", backfill(func(*v1alpha1.BackfillSpec) {}), func(o client.Object) { o.(*v1alpha1.Backfill).Spec.Suspend = true }, ""),
	Entry("a Backfill's window", backfill(func(*v1alpha1.BackfillSpec) {}), func(o client.Object) { o.(*v1alpha1.Backfill).Spec.Window = "90d" },
		"window cannot be changed: create another Backfill"),
	Entry("a Backfill's connection", backfill(func(*v1alpha1.BackfillSpec) {}), func(o client.Object) { o.(*v1alpha1.Backfill).Spec.ConnectionRef.Name = "other" },
		"connectionRef cannot be changed: create another Backfill"),
	Entry("a Backfill's time to live", backfill(func(*v1alpha1.BackfillSpec) {}), func(o client.Object) {
		o.(*v1alpha1.Backfill).Spec.TTLAfterFinished = &metav1.Duration{Duration: 1}
	}, "ttlAfterFinished cannot be changed"),
)

var _ = It("sets defaults", func(ctx context.Context) {
	w, c, b := workspace(func(*v1alpha1.WorkspaceSpec) {}), connection(func(*v1alpha1.StripeConnectionSpec) {}), backfill(func(*v1alpha1.BackfillSpec) {})
	for _, object := range []client.Object{w, c, b} {
		Expect(kube.Create(ctx, object)).To(Succeed())
	}
	Expect(w.Spec.CrossRegion).To(Equal(v1alpha1.CrossRegionDeny))
	Expect(w.Spec.AtRiskThreshold).To(BeEquivalentTo(60))
	Expect(c.Spec.Backfill.Window).To(Equal(v1alpha1.Window30d))
	Expect(c.Spec.Matching.MinimumConfidence).To(BeEquivalentTo(90))
	Expect(c.Spec.DeletionPolicy).To(Equal(v1alpha1.DeletionRetain))
	Expect(b.Spec.Window).To(Equal(v1alpha1.Window30d))
})

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
	Entry("Backfill", "backfills", "CONNECTION WINDOW PHASE PERCENT SIGNALS READY AGE"),
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
