package devcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// startTimeout is generous: on a busy two-core machine the API server has taken 20 s.
const startTimeout = time.Minute

// Options of one control plane.
type Options struct {
	// Dir keeps etcd's data, certificates, logs and the kubeconfig file. A second start in the same folder finds the
	// objects of the first.
	Dir string
	// Port of the API server on 127.0.0.1; 0 takes a free one.
	Port int
	// CRDs are installed before Start returns.
	CRDs []*apiextensionsv1.CustomResourceDefinition
	// Progress hears of a first-time download or build. It may be nil.
	Progress Progress
}

// Cluster is a running etcd and kube-apiserver.
type Cluster struct {
	// Config reaches the API server as a cluster administrator.
	Config *rest.Config
	// Kubeconfig is the path of a file that says the same to kubectl.
	Kubeconfig string
	// Kubectl is the path of a kubectl of the same version.
	Kubectl string
	// Env is what runs it; tests add users through it.
	Env *envtest.Environment

	logs []*os.File
}

// Start runs a control plane until Stop. Leftovers of a killed run in the same folder are ended first.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Dir == "" {
		return nil, errors.New("control plane: no folder given")
	}
	assets, err := EnsureAssets(ctx, opts.Progress)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Kubectl: filepath.Join(assets.Dir, "kubectl"), Kubeconfig: filepath.Join(opts.Dir, "kubeconfig")}
	if err := endLeftovers(opts.Dir); err != nil {
		return nil, err
	}
	if c.Env, err = c.environment(assets, opts); err != nil {
		return nil, err
	}
	if c.Config, err = c.Env.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start control plane (its logs are in %s): %w", filepath.Join(opts.Dir, "logs"), err), c.Stop())
	}
	if err := os.WriteFile(c.Kubeconfig, c.Env.KubeConfig, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("write kubeconfig: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) environment(assets Assets, opts Options) (*envtest.Environment, error) {
	env := &envtest.Environment{
		BinaryAssetsDirectory:    assets.Dir,
		CRDs:                     opts.CRDs,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	server := env.ControlPlane.GetAPIServer()
	env.ControlPlane.Etcd = &envtest.Etcd{}
	// envtest takes certificates it finds for its own and then has no authority for them: it must make them anew.
	if err := os.RemoveAll(filepath.Join(opts.Dir, "apiserver")); err != nil {
		return nil, fmt.Errorf("control plane: drop old certificates: %w", err)
	}
	for _, dir := range []string{"etcd", "apiserver", "logs"} {
		if err := os.MkdirAll(filepath.Join(opts.Dir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("control plane: make folder: %w", err)
		}
	}
	env.ControlPlane.Etcd.DataDir = filepath.Join(opts.Dir, "etcd")
	server.CertDir = filepath.Join(opts.Dir, "apiserver")
	if opts.Port != 0 {
		server.SecureServing.Address, server.SecureServing.Port = "127.0.0.1", strconv.Itoa(opts.Port)
	}
	etcdLog, err := c.log(opts.Dir, "etcd.log")
	if err != nil {
		return nil, err
	}
	serverLog, err := c.log(opts.Dir, "kube-apiserver.log")
	if err != nil {
		return nil, err
	}
	env.ControlPlane.Etcd.Out, env.ControlPlane.Etcd.Err = etcdLog, etcdLog
	server.Out, server.Err = serverLog, serverLog
	return env, nil
}

func (c *Cluster) log(dir, name string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "logs", name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("control plane: open log: %w", err)
	}
	c.logs = append(c.logs, file)
	return file, nil
}

// Stop ends both processes and returns when they are gone.
func (c *Cluster) Stop() error {
	var err error
	if c.Env != nil {
		if stopErr := c.Env.Stop(); stopErr != nil {
			err = fmt.Errorf("stop control plane: %w", stopErr)
		}
	}
	for _, file := range c.logs {
		_ = file.Close()
	}
	return err
}
