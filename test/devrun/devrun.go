// Package devrun starts kustiq dev, the built binary, for tests that use it as a person does.
package devrun

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kustiq/kustiq/internal/devcluster"
)

// Patience is for a busy machine: the demo itself takes about ten seconds.
const Patience = 3 * time.Minute

// stopPatience is longer than kustiq dev may take to end.
const stopPatience = time.Minute

// Dev is a running kustiq dev. Its process ends with the test at the latest.
type Dev struct {
	// Dir is its data folder, Env what dev.env holds, and Assets the folder of kubectl.
	Dir    string
	Env    map[string]string
	Assets string
	Cmd    *exec.Cmd

	t      testing.TB
	binDir string
	mu     sync.Mutex
	output bytes.Buffer
}

// Binaries returns the folder of kustiq and kubectl-kustiq: KUSTIQ_BIN, or one that they are built into, which clean
// removes. It panics when they do not build: it is for TestMain.
func Binaries() (dir string, clean func()) {
	if dir = os.Getenv("KUSTIQ_BIN"); dir != "" {
		return dir, func() {}
	}
	dir, err := os.MkdirTemp("", "kustiq-bin-")
	if err != nil {
		panic(err)
	}
	build := exec.Command("go", "build", "-o", dir+"/", "../../cmd/kustiq", "../../cmd/kubectl-kustiq")
	if out, err := build.CombinedOutput(); err != nil {
		panic(err.Error() + "\n" + string(out))
	}
	return dir, func() { _ = os.RemoveAll(dir) }
}

// Start runs kustiq dev on free ports and returns when it has told its story.
func Start(t testing.TB, binDir string, args ...string) *Dev {
	t.Helper()
	assets, err := devcluster.EnsureAssets(t.Context(), func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	d := &Dev{t: t, binDir: binDir, Dir: filepath.Join(t.TempDir(), "data"), Assets: assets.Dir}
	ports := []string{"--dashboard-addr", "127.0.0.1:0", "--receiver-addr", "127.0.0.1:0", "--stripe-addr", "127.0.0.1:0"}
	d.Cmd = exec.Command(filepath.Join(binDir, "kustiq"), append(append([]string{"dev", "--data-dir", d.Dir}, ports...), args...)...)
	d.Cmd.Stderr = os.Stderr
	stdout, err := d.Cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told, ended := make(chan bool, 1), make(chan struct{})
	t.Cleanup(func() { d.end(ended) })
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			d.mu.Lock()
			d.output.WriteString(lines.Text() + "\n")
			d.mu.Unlock()
			if strings.Contains(lines.Text(), "Ctrl-C stops everything") {
				told <- true
			}
		}
		close(told)
	}()
	select {
	case ok := <-told:
		if !ok {
			t.Fatalf("kustiq dev ended early:\n%s", d.Output())
		}
	case <-time.After(Patience):
		t.Fatalf("kustiq dev told no story in time:\n%s", d.Output())
	}
	d.readEnv()
	return d
}

// end stops it as Ctrl-C does, so that it stops all that it started: killed, it would leave a control plane behind.
func (d *Dev) end(ended <-chan struct{}) {
	_ = d.Cmd.Process.Signal(os.Interrupt) // it may have ended by itself
	select {
	case <-ended:
	case <-time.After(stopPatience):
		_ = d.Cmd.Process.Kill()
	}
}

// Output is what it has printed.
func (d *Dev) Output() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.output.String()
}

func (d *Dev) readEnv() {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.Dir, "dev.env"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.Env = map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			d.t.Errorf("dev.env: %q", name)
		}
		d.Env[name] = strings.Trim(value, "'")
	}
}

// Kubectl runs kubectl with the plugin on its PATH, and fails the test when that fails.
func (d *Dev) Kubectl(args ...string) string {
	d.t.Helper()
	cmd := exec.Command(filepath.Join(d.Assets, "kubectl"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.Env["KUBECONFIG"], "PATH="+d.binDir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Errorf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
