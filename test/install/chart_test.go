package install

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

const chart = root + "/charts/kustiq"

// kubernetes is the version that the chart is rendered for: that of hack/controlplane.
const kubernetes = "1.37.2"

// render is what helm would send.
func render(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	args = append([]string{"template", "kustiq", chart, "-n", namespace, "--kube-version", kubernetes}, args...)
	return decodeAll(t, output(t, ".", helm, args...))
}

func decodeAll(t *testing.T, text []byte) (objects []*unstructured.Unstructured) {
	t.Helper()
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		object := &unstructured.Unstructured{}
		// With the line end that was cut off: it may belong to a text.
		if err := yaml.UnmarshalStrict(slices.Concat(document, []byte("\n")), &object.Object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if object.GetKind() != "" {
			objects = append(objects, object)
		}
	}
	return objects
}

func valuesFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	return files
}

func TestChart(t *testing.T) {
	ensureNamespace(t)
	for _, file := range valuesFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			output(t, ".", helm, "lint", "--strict", chart, "-f", file, "--kube-version", kubernetes)
			objects := render(t, "-f", file)
			for _, object := range objects {
				acceptedByTheAPIServer(t, object)
				if object.GetKind() == "Secret" {
					t.Errorf("the chart holds the Secret %s: Secrets are made in the cluster or brought", object.GetName())
				}
			}
			for _, pod := range pods(t, objects) {
				restricted(t, pod)
				frugal(t, pod)
			}
			fitTogether(t, objects)
		})
	}
}

// ensureNamespace makes the namespace with its label, which refuses pods that are not restricted.
func ensureNamespace(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "config/default/namespace.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	apply := client.ApplyConfigurationFromUnstructured(decodeAll(t, text)[0])
	if err := kube.Apply(t.Context(), apply, client.FieldOwner("test")); err != nil {
		t.Fatal(err)
	}
}

// acceptedByTheAPIServer applies an object without keeping it. Kinds of others' CRDs are not known here.
func acceptedByTheAPIServer(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	err := kube.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.DryRunAll, client.FieldOwner("test"), client.ForceOwnership)
	if meta.IsNoMatchError(err) && slices.Contains([]string{"HTTPRoute", "ServiceMonitor", "PrometheusRule"}, object.GetKind()) {
		return
	}
	if err != nil {
		t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// pods are those that the workloads ask for.
func pods(t *testing.T, objects []*unstructured.Unstructured) (all []*corev1.Pod) {
	t.Helper()
	for _, object := range objects {
		if kind := object.GetKind(); kind != "Deployment" && kind != "StatefulSet" {
			continue
		}
		template, _, err := unstructured.NestedMap(object.Object, "spec", "template")
		if err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(template, pod, true); err != nil {
			t.Fatalf("%s: %v", object.GetName(), err)
		}
		pod.Namespace, pod.Name = namespace, object.GetName()
		// Made by the StatefulSet.
		for _, name := range []string{"data", "scores"} {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		}
		all = append(all, pod)
	}
	if len(all) == 0 {
		t.Fatal("no pods")
	}
	return all
}

// restricted asks the API server, whose namespace admits restricted pods only.
func restricted(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	if err := kube.Create(t.Context(), pod.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("%s: %v", pod.Name, err)
	}
	loose := pod.DeepCopy()
	loose.Spec.SecurityContext.RunAsNonRoot = nil
	if err := kube.Create(t.Context(), loose, client.DryRunAll); err == nil {
		t.Fatal("this namespace admits everything")
	}
}

// frugal checks what the restricted profile does not ask for.
func frugal(t *testing.T, pod *corev1.Pod) {
	g := NewWithT(t)
	g.Expect(pod.Spec.EnableServiceLinks).To(HaveValue(BeFalse()), pod.Name)
	speaksToAPI := slices.Contains([]string{"operator", "worker", "dashboard"}, pod.Labels["app.kubernetes.io/component"])
	g.Expect(pod.Spec.AutomountServiceAccountToken).To(HaveValue(Equal(speaksToAPI)), pod.Name)
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		g.Expect(c.SecurityContext.ReadOnlyRootFilesystem).To(HaveValue(BeTrue()), c.Name)
		g.Expect(c.Resources.Requests).To(HaveKey(corev1.ResourceMemory), c.Name)
		g.Expect(c.Resources.Limits).To(HaveKey(corev1.ResourceMemory), c.Name)
		for _, mount := range c.VolumeMounts {
			if mount.Name == "kube-api" {
				g.Expect(c.Name).To(Equal("dashboard"), "nobody beside it needs the token")
			}
		}
	}
	for _, c := range pod.Spec.Containers {
		g.Expect(c.ReadinessProbe).NotTo(BeNil(), c.Name)
		g.Expect(c.LivenessProbe).NotTo(BeNil(), c.Name)
	}
	for _, v := range pod.Spec.Volumes {
		if v.Secret != nil {
			g.Expect(v.Secret.Items).NotTo(BeEmpty(), "%s mounts all of a Secret", v.Name)
		}
		if v.Projected != nil {
			for _, source := range v.Projected.Sources {
				g.Expect(source.Secret == nil || len(source.Secret.Items) > 0).To(BeTrue(), "%s mounts all of a Secret", v.Name)
			}
		}
	}
}

