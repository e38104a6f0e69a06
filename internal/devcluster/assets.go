// Package devcluster owns the control plane that development and tests run on: a real etcd and kube-apiserver, found
// or built on the first run, and started in a few seconds. It knows nothing of Kustiq's own resources.
package devcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// KubernetesVersion is what gets downloaded or built. It matches k8s.io/client-go in go.mod by minor version.
const KubernetesVersion = "1.37.2"

// assetsEnv is envtest's own variable: a folder that holds the three binaries.
const assetsEnv = "KUBEBUILDER_ASSETS"

var binaries = []string{"etcd", "kube-apiserver", "kubectl"}

// Assets names the control plane's binaries.
type Assets struct {
	// Dir holds etcd, kube-apiserver and kubectl.
	Dir string
	// Origin says in words where they came from.
	Origin string
}

// Progress receives one line for each step that takes a while. It may be nil.
type Progress func(line string)

func (p Progress) say(format string, args ...any) {
	if p != nil {
		p(fmt.Sprintf(format, args...))
	}
}

// EnsureAssets returns the control plane's binaries: those that KUBEBUILDER_ASSETS names, else those of an earlier
// run, else envtest's download, else a build from the Go modules pinned in hack/controlplane. What it makes stays in
// the user's cache folder, so that only the first run pays. Processes that need it at the same time wait for the first.
func EnsureAssets(ctx context.Context, progress Progress) (Assets, error) {
	if dir := os.Getenv(assetsEnv); dir != "" {
		if err := complete(dir); err != nil {
			return Assets{}, fmt.Errorf("%s is set, but %w: point it at a folder with etcd, kube-apiserver and kubectl, or unset it", assetsEnv, err)
		}
		return Assets{Dir: dir, Origin: assetsEnv}, nil
	}
	cache, err := cacheDir()
	if err != nil {
		return Assets{}, err
	}
	if found, ok := previous(cache); ok {
		return found, nil
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"), progress)
	if err != nil {
		return Assets{}, err
	}
	defer unlock()
	if found, ok := previous(cache); ok {
		return found, nil
	}
	return obtain(ctx, cache, progress)
}

// obtain downloads the binaries, or builds them when they cannot be downloaded.
func obtain(ctx context.Context, cache string, progress Progress) (Assets, error) {
	target := filepath.Join(cache, release())
	downloadErr := download(ctx, target, progress)
	if downloadErr == nil {
		return Assets{Dir: target, Origin: "envtest download"}, nil
	}
	progress.say("control plane: no download (%v); building it from Go modules, once", downloadErr)
	if err := build(ctx, target, progress); err != nil {
		return Assets{}, errors.Join(
			fmt.Errorf("control plane: cannot be built: %w", err),
			fmt.Errorf("it could not be downloaded either: %w", downloadErr),
			fmt.Errorf("set %s to a folder with etcd, kube-apiserver and kubectl", assetsEnv))
	}
	return Assets{Dir: target, Origin: "built from Go modules"}, nil
}

// previous looks for a complete set made by an earlier run or by the setup-envtest tool.
func previous(cache string) (Assets, bool) {
	candidates := []Assets{{Dir: filepath.Join(cache, release()), Origin: "an earlier run"}}
	if dir, err := setupEnvtestDir(); err == nil {
		candidates = append(candidates, Assets{Dir: filepath.Join(dir, release()), Origin: "setup-envtest"})
	}
	for _, c := range candidates {
		if complete(c.Dir) == nil {
			return c, true
		}
	}
	return Assets{}, false
}

// release names a folder the way setup-envtest does, so that both find each other's work.
func release() string {
	return fmt.Sprintf("%s-%s-%s", KubernetesVersion, runtime.GOOS, runtime.GOARCH)
}

func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("control plane: no cache folder (set HOME or XDG_CACHE_HOME): %w", err)
	}
	dir := filepath.Join(base, "kustiq", "controlplane")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("control plane: make cache folder: %w", err)
	}
	return dir, nil
}

// complete tells whether dir holds every binary, executable.
func complete(dir string) error {
	for _, name := range binaries {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("it lacks %s", name)
		}
		if info.Mode()&0o111 == 0 {
			return fmt.Errorf("its %s is not executable", name)
		}
	}
	return nil
}
