package devcluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// endLeftovers kills an etcd or kube-apiserver that still works in dir: envtest puts them in process groups of their
// own, so they outlive a parent that was killed, and would hold etcd's lock.
func endLeftovers(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("control plane: look for leftovers: %w", err)
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		// A process may end while it is looked at; then there is nothing to do.
		command, err := os.ReadFile(filepath.Join("/proc", p.Name(), "cmdline"))
		if err == nil && worksIn(bytes.Split(command, []byte{0}), dir, abs) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return nil
}

// worksIn tells whether a command line is one of ours for this folder.
func worksIn(args [][]byte, dirs ...string) bool {
	if len(args) == 0 {
		return false
	}
	name := filepath.Base(string(args[0]))
	for _, dir := range dirs {
		for _, arg := range args[1:] {
			switch {
			case name == "etcd" && string(arg) == "--data-dir="+filepath.Join(dir, "etcd"),
				name == "kube-apiserver" && string(arg) == "--cert-dir="+filepath.Join(dir, "apiserver"):
				return true
			}
		}
	}
	return false
}
