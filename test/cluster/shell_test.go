package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// shell runs kubectl and helm against the cluster of the current KUBECONFIG.
type shell struct {
	t    *testing.T
	helm string
}

func (s shell) run(stdin, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...) // not with the test's context: it is also for after the end
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return stdout.String(), nil
}

func (s shell) must(out string, err error) string {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s shell) kubectl(args ...string) string {
	s.t.Helper()
	return s.must(s.run("", "kubectl", args...))
}

// apply applies a manifest.
func (s shell) apply(manifest string) {
	s.t.Helper()
	s.must(s.run(manifest, "kubectl", "apply", "-f", "-"))
}

// get reads a list of objects into a value.
func (s shell) get(into any, args ...string) error {
	out, err := s.run("", "kubectl", append([]string{"get", "-o", "json"}, args...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

var forwarded = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

// forward opens one connection to a pod or a Service by a kubectl port-forward of its own, which ends with it.
func (s shell) forward(ctx context.Context, namespace, target, port string) (net.Conn, error) {
	cmd := exec.Command("kubectl", "port-forward", "-n", namespace, target, ":"+port)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end := func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := forwarded.FindStringSubmatch(lines.Text()); m != nil {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m[1])
			if err != nil {
				end()
				return nil, err
			}
			return forwardedConn{conn, end}, nil
		}
	}
	end()
	return nil, fmt.Errorf("kubectl port-forward to %s has ended", target)
}

type forwardedConn struct {
	net.Conn
	end func()
}

func (c forwardedConn) Close() error {
	err := c.Conn.Close()
	c.end()
	return err
}
