package crd

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/config"
)

// bound is one limit of a schema, with a value on either side of it. It is written as untyped JSON, since the Go types
// cannot say what a tenant's YAML can.
type bound struct {
	kind, path string
	keyword    string // as in the schema; a CEL rule goes by its message
	good, bad  any
	refusal    string
}

var bounds = slices.Concat(workspaceBounds, connectionBounds, backfillBounds, statusBounds)

const (
	httpsRule = "url must begin with https:// (http:// is for a loopback address on a developer's machine)"
	onceRule  = "notifications must not name a url twice"
)

var workspaceBounds = []bound{
	{"Workspace", "spec.plan", "enum", "Insight", "Gold", `supported values: "Free", "Insight", "Pro"`},
	{"Workspace", "spec.region", "enum", "US", "APAC", `supported values: "EU", "US"`},
	{"Workspace", "spec.crossRegion", "enum", "Allow", "Maybe", `supported values: "Deny", "Allow"`},
	{"Workspace", "spec.atRiskThreshold", "minimum", int64(1), int64(0), "should be greater than or equal to 1"},
	{"Workspace", "spec.atRiskThreshold", "maximum", int64(100), int64(101), "should be less than or equal to 100"},
	{"Workspace", "spec.notifications", "maxItems", hooks(10), hooks(11), "must have at most 10 items"},
	{"Workspace", "spec.notifications", onceRule, hooks(2), append(hooks(1), hooks(1)...), onceRule},
	{"Workspace", "spec.notifications[].url", httpsRule, "https://hooks.example/a", "http://hooks.example/a", httpsRule},
	{"Workspace", "spec.notifications[].url", httpsRule, "http://127.0.0.1:9000/a", "http://127.0.0.1.hooks.example/a", httpsRule},
	{"Workspace", "spec.notifications[].url", "minLength", "https://h", "https://", "should be at least 9 chars long"},
	{"Workspace", "spec.notifications[].url", "maxLength", "https://" + text(2040), "https://" + text(2041), tooLong(2048)},
	{"Workspace", "spec.notifications[].signingSecretRef.name", "minLength", "s", "", "should be at least 1 chars long"},
	{"Workspace", "spec.notifications[].signingSecretRef.name", "maxLength", text(253), text(254), tooLong(253)},
	{"Workspace", "spec.notifications[].signingSecretRef.key", "minLength", "k", "", "should be at least 1 chars long"},
	{"Workspace", "spec.notifications[].signingSecretRef.key", "maxLength", text(253), text(254), tooLong(253)},
	{"Workspace", "spec.notifications[].eventTypes", "maxItems", eventTypes(), append(eventTypes(), "score.changed"), "must have at most 4 items"},
	{"Workspace", "spec.notifications[].eventTypes[]", "enum", "score.changed", "customer.lost", `supported values: "customer.at_risk"`},
}

var connectionBounds = []bound{
	{"StripeConnection", "spec.workspaceRef.name", "minLength", "a", "", "should be at least 1 chars long"},
	{"StripeConnection", "spec.workspaceRef.name", "maxLength", text(253), text(254), tooLong(253)},
	{"StripeConnection", "spec.mode", "enum", "Test", "Sandbox", `supported values: "Live", "Test"`},
	{"StripeConnection", "spec.backfill.window", "enum", "AllTime", "1y", `supported values: "30d", "90d", "AllTime"`},
	{"StripeConnection", "spec.matching.minimumConfidence", "minimum", int64(90), int64(89), "should be greater than or equal to 90"},
	{"StripeConnection", "spec.matching.minimumConfidence", "maximum", int64(100), int64(101), "should be less than or equal to 100"},
	{"StripeConnection", "spec.deletionPolicy", "enum", "Erase", "Shred", `supported values: "Retain", "Erase"`},
	{"StripeConnection", "metadata.name", nameRule, text(230), text(231), nameRule},
}

var backfillBounds = []bound{
	{"Backfill", "spec.connectionRef.name", "minLength", "a", "", "should be at least 1 chars long"},
	{"Backfill", "spec.connectionRef.name", "maxLength", text(253), text(254), tooLong(253)},
	{"Backfill", "spec.window", "enum", "90d", "2d", `supported values: "30d", "90d", "AllTime"`},
	{"Backfill", "spec.ttlAfterFinished", durationRule, "1h30m", "1day", durationRule},
	{"Backfill", "spec.ttlAfterFinished", durationRule, "24h0m0s", "-1h", durationRule},
	{"Backfill", "spec.ttlAfterFinished", durationRule, "99999h", "100000h", durationRule},
	{"Backfill", "spec.ttlAfterFinished", "maxLength", "11111h11111m11111s", "11111h11111m111111s", tooLong(18)},
}

