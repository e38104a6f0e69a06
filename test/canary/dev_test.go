// Package canary runs the built kustiq dev against payloads whose personal and payment data is marked, and then looks for
// the marks in everything that the run has left behind or shows: files, logs, Kubernetes objects, pages, API answers.
package canary

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kustiq/kustiq/internal/devcluster"
	"github.com/kustiq/kustiq/internal/stripesim"
)

// patience is for a busy machine: the demo itself takes about ten seconds.
const patience = 3 * time.Minute

// binary is kustiq.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir := os.Getenv("KUSTIQ_BIN")
		if dir == "" {
			made, err := os.MkdirTemp("", "kustiq-bin-")
			if err != nil {
				panic(err)
			}
			defer func() { _ = os.RemoveAll(made) }()
			build := exec.Command("go", "build", "-o", made+"/", "../../cmd/kustiq")
			if out, err := build.CombinedOutput(); err != nil {
				panic(fmt.Sprintf("%v\n%s", err, out))
			}
			dir = made
		}
		binary = filepath.Join(dir, "kustiq")
		return m.Run()
	}())
}

// output is what a process has written so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.text.Bytes())
}

// dev is a running kustiq dev.
type dev struct {
	// home has all that it writes: data, and temporary files beside it.
	home           string
	cmd            *exec.Cmd
	ended          chan error
	stdout, stderr output
	env            map[string]string
	kube           *rest.Config
	// known is a customer that something has happened to.
	known string
}

// startDev starts kustiq dev with all that it can log, and returns when its scenario has been played.
func startDev(t *testing.T, args ...string) *dev {
	t.Helper()
	if _, err := devcluster.EnsureAssets(t.Context(), func(line string) { t.Log(line) }); err != nil {
		t.Fatal(err)
	}
	d := &dev{home: t.TempDir(), ended: make(chan error, 1)}
	temporary := filepath.Join(d.home, "tmp")
	if err := os.MkdirAll(temporary, 0o700); err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(binary, append([]string{
		"dev", "--data-dir", filepath.Join(d.home, "data"), "--log-level", "DEBUG-100",
		"--dashboard-addr", "127.0.0.1:0", "--receiver-addr", "127.0.0.1:0", "--stripe-addr", "127.0.0.1:0",
	}, args...)...)
	d.cmd.Dir, d.cmd.Env = temporary, append(os.Environ(), "TMPDIR="+temporary)
	d.cmd.Stderr = &d.stderr
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	played := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(io.TeeReader(stdout, &d.stdout))
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Ctrl-C stops everything") {
				close(played)
			}
		}
		d.ended <- d.cmd.Wait()
	}()
	select {
	case <-played:
	case err := <-d.ended:
		t.Fatalf("kustiq dev ended early: %v\n%s%s", err, d.stdout.bytes(), d.stderr.bytes())
	case <-time.After(patience):
		t.Fatalf("kustiq dev is not ready in time\n%s%s", d.stdout.bytes(), d.stderr.bytes())
	}
	d.env = readEnv(t, filepath.Join(d.home, "data", "dev.env"))
	if d.kube, err = clientcmd.BuildConfigFromFlags("", d.env["KUBECONFIG"]); err != nil {
		t.Fatal(err)
	}
	d.kube.QPS = -1                           // the client's own limit is for busy clusters
	d.kube.WarningHandler = rest.NoWarnings{} // all kinds are listed, those of old too
	return d
}

func readEnv(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		name, value, _ := strings.Cut(line, "=")
		env[name] = strings.Trim(value, "'")
	}
	return env
}

// stop ends kustiq dev as a supervisor does.
func (d *dev) stop(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.ended:
		if err != nil {
			t.Errorf("kustiq dev ended with %v\n%s", err, d.stderr.bytes())
		}
	case <-time.After(patience):
		t.Fatal("kustiq dev does not stop")
	}
}

// answer is what a request came to.
type answer struct {
	status int
	body   []byte
}

func do(t *testing.T, client *http.Client, req *http.Request) answer {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, body}
}

func get(t *testing.T, url string) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, http.DefaultClient, req)
}

// post sends a body to the receiver with a Stripe-Signature header, at a path below its own.
func (d *dev) post(t *testing.T, path, body, signature string) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, d.env["RECEIVER_URL"]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Stripe-Signature", signature)
	return do(t, http.DefaultClient, req)
}

// sign signs as the live endpoint's Stripe does.
func (d *dev) sign(body string, at time.Time) string {
	return stripesim.Sign([]byte(body), d.env["WEBHOOK_SECRET_LIVE"], at.Unix())
}

// simulated is a customer as the simulator's own pages tell it.
type simulated struct {
	ID, Status string
}

// liveCustomers are those with a live subscription.
func (d *dev) liveCustomers(t *testing.T) []simulated {
	t.Helper()
	var accounts []struct {
		Livemode  bool
		Customers []simulated
	}
	if err := json.Unmarshal(get(t, d.env["STRIPE_URL"]+"/_sim/accounts").body, &accounts); err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if a.Livemode {
			return a.Customers
		}
	}
	return nil
}
