package crd

import (
	"bytes"
	"context"
	"os"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/internal/rbactest"
)

var _ = It("accepts the samples, and the replay beside them", func(ctx context.Context) {
	documents, err := config.SampleDocuments()
	Expect(err).NotTo(HaveOccurred())
	replay, err := os.ReadFile("../../config/samples/replay/backfill.yaml")
	Expect(err).NotTo(HaveOccurred())
	var kinds []string
	for _, document := range append(documents, replay) {
		object := read(document)
		Expect(kube.Create(ctx, object)).To(Succeed())
		kinds = append(kinds, object.GetKind())
	}
	Expect(kinds).To(Equal([]string{"Namespace", "Workspace", "StripeConnection", "StripeConnection", "Backfill"}))
})

// The controller that adds these roles to Kubernetes' own is not part of an API server, so they are bound directly.
var _ = Describe("rights", Ordered, func() {
	BeforeAll(func(ctx context.Context) {
		for _, file := range []string{"default/namespace.yaml", "rbac/service_accounts.yaml", "rbac/role.yaml", "rbac/role_bindings.yaml", "rbac/tenant_roles.yaml"} {
			text, err := os.ReadFile("../../config/" + file)
			Expect(err).NotTo(HaveOccurred())
			for _, document := range bytes.Split(bytes.TrimPrefix(text, []byte("---\n")), []byte("\n---\n")) {
				Expect(kube.Create(ctx, read(document))).To(Succeed())
			}
		}
		for _, role := range []string{"kustiq-view", "kustiq-edit", "kustiq-platform"} {
			Expect(kube.Create(ctx, read([]byte(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: `+role+`, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: `+role+`}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: `+role+`}]`)))).To(Succeed())
		}
		Expect(rbactest.CatchUp(ctx, cluster.Config)).To(Succeed())
	})

	DescribeTable("of a user to create", func(ctx context.Context, user, kind string, allowed bool) {
		err := as(user).Create(ctx, example(kind), client.DryRunAll)
		if allowed {
			Expect(err).NotTo(HaveOccurred())
			return
		}
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	},
		Entry(nil, "kustiq-view", "StripeConnection", false),
		Entry(nil, "kustiq-view", "Backfill", false),
		Entry(nil, "kustiq-view", "Workspace", false),
		Entry(nil, "kustiq-edit", "StripeConnection", true),
		Entry(nil, "kustiq-edit", "Backfill", true),
		Entry(nil, "kustiq-edit", "Workspace", false),
		Entry(nil, "kustiq-platform", "Workspace", true),
	)

	DescribeTable("to read Secrets", func(ctx context.Context, user, namespace string, allowed bool) {
		secret := &unstructured.Unstructured{}
		secret.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Secret"})
		err := as(user).Get(ctx, client.ObjectKey{Namespace: namespace, Name: "none"}, secret)
		Expect(apierrors.IsForbidden(err)).To(Equal(!allowed), "%v", err)
	},
		Entry(nil, "system:serviceaccount:kustiq-system:kustiq-operator", "kustiq-system", true),
		Entry(nil, "system:serviceaccount:kustiq-system:kustiq-operator", "default", false),
		Entry(nil, "system:serviceaccount:kustiq-system:kustiq-worker", "kustiq-system", true),
		Entry(nil, "system:serviceaccount:kustiq-system:kustiq-worker", "default", false),
		Entry(nil, "kustiq-platform", "default", false),
	)
})

func as(user string) client.Client {
	impersonated := rest.CopyConfig(cluster.Config)
	impersonated.Impersonate.UserName = user
	c, err := client.New(impersonated, client.Options{Scheme: kube.Scheme(), Mapper: kube.RESTMapper()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

func read(document []byte) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(document, &object.Object)).To(Succeed())
	return object
}