// fitTogether follows the names by which the objects find one another.
func fitTogether(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	all := pods(t, objects)
	accounts, services := map[string]bool{}, map[string]bool{}
	for _, object := range objects {
		switch object.GetKind() {
		case "ServiceAccount":
			accounts[object.GetName()] = true
		case "Service":
			services[object.GetName()] = true
			var service corev1.Service
			convert(t, object, &service)
			for _, port := range service.Spec.Ports {
				if !slices.ContainsFunc(all, func(p *corev1.Pod) bool { return serves(p, service.Spec.Selector, port) }) && port.Name != "cluster" && port.Name != "metrics-dash" {
					t.Errorf("nothing serves port %s of Service %s", port.Name, service.Name)
				}
			}
		case "PodDisruptionBudget", "NetworkPolicy":
			selector, _, _ := unstructured.NestedStringMap(object.Object, "spec", "selector", "matchLabels")
			if object.GetKind() == "NetworkPolicy" {
				selector, _, _ = unstructured.NestedStringMap(object.Object, "spec", "podSelector", "matchLabels")
			}
			component := selector["app.kubernetes.io/component"]
			if !slices.ContainsFunc(all, func(p *corev1.Pod) bool { return labels.SelectorFromSet(selector).Matches(labels.Set(p.Labels)) }) && component != "dashboard" && component != "bus" {
				t.Errorf("%s %s selects nothing", object.GetKind(), object.GetName())
			}
		}
	}
	for _, pod := range all {
		if !accounts[pod.Spec.ServiceAccountName] {
			t.Errorf("%s uses the ServiceAccount %s, which is not there", pod.Name, pod.Spec.ServiceAccountName)
		}
	}
	for _, object := range objects {
		for _, name := range backends(object) {
			if !services[name] {
				t.Errorf("%s %s leads to the Service %s, which is not there", object.GetKind(), object.GetName(), name)
			}
		}
	}
}

func convert(t *testing.T, from *unstructured.Unstructured, to any) {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(from.Object, to, true); err != nil {
		t.Fatalf("%s %s: %v", from.GetKind(), from.GetName(), err)
	}
}

func serves(pod *corev1.Pod, selector map[string]string, port corev1.ServicePort) bool {
	return labels.SelectorFromSet(selector).Matches(labels.Set(pod.Labels)) &&
		slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
				return p.Name == port.TargetPort.StrVal || p.ContainerPort == port.TargetPort.IntVal
			})
		})
}

// backends are the Services that an Ingress or a route leads to.
func backends(object *unstructured.Unstructured) (names []string) {
	rules, _, _ := unstructured.NestedSlice(object.Object, "spec", "rules")
	for _, rule := range rules {
		rule := rule.(map[string]any)
		if object.GetKind() == "HTTPRoute" {
			for _, ref := range rule["backendRefs"].([]any) {
				names = append(names, ref.(map[string]any)["name"].(string))
			}
		}
		if object.GetKind() == "Ingress" {
			paths, _, _ := unstructured.NestedSlice(rule, "http", "paths")
			for _, path := range paths {
				name, _, _ := unstructured.NestedString(path.(map[string]any), "backend", "service", "name")
				names = append(names, name)
			}
		}
	}
	return names
}

