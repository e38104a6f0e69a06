package install

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/internal/devcluster"
)

// namespace is that of the installation.
const namespace = "kustiq-system"

var (
	// cluster is a real API server, which no pod runs on.
	cluster *devcluster.Cluster
	kube    client.Client
	// helm is the pinned one.
	helm string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "kustiq-install-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	modfile, err := filepath.Abs(filepath.Join(root, "hack/helm/go.mod"))
	if err != nil {
		return 0, err
	}
	path, err := exec.Command("go", "tool", "-n", "-modfile="+modfile, "helm").Output()
	if err != nil {
		return 0, fmt.Errorf("build helm: %w", err)
	}
	helm = strings.TrimSpace(string(path))
	crds, err := config.CRDs()
	if err != nil {
		return 0, err
	}
	if cluster, err = devcluster.Start(context.Background(), devcluster.Options{Dir: dir, CRDs: crds}); err != nil {
		return 0, err
	}
	defer func() { _ = cluster.Stop() }()
	if kube, err = client.New(cluster.Config, client.Options{Scheme: controllers.Scheme()}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// as is somebody's client.
func as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	impersonated := rest.CopyConfig(cluster.Config)
	impersonated.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	c, err := client.New(impersonated, client.Options{Scheme: kube.Scheme(), Mapper: kube.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
