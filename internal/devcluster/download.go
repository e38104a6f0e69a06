package devcluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	// indexTimeout is short: a machine without a way out must not wait before it starts to build.
	indexTimeout    = 5 * time.Second
	downloadTimeout = 3 * time.Minute
)

func setupEnvtestDir() (string, error) { return envtest.SetupEnvtestDefaultBinaryAssetsDirectory() }

// download lets envtest fetch its release into target. Envtest offers no call that only downloads, so a control plane
// is started from it once; that also proves the binaries before they are kept.
func download(ctx context.Context, target string, progress Progress) error {
	if err := reachable(ctx); err != nil {
		return err
	}
	progress.say("control plane: downloading Kubernetes %s (about 80 MB)", KubernetesVersion)
	scratch, err := os.MkdirTemp(filepath.Dir(target), "download-")
	if err != nil {
		return fmt.Errorf("make download folder: %w", err)
	}
	env := &envtest.Environment{
		DownloadBinaryAssets:        true,
		DownloadBinaryAssetsVersion: "v" + KubernetesVersion,
		BinaryAssetsDirectory:       scratch,
	}
	done := make(chan error, 1)
	go func() {
		_, err := env.Start()
		if stopErr := env.Stop(); err == nil {
			err = stopErr
		}
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(downloadTimeout):
		return errors.New("the download took too long")
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	if err != nil {
		return fmt.Errorf("envtest: %w", err)
	}
	return install(filepath.Join(scratch, release()), target)
}

// reachable asks for envtest's release index with a short timeout.
func reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, indexTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, envtest.DefaultBinaryAssetsIndexURL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errors.New("the release index is out of reach")
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the release index answers %d", resp.StatusCode)
	}
	return nil
}

// install moves a complete folder into place in one step, so that no other process ever sees half of it.
func install(from, to string) error {
	if err := complete(from); err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("replace %s: %w", filepath.Base(to), err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("install control plane: %w", err)
	}
	return nil
}
