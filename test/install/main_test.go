// Package install tests what an installation is made from: the image, the Helm chart, the kustomization and the rights
// of each role. It knows nothing of what the roles do.
package install

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository.
const root = "../.."

// output runs a command in a folder, and returns what it printed.
func output(t testing.TB, dir, name string, args ...string) []byte {
	t.Helper()
	out, err := try(dir, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is output for a command that may fail; its error ends in what the command said.
func try(dir, name string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as the Makefile builds
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, &stderr)
	}
	return stdout.Bytes(), nil
}

// binary is kustiq as it goes into an image.
func binary(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("KUSTIQ_BIN"); dir != "" {
		return filepath.Join(dir, "kustiq")
	}
	path := filepath.Join(t.TempDir(), "kustiq")
	output(t, root, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./cmd/kustiq")
	return path
}
