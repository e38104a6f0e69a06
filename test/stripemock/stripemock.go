// Package stripemock starts Stripe's own mock server for tests. It answers with the objects of Stripe's OpenAPI description and
// refuses requests that do not fit it.
package stripemock

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Key is a secret key that the mock accepts.
const Key = "sk_test_123"

// startTimeout bounds how long the mock may take to answer after its start.
const startTimeout = 30 * time.Second

// Start builds stripe-mock at the version of hack/tools/go.mod, runs it until the test ends, and returns a client that
// reaches it under the base URL. It listens on a Unix socket: on a port it would listen on every network interface.
func Start(t testing.TB) (baseURL string, client *http.Client) {
	t.Helper()
	// Not t.TempDir, whose name may be longer than a socket's may be.
	dir, err := os.MkdirTemp("", "mock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	binary := filepath.Join(dir, "stripe-mock")
	build := exec.Command("go", "build", "-modfile="+toolsModule(t), "-o", binary, "github.com/stripe/stripe-mock")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build stripe-mock: %v\n%s", err, out)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(binary, "-http-unix", socket)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start stripe-mock: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	waitFor(t, client)
	return "http://stripe-mock", client
}

func waitFor(t testing.TB, client *http.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://stripe-mock/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("stripe-mock does not answer")
		case <-ticker.C:
		}
	}
}

// Description reads the OpenAPI description that stripe-mock answers by: Stripe's own, of API version 2023-10-16.
func Description(t testing.TB) []byte {
	t.Helper()
	out, err := exec.Command("go", "list", "-modfile="+toolsModule(t), "-m", "-f", "{{.Dir}}", "github.com/stripe/stripe-mock").Output()
	if err != nil {
		t.Fatalf("find stripe-mock's sources: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "embedded", "openapi", "spec3.json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// toolsModule finds hack/tools/go.mod from the folder of the test.
func toolsModule(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		path := filepath.Join(dir, "hack", "tools", "go.mod")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("hack/tools/go.mod not found")
	return ""
}