var statusBounds = []bound{
	{"Workspace", "status.dashboardURL", "maxLength", text(2048), text(2049), tooLong(2048)},
	{"Workspace", "status.conditions", "maxItems", conditions(8), conditions(9), "must have at most 8 items"},
	{"StripeConnection", "status.connectURL", "maxLength", text(2048), text(2049), tooLong(2048)},
	{"StripeConnection", "status.accountID", "maxLength", text(255), text(256), tooLong(255)},
	{"StripeConnection", "status.country", "maxLength", "DE", "DEU", tooLong(2)},
	{"StripeConnection", "status.region", "enum", "EU", "APAC", `supported values: "EU", "US"`},
	{"StripeConnection", "status.scope", "maxLength", text(255), text(256), tooLong(255)},
	{"StripeConnection", "status.endpoint.id", "maxLength", text(255), text(256), tooLong(255)},
	{"StripeConnection", "status.endpoint.url", "maxLength", text(2048), text(2049), tooLong(2048)},
	{"StripeConnection", "status.endpoint.apiVersion", "maxLength", text(64), text(65), tooLong(64)},
	{"StripeConnection", "status.endpoint.retiringID", "maxLength", text(255), text(256), tooLong(255)},
	{"StripeConnection", "status.handled.reconcileAt", "maxLength", text(255), text(256), tooLong(255)},
	{"StripeConnection", "status.handled.rotateSecretAt", "maxLength", text(255), text(256), tooLong(255)},
	{"StripeConnection", "status.handled.rematchAt", "maxLength", text(255), text(256), tooLong(255)},
	{"StripeConnection", "status.conditions", "maxItems", conditions(16), conditions(17), "must have at most 16 items"},
	{"Backfill", "status.phase", "enum", "Running", "Walking", `supported values: "Pending", "Running"`},
	{"Backfill", "status.percent", "minimum", int64(0), int64(-1), "should be greater than or equal to 0"},
	{"Backfill", "status.percent", "maximum", int64(100), int64(101), "should be less than or equal to 100"},
	{"Backfill", "status.rate", "maxLength", text(64), text(65), tooLong(64)},
	{"Backfill", "status.resources", "maxItems", resources(32), resources(33), "must have at most 32 items"},
	{"Backfill", "status.resources[].name", "maxLength", text(64), text(65), tooLong(64)},
	{"Backfill", "status.resources[].cursor", "maxLength", text(255), text(256), tooLong(255)},
	{"Backfill", "status.resources[].percent", "minimum", int64(0), int64(-1), "should be greater than or equal to 0"},
	{"Backfill", "status.resources[].percent", "maximum", int64(100), int64(101), "should be less than or equal to 100"},
	{"Backfill", "status.signalKinds", "maxItems", kinds(32), kinds(33), "must have at most 32 items"},
	{"Backfill", "status.signalKinds[].kind", "maxLength", text(64), text(65), tooLong(64)},
	{"Backfill", "status.unrecoverable", "maxItems", losses(32), losses(33), "must have at most 32 items"},
	{"Backfill", "status.unrecoverable[].kind", "maxLength", text(64), text(65), tooLong(64)},
	{"Backfill", "status.unrecoverable[].reason", "maxLength", text(256), text(257), tooLong(256)},
	{"Backfill", "status.conditions", "maxItems", conditions(8), conditions(9), "must have at most 8 items"},
}

var _ = Describe("every bound", func() {
	for _, b := range bounds {
		It(b.kind+" "+b.path+" "+b.keyword, func(ctx context.Context) {
			Expect(write(ctx, b, b.good)).To(Succeed(), "on this side of the bound")
			Expect(write(ctx, b, b.bad)).To(MatchError(ContainSubstring(b.refusal)), "on that side of the bound")
		})
	}
})

var _ = It("has an example of every bound and every rule of the schemas", func() {
	var tested []string
	for _, b := range bounds {
		tested = append(tested, b.kind+" "+b.path+" "+b.keyword)
	}
	for _, c := range changes {
		tested = append(tested, c.kind+" "+c.refusal)
	}
	crds, err := config.CRDs()
	Expect(err).NotTo(HaveOccurred())
	for _, crd := range crds {
		for _, found := range limits("", crd.Spec.Versions[0].Schema.OpenAPIV3Schema) {
			Expect(tested).To(ContainElement(And(HavePrefix(crd.Spec.Names.Kind+" "), HaveSuffix(found))), crd.Name)
		}
	}
})

// limits lists what a schema limits: "path keyword", and the message of a rule. A condition's own fields are Kubernetes'.
func limits(path string, schema *apiextensionsv1.JSONSchemaProps) []string {
	var found []string
	for keyword, set := range map[string]bool{
		"enum": len(schema.Enum) > 0, "minLength": schema.MinLength != nil, "maxLength": schema.MaxLength != nil, "minimum": schema.Minimum != nil,
		"maximum": schema.Maximum != nil, "minItems": schema.MinItems != nil, "maxItems": schema.MaxItems != nil, "pattern": schema.Pattern != "",
	} {
		if set {
			found = append(found, path+" "+keyword)
		}
	}
	for _, rule := range schema.XValidations {
		found = append(found, rule.Message)
	}
	for name, property := range schema.Properties {
		found = append(found, limits(strings.TrimPrefix(path+"."+name, "."), &property)...)
	}
	if schema.Items != nil && path != "status.conditions" {
		found = append(found, limits(path+"[]", schema.Items.Schema)...)
	}
	return found
}

// write stores an example with one value changed, in the spec at its creation or in the status after it.
func write(ctx context.Context, b bound, value any) error {
	object := example(b.kind)
	if !strings.HasPrefix(b.path, "status.") {
		put(object.Object, b.path, value)
		return kube.Create(ctx, object, client.DryRunAll)
	}
	Expect(kube.Create(ctx, object)).To(Succeed())
	object.Object["status"] = map[string]any{"resources": resources(1), "signalKinds": kinds(1), "unrecoverable": losses(1)}
	if b.kind != "Backfill" {
		object.Object["status"] = map[string]any{}
	}
	put(object.Object, b.path, value)
	return kube.Status().Update(ctx, object)
}

// put sets the value at a path; [] is the first item of a list.
func put(object map[string]any, path string, value any) {
	head, rest, nested := strings.Cut(path, "[]")
	if !nested {
		Expect(unstructured.SetNestedField(object, value, strings.Split(head, ".")...)).To(Succeed())
		return
	}
	list, found, err := unstructured.NestedFieldNoCopy(object, strings.Split(head, ".")...)
	Expect(err).NotTo(HaveOccurred())
	Expect(found).To(BeTrue())
	if rest == "" {
		list.([]any)[0] = value
		return
	}
	put(list.([]any)[0].(map[string]any), strings.TrimPrefix(rest, "."), value)
}