func TestPodsStayInTheirRegion(t *testing.T) {
	for _, pod := range pods(t, render(t, "-f", "testdata/values/two-regions.yaml")) {
		want := map[string][]string{"eu": {"eu-central-1", "eu-west-1"}, "us": {"us-east-1"}}[pod.Labels["kustiq.io/region"]]
		if want == nil {
			continue // the operator serves both
		}
		for _, term := range pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			got := term.MatchExpressions[len(term.MatchExpressions)-1]
			if got.Key != corev1.LabelTopologyRegion || !slices.Equal(got.Values, want) {
				t.Errorf("%s may run where %v", pod.Name, got)
			}
			if strings.Contains(pod.Name, "receiver") && len(term.MatchExpressions) != 2 {
				t.Errorf("%s: the affinity that was given is lost", pod.Name)
			}
		}
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"bus.replicas=2":       "value must be one of",
		"bus.replica=3":        "additional properties 'replica' not allowed",
		"store.type=mysql":     "value must be one of",
		"store.type=postgres":  "store.postgres.dsnSecret.name is missing",
		"regions[0].name=APAC": "value must be one of",
		"regions[0].name=EU,regions[0].receiver.replica=2":                                                 "additional properties 'replica' not allowed",
		"regions[0].name=EU,regions[0].receiverURL=https://x/y":                                            "does not match pattern",
		"bus.external.url=nats://user:word@host":                                                           "does not match pattern",
		"bus.external.url=tsl://host,bus.external.tokenSecret.name=t":                                      "does not match pattern",
		"bus.external.url=tls://host":                                                                      "bus.external of region EU needs tokenSecret.name or credsSecret.name",
		"bus.external.url=tls://host,bus.external.tokenSecret.name=t,bus.external.credsSecret.name=c":      "bus.external of region EU has both tokenSecret and credsSecret",
		"engine.extraVolumes[0].emptyDir.medium=x":                                                         "missing property 'name'",
		"keys.kmsURI=arn:aws:kms":                                                                          "does not match pattern",
		"dashboard.oidc.issuerURL=http://login":                                                            "does not match pattern",
		"dashboard.oidc.issuerURL=https://login":                                                           "dashboard.oidc",
		"dashboard.oidc.issuerURL=https://login,regions[0].name=EU,regions[0].dashboardURL=https://kustiq": "dashboard.oidc.clientID is missing",
		"regions[0].name=EU,regions[0].worker.serviceAccount.annotations.a=b":                              "a role has one ServiceAccount for all regions",
		"dashboard.oidc.issuerURL=https://login,dashboard.oidc.clientID=k,regions[0].name=EU,regions[0].dashboardURL=https://kustiq," +
			"engine.serviceAccount.annotations.a=b,dashboard.serviceAccount.annotations.a=c": "differ in the annotation a",
		"ingress.enabled=true": "ingress.enabled needs the receiverURL of region EU",
	} {
		_, err := try(".", helm, "template", "kustiq", chart, "--kube-version", kubernetes, "--set", values)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", values, err)
		}
	}
	if _, err := try(".", helm, "template", "kustiq", chart, "--kube-version", "1.29.0"); err == nil {
		t.Error("a Kubernetes that is too old is accepted")
	}
}

func TestCRDsOutliveTheRelease(t *testing.T) {
	crds := func(args ...string) (all []*unstructured.Unstructured) {
		for _, object := range render(t, args...) {
			if object.GetKind() == "CustomResourceDefinition" {
				all = append(all, object)
			}
		}
		return all
	}
	kept := crds()
	if len(kept) != 3 {
		t.Fatalf("%d CRDs", len(kept))
	}
	for _, crd := range kept {
		if crd.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s goes with the release", crd.GetName())
		}
	}
	for _, crd := range crds("--set", "crds.keep=false") {
		if _, ok := crd.GetAnnotations()["helm.sh/resource-policy"]; ok {
			t.Errorf("%s stays", crd.GetName())
		}
	}
	if none := crds("--set", "crds.install=false"); len(none) != 0 {
		t.Errorf("%d CRDs", len(none))
	}
}

// TestKustomization compares what kubectl apply -k makes with what helm does.
func TestKustomization(t *testing.T) {
	ensureNamespace(t)
	byHelm, byKustomize := map[string]*unstructured.Unstructured{}, map[string]*unstructured.Unstructured{}
	for _, object := range render(t) {
		byHelm[object.GetKind()+"/"+object.GetName()] = plain(object)
	}
	for _, object := range decodeAll(t, output(t, ".", cluster.Kubectl, "kustomize", root+"/config/default")) {
		if object.GetKind() == "Namespace" {
			continue
		}
		acceptedByTheAPIServer(t, object)
		byKustomize[object.GetKind()+"/"+object.GetName()] = plain(object)
	}
	for name, object := range byHelm {
		other, ok := byKustomize[name]
		if !ok {
			t.Errorf("%s is missing: make generate", name)
		} else {
			NewWithT(t).Expect(other.Object).To(Equal(object.Object), name)
		}
	}
	for name := range byKustomize {
		if byHelm[name] == nil {
			t.Errorf("helm does not make %s", name)
		}
	}
}

// plain leaves out what each of them adds of its own.
func plain(object *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetLabels(without(object.GetLabels(), "helm.sh/chart", "app.kubernetes.io/managed-by"))
	object.SetAnnotations(without(object.GetAnnotations(), "helm.sh/resource-policy"))
	if object.GetKind() == "ServiceAccount" {
		object.SetLabels(nil)
		delete(object.Object, "automountServiceAccountToken") // each pod says so itself
	}
	return object
}

func without(from map[string]string, keys ...string) map[string]string {
	for _, key := range keys {
		delete(from, key)
	}
	if len(from) == 0 {
		return nil
	}
	return from
}

func TestSamplesAreAppliedAsTheyAre(t *testing.T) {
	for _, object := range decodeAll(t, output(t, ".", cluster.Kubectl, "kustomize", root+"/config/samples")) {
		if object.GetKind() == "Namespace" {
			if err := kube.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := kube.Create(t.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}
