package store_test

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/vault"
)

func TestOpenRefuses(t *testing.T) {
	g := NewWithT(t)
	keyset, err := vault.NewKeyset()
	g.Expect(err).NotTo(HaveOccurred())
	v, err := vault.Open(keyset)
	g.Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(t.TempDir(), "file")
	g.Expect(os.WriteFile(file, []byte("not a database, and longer than its header would be"), 0o600)).To(Succeed())
	for name, dsn := range map[string]string{
		"nothing": "", "another database": "mysql://root:hunter2@db/x", "no file": "sqlite://",
		"not a directory": "sqlite://" + file + "/hunter2", "not a database": "sqlite://" + file,
		"bad port": "postgres://u:hunter2@localhost:port/x", "nobody there": "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable",
	} {
		s, err := store.Open(t.Context(), store.Options{DSN: dsn, Vault: v,
			Clock: clocktesting.NewFakePassiveClock(start), Logger: slog.New(slog.DiscardHandler)})
		g.Expect(err).To(HaveOccurred(), name)
		g.Expect(s).To(BeNil(), name)
		if name != "not a directory" { // a path is no secret
			g.Expect(err.Error()).NotTo(ContainSubstring("hunter2"), name)
		}
	}
	_, err = store.Open(t.Context(), store.Options{DSN: "sqlite://" + file + ".db"})
	g.Expect(err).To(MatchError(ContainSubstring("are required")))
}

// TestSQLiteIsDurable holds the settings on which "acknowledged after the commit" rests.
func TestSQLiteIsDurable(t *testing.T) {
	g := NewWithT(t)
	f := newSQLite(t)
	f.fill(t, acme, "a@example.com", 90)
	path := f.dsn[len("sqlite://"):]
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(file)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)), filepath.Base(file))
	}
	// The write-ahead log is a property of the file, the others of the connection: they are in settings_test.go.
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Dir(path))+"/store%20with%20space%20%231.db")
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = db.Close() }()
	var mode string
	g.Expect(db.QueryRow("PRAGMA journal_mode").Scan(&mode)).To(Succeed())
	g.Expect(mode).To(Equal("wal"))
}

// TestOpenedTogether starts several processes' stores on one new file.
func TestOpenedTogether(t *testing.T) {
	g := NewWithT(t)
	f := newSQLite(t)
	f.dsn += ".second"
	var all sync.WaitGroup
	stores := make([]*store.Store, 4)
	for i := range stores {
		all.Go(func() { stores[i] = f.open(t) })
	}
	all.Wait()
	for _, s := range stores {
		g.Expect(s.Counts(f.ctx, "acme/prod")).To(Equal(store.Counts{}))
		g.Expect(s.Close()).To(Succeed())
	}
}
