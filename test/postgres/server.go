//go:build unix

// Package postgres starts a PostgreSQL server for tests and benchmarks, from the binaries that the machine has.
package postgres

import (
	"bufio"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/onsi/gomega"
)

// Start runs a server in a temporary directory until the test ends, and returns the URL of its database postgres. An
// empty one says why there is none. Only a durable server syncs what it commits.
func Start(t testing.TB, durable bool) (dsn, why string) {
	g := gomega.NewWithT(t)
	initdb, server := findPostgres("initdb"), findPostgres("postgres")
	if initdb == "" || server == "" {
		return "", "no PostgreSQL binaries found"
	}
	owner, err := unprivileged()
	if err != nil {
		return "", "PostgreSQL does not run as root, and there is no other user to run it as"
	}
	// Not t.TempDir(): its name grows with the test's, and a socket's path may have 100 bytes only.
	dir, err := os.MkdirTemp("", "kq")
	g.Expect(err).NotTo(gomega.HaveOccurred())
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if owner != nil {
		g.Expect(os.Chown(dir, int(owner.Uid), int(owner.Gid))).To(gomega.Succeed())
	}
	data := filepath.Join(dir, "data")
	init := exec.CommandContext(t.Context(), initdb, "-D", data, "-U", "kustiq", "-A", "trust", "-E", "UTF8", "--no-sync")
	init.SysProcAttr, init.Dir = &syscall.SysProcAttr{Credential: owner}, dir
	out, err := init.CombinedOutput()
	g.Expect(err).NotTo(gomega.HaveOccurred(), string(out))

	args := []string{"-D", data, "-k", dir, "-c", "listen_addresses="}
	if !durable {
		args = append(args, "-F")
	}
	cmd := exec.Command(server, args...)
	cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Credential: owner}, dir
	log, err := cmd.StderrPipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(cmd.Start()).To(gomega.Succeed())
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		g.Expect(err).NotTo(gomega.HaveOccurred(), "the server ended: "+line)
		if strings.Contains(line, "ready to accept connections") {
			break
		}
	}
	drained := make(chan struct{})
	go func() { // a full pipe would stop the server
		defer close(drained)
		_, _ = io.Copy(io.Discard, lines)
	}()
	t.Cleanup(func() {
		g.Expect(cmd.Process.Signal(syscall.SIGQUIT)).To(gomega.Succeed()) // immediate shutdown
		<-drained
		_ = cmd.Wait()
	})
	return "postgres:///postgres?" + url.Values{"host": {dir}, "user": {"kustiq"}}.Encode(), ""
}

// findPostgres also looks where Debian and Ubuntu put binaries that are not in PATH.
func findPostgres(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	return found[len(found)-1]
}

// unprivileged is nil unless the test runs as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("no unprivileged user")
}
