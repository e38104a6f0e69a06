package install

import (
	"path"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// TestFilesThatAreNamedAreMounted follows every path that a role is told to what its pod mounts there.
func TestFilesThatAreNamedAreMounted(t *testing.T) {
	for _, file := range valuesFiles(t) {
		objects := render(t, "-f", file)
		told := operatorFiles(t, objects)
		if strings.Contains(file, "private-authorities") && len(told) != 3 {
			t.Errorf("the operator is told the files %q", told)
		}
		for _, pod := range pods(t, objects) {
			for _, c := range pod.Spec.Containers {
				named := slices.Clone(c.Args)
				if c.Name == "operator" {
					named = append(named, told...)
				}
				for _, env := range c.Env {
					named = append(named, env.Value)
				}
				for _, text := range named {
					_, name, _ := strings.Cut(text, "/")
					if name = "/" + name; strings.HasPrefix(name, "/etc/") && !mounted(pod, c, name) {
						t.Errorf("%s: nothing is mounted at %s of %s in %s", path.Base(file), text, c.Name, pod.Name)
					}
				}
			}
		}
	}
}

// operatorFiles are the paths in the operator's file.
func operatorFiles(t *testing.T, objects []*unstructured.Unstructured) (files []string) {
	t.Helper()
	for _, object := range objects {
		text, ok, _ := unstructured.NestedString(object.Object, "data", "operator.yaml")
		if !ok {
			continue
		}
		var told struct {
			Regions []struct{ BusTokenFile, BusCredsFile, BusCAFile string }
		}
		if err := yaml.Unmarshal([]byte(text), &told); err != nil {
			t.Fatal(err)
		}
		for _, r := range told.Regions {
			files = append(files, r.BusTokenFile, r.BusCredsFile, r.BusCAFile)
		}
	}
	return slices.DeleteFunc(files, func(file string) bool { return file == "" })
}

// mounted says whether a container has something at a path: a folder, or a file that a volume's items name.
func mounted(pod *corev1.Pod, c corev1.Container, name string) bool {
	for _, mount := range c.VolumeMounts {
		if name == mount.MountPath {
			return true
		}
		if file, ok := strings.CutPrefix(name, mount.MountPath+"/"); ok {
			return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name && holds(v, file) })
		}
	}
	return false
}

func holds(v corev1.Volume, file string) bool {
	items := []corev1.KeyToPath{}
	switch {
	case v.ConfigMap != nil && v.ConfigMap.Items == nil:
		return true // all of its keys
	case v.ConfigMap != nil:
		items = v.ConfigMap.Items
	case v.Secret != nil:
		items = v.Secret.Items
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				items = append(items, source.Secret.Items...)
			}
		}
	}
	return slices.ContainsFunc(items, func(item corev1.KeyToPath) bool { return item.Path == file })
}
