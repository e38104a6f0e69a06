package kill_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/vault"
)

const (
	secret = "whsec_kill"
	// patience is how long anything may take on a busy machine.
	patience = 3 * time.Minute
	pace     = 20 * time.Millisecond
)

// binDir holds kustiq.
var binDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		binDir = os.Getenv("KUSTIQ_BIN")
		if binDir == "" {
			dir, err := os.MkdirTemp("", "kustiq-bin-")
			if err != nil {
				panic(err)
			}
			defer func() { _ = os.RemoveAll(dir) }()
			binDir = dir
			if out, err := exec.Command("go", "build", "-o", dir+"/", "../../cmd/kustiq").CombinedOutput(); err != nil {
				panic(fmt.Sprintf("%v\n%s", err, out))
			}
		}
		return m.Run()
	}())
}

// stack is the three roles with what they keep, and the keys that an operator would share with them.
type stack struct {
	t             *testing.T
	dir           string
	token         string
	bus, identity *vault.Vault
	// at holds the addresses of bus and receiver, which stay over restarts.
	at        map[string]string
	processes map[string]*process
}

type process struct {
	command *exec.Cmd
	output  *locked
}

// locked is a buffer that a process writes to while it is read.
type locked struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

func newStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{t: t, dir: t.TempDir(), token: rand.Text(), at: map[string]string{}, processes: map[string]*process{}}
	s.must(os.MkdirAll(filepath.Join(s.dir, "keys"), 0o700))
	s.bus, s.identity = s.keyset("bus"), s.keyset("identity")
	s.keyset("tokens")
	s.file("keys/bus-files", bytes.Repeat([]byte{7}, 32))
	s.file("token", []byte(s.token))
	for _, role := range []string{"bus", "receiver"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		s.must(err)
		s.at[role] = l.Addr().String()
		s.must(l.Close())
	}
	t.Cleanup(func() {
		for role, p := range s.processes {
			if p.command.ProcessState == nil {
				_ = p.command.Process.Kill()
				_ = p.command.Wait()
			}
			if t.Failed() {
				t.Logf("%s said:\n%s", role, p.output)
			}
		}
	})
	return s
}

func (s *stack) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) file(name string, content []byte) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(s.dir, name), content, 0o600))
}

func (s *stack) keyset(name string) *vault.Vault {
	s.t.Helper()
	keys, err := vault.NewKeyset()
	s.must(err)
	s.file("keys/"+name, keys)
	v, err := vault.Open(keys)
	s.must(err)
	return v
}

// start runs a role. What it said in earlier lives is kept for a failure.
func (s *stack) start(role string) {
	s.t.Helper()
	in := func(name string) string { return filepath.Join(s.dir, name) }
	onBus := []string{"--region", "EU", "--bus-url", "nats://" + s.at["bus"], "--bus-token-file", in("token"), "--keys-dir", in("keys")}
	args := map[string][]string{
		"bus":      {"--dir", in("bus"), "--listen", s.at["bus"], "--token-file", in("token"), "--keys-dir", in("keys")},
		"receiver": append(onBus[:len(onBus):len(onBus)], "--listen", s.at["receiver"]),
		"engine":   append(onBus[:len(onBus):len(onBus)], "--store", s.dsn()),
	}[role]
	p := &process{output: &locked{}}
	if before := s.processes[role]; before != nil {
		p.output = before.output
	}
	p.command = exec.Command(filepath.Join(binDir, "kustiq"), append([]string{role, "--metrics-listen", "127.0.0.1:0", "--log-level", "warn"}, args...)...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	s.must(p.command.Start())
	s.processes[role] = p
}

func (s *stack) dsn() string { return "sqlite://" + filepath.Join(s.dir, "scores.db") }

// kill ends a role as a crash or a lost machine does.
func (s *stack) kill(role string) {
	s.t.Helper()
	s.must(s.processes[role].command.Process.Kill())
	var ended *exec.ExitError
	if err := s.processes[role].command.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		s.t.Fatalf("%s ended by itself: %v", role, err)
	}
}

// stop ends a role as Kubernetes does.
func (s *stack) stop(role string) {
	s.t.Helper()
	s.must(s.processes[role].command.Process.Signal(syscall.SIGTERM))
	if err := s.processes[role].command.Wait(); err != nil {
		s.t.Errorf("%s did not end well: %v", role, err)
	}
}

func (s *stack) waitUntil(what string, done func() bool) {
	s.t.Helper()
	err := wait.PollUntilContextTimeout(s.t.Context(), pace, patience, true, func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		s.t.Fatalf("waited for %s until: %v", what, err)
	}
}

// operate publishes what the operator would: the endpoint's secret, and whose events the accounts' are.
func (s *stack) operate() {
	s.t.Helper()
	var b *bus.Bus
	var err error
	s.waitUntil("the bus", func() bool {
		b, err = bus.Open(s.t.Context(), bus.Options{URL: "nats://" + s.at["bus"], Token: s.token, Region: "eu", Logger: slog.New(slog.DiscardHandler)})
		return err == nil
	})
	defer b.Close()
	sealed, err := s.bus.Seal([]byte(secret), "endpoint/we_1")
	s.must(err)
	_, err = b.Endpoints().Put(s.t.Context(), "live", bus.Endpoint{ID: "we_1", SecretIDs: []string{"we_1"}, Secrets: [][]byte{sealed}})
	s.must(err)
	for tenant := range tenants {
		_, err = b.Routes().Put(s.t.Context(), bus.RouteKey(accountOf(tenant), true), bus.Route{
			Workspace: workspaceOf(tenant), Connection: fmt.Sprint("uid-", tenant), Account: accountOf(tenant), Livemode: true,
		})
		s.must(err)
	}
}

// drained says whether every signal on the bus was acknowledged by the engine.
func (s *stack) drained() bool {
	conn, err := nats.Connect("nats://"+s.at["bus"], nats.Token(s.token))
	if err != nil {
		return false
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	s.must(err)
	left := uint64(0)
	for _, class := range []string{"live", "surplus"} {
		stream, err := js.Stream(s.t.Context(), "KUSTIQ_"+strings.ToUpper(class)+"_EU")
		if err != nil {
			return false
		}
		left += stream.CachedInfo().State.Msgs
	}
	return left == 0
}
