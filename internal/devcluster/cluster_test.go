package devcluster

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

func TestASecondStartFindsTheObjectsOfTheFirst(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	first := start(t, dir)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}
	if _, err := kubernetes.NewForConfigOrDie(first.Config).CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(first.Kubectl, "--kubeconfig", first.Kubeconfig, "version").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Server Version: v"+strings.Join(strings.Split(KubernetesVersion, ".")[:2], ".")) {
		t.Errorf("kubectl version: %v\n%s", err, out)
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	second := start(t, dir)
	if _, err := kubernetes.NewForConfigOrDie(second.Config).CoreV1().Namespaces().Get(ctx, "kept", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
}

func TestAnIncompleteAssetsFolderSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "etcd"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(assetsEnv, dir)
	_, err := EnsureAssets(context.Background(), nil)
	if err == nil || !strings.Contains(err.Error(), "lacks kube-apiserver") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyOurOwnProcessesAreLeftovers(t *testing.T) {
	args := func(s ...string) (out [][]byte) {
		for _, a := range s {
			out = append(out, []byte(a))
		}
		return out
	}
	for name, tc := range map[string]struct {
		args [][]byte
		want bool
	}{
		"etcd of this folder":      {args("/c/etcd", "--data-dir=/d/etcd"), true},
		"apiserver of this folder": {args("/c/kube-apiserver", "--cert-dir=/d/apiserver"), true},
		"etcd of another folder":   {args("/c/etcd", "--data-dir=/e/etcd"), false},
		"an editor":                {args("/bin/vi", "--data-dir=/d/etcd"), false},
		"nothing":                  {nil, false},
	} {
		if got := worksIn(tc.args, "/d"); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func start(t *testing.T, dir string) *Cluster {
	t.Helper()
	c, err := Start(context.Background(), Options{Dir: dir, Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	return c
}
