package install

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestRightsFollowTheNamesOfAnInstallation uses names that hold those of config/rbac, which the chart replaces.
func TestRightsFollowTheNamesOfAnInstallation(t *testing.T) {
	for release, in := range map[string]string{
		"kustiq": namespace, "churn": "kustiq-operator", "kustiq-system": "kustiq-worker", "kustiq-worker": "kustiq-dashboard-x",
	} {
		objects := decodeAll(t, output(t, ".", helm, "template", release, chart, "-n", in, "--kube-version", kubernetes))
		there := map[string]bool{}
		for _, object := range objects {
			there[object.GetKind()+"/"+object.GetName()] = true
			if got := object.GetNamespace(); got != "" && got != in {
				t.Errorf("%s in %s: %s %s is in %s", release, in, object.GetKind(), object.GetName(), got)
			}
		}
		bindings := 0
		for _, object := range objects {
			role, bound, _ := unstructured.NestedStringMap(object.Object, "roleRef")
			if !bound {
				continue
			}
			bindings++
			if !there[role["kind"]+"/"+role["name"]] {
				t.Errorf("%s in %s: there is no %s %s", release, in, role["kind"], role["name"])
			}
			subjects, _, _ := unstructured.NestedSlice(object.Object, "subjects")
			for _, subject := range subjects {
				account := subject.(map[string]any)
				if account["namespace"] != in || !there["ServiceAccount/"+account["name"].(string)] {
					t.Errorf("%s in %s: %s is for %v", release, in, object.GetName(), account)
				}
			}
		}
		if bindings < 4 {
			t.Errorf("%d bindings", bindings)
		}
	}
}

// TestAPodOfTwoRolesHasTheAnnotationsOfBoth is about SQLite, where the engine runs as the dashboard.
func TestAPodOfTwoRolesHasTheAnnotationsOfBoth(t *testing.T) {
	g := NewWithT(t)
	objects := render(t, "-f", "testdata/values/sqlite-dashboard.yaml",
		"--set", "engine.serviceAccount.annotations.engine=a,dashboard.serviceAccount.annotations.dashboard=b")
	annotations := map[string]map[string]string{}
	for _, object := range objects {
		if object.GetKind() == "ServiceAccount" {
			annotations[object.GetName()] = object.GetAnnotations()
		}
	}
	seen := false
	for _, pod := range pods(t, objects) {
		if pod.Labels["app.kubernetes.io/component"] == "engine" {
			seen = true
			g.Expect(annotations[pod.Spec.ServiceAccountName]).To(Equal(map[string]string{"engine": "a", "dashboard": "b"}))
		}
	}
	g.Expect(seen).To(BeTrue())
}
