package devcluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Packages of hack/controlplane/go.mod, and the names their binaries get.
var sources = []struct{ pkg, built, name string }{
	{"go.etcd.io/etcd/server/v3", "server", "etcd"},
	{"k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver", "kube-apiserver"},
	{"k8s.io/kubernetes/cmd/kubectl", "kubectl", "kubectl"},
}

const progressEvery = 10 * time.Second

// build compiles the control plane with the go command into target.
func build(ctx context.Context, target string, progress Progress) error {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return errors.New("the go command is not on the PATH")
	}
	module, err := controlPlaneModule()
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(target), "build-")
	if err != nil {
		return fmt.Errorf("make build folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	b := builder{goTool: goTool, module: module, out: scratch, progress: progress, started: time.Now()}
	if err := b.compile(ctx); err != nil {
		return err
	}
	for _, s := range sources {
		if s.built == s.name {
			continue
		}
		if err := os.Rename(filepath.Join(scratch, s.built), filepath.Join(scratch, s.name)); err != nil {
			return fmt.Errorf("name %s: %w", s.name, err)
		}
	}
	progress.say("control plane: built in %s", time.Since(b.started).Round(time.Second))
	return install(scratch, target)
}

type builder struct {
	goTool, module, out string
	progress            Progress
	started             time.Time
}

// compile runs one go build for all binaries and reports how many packages are done.
func (b builder) compile(ctx context.Context) error {
	b.progress.say("control plane: fetching the modules of Kubernetes %s and etcd", KubernetesVersion)
	total, err := b.countPackages(ctx)
	if err != nil {
		return err
	}
	args := []string{"build", "-v", "-ldflags", versionFlags(), "-o", b.out + string(filepath.Separator)}
	for _, s := range sources {
		args = append(args, s.pkg)
	}
	cmd := b.command(ctx, args...)
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go build: %w", err)
	}
	last := b.follow(output, total)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, last)
	}
	return nil
}

// follow counts the package names that go build -v prints, and returns the last lines for an error.
func (b builder) follow(output io.Reader, total int) string {
	var tail []string
	done, said := 0, b.started
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		done++
		if tail = append(tail, lines.Text()); len(tail) > 20 {
			tail = tail[1:]
		}
		if time.Since(said) >= progressEvery {
			said = time.Now()
			b.progress.say("control plane: compiled %d of at most %d packages, %s", done, total, time.Since(b.started).Round(time.Second))
		}
	}
	return strings.Join(tail, "\n")
}

// countPackages lists what has to be compiled; it also downloads the modules.
func (b builder) countPackages(ctx context.Context) (int, error) {
	args := []string{"list", "-deps"}
	for _, s := range sources {
		args = append(args, s.pkg)
	}
	cmd := b.command(ctx, args...)
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("fetch modules: %w\n%s", err, lastLines(failure.String(), 5))
	}
	return bytes.Count(out, []byte("\n")), nil
}

func (b builder) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.goTool, args...)
	cmd.Dir = b.module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")
	return cmd
}

// versionFlags stamp the version, so that kubectl version and the API server's /version tell it.
func versionFlags() string {
	minor := strings.Split(KubernetesVersion, ".")[1]
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X", pkg+".gitVersion=v"+KubernetesVersion, "-X", pkg+".gitMajor=1",
			"-X", pkg+".gitMinor="+minor, "-X", pkg+".gitTreeState=clean")
	}
	return strings.Join(flags, " ")
}

// controlPlaneModule finds hack/controlplane in the checkout that the process runs in.
func controlPlaneModule() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		candidate := filepath.Join(dir, "hack", "controlplane")
		if _, err := os.Stat(filepath.Join(candidate, "go.mod")); err == nil {
			return candidate, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("hack/controlplane not found: run it inside a checkout of Kustiq")
		}
		dir = parent
	}
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
