package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	. "github.com/onsi/gomega"
)

func TestSQLiteSettings(t *testing.T) {
	g := NewWithT(t)
	writer, reader, err := sqliteDialect{path: filepath.Join(t.TempDir(), "s.db")}.open(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { _, _ = writer.Close(), reader.Close() }()
	for pragma, expected := range map[string]string{
		"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "secure_delete": "1", "busy_timeout": "10000",
	} {
		var got string
		g.Expect(writer.QueryRow("PRAGMA " + pragma).Scan(&got)).To(Succeed())
		g.Expect(got).To(Equal(expected), pragma)
	}
	_, err = reader.Exec("CREATE TABLE t (a INTEGER)")
	g.Expect(err).To(HaveOccurred(), "readers do not write")
}

func TestNumbered(t *testing.T) {
	NewWithT(t).Expect(numbered("a = ? AND b IN (?,?)")).To(Equal("a = $1 AND b IN ($2,$3)"))
}

// TestPostgresErrors sorts errors by who is to blame, and hides what quotes a value.
func TestPostgresErrors(t *testing.T) {
	g := NewWithT(t)
	d := postgresDialect{}
	refused := &pgconn.PgError{Code: "22P02", Message: `invalid input syntax: "ada@example.com"`}
	cleaned := fmt.Errorf("insert: %w", d.clean(refused))
	g.Expect(cleaned.Error()).To(Equal("insert: the database refuses a value (SQLSTATE 22P02)"))
	var found *pgconn.PgError
	g.Expect(errors.As(cleaned, &found)).To(BeTrue())
	g.Expect(d.unavailable(cleaned)).To(BeFalse())
	for code, retryable := range map[string]bool{"40001": true, "40P01": true, "57P01": false, "53300": false, "08006": false} {
		err := fmt.Errorf("commit: %w", &pgconn.PgError{Code: code})
		g.Expect(d.unavailable(err)).To(BeTrue(), code)
		g.Expect(d.retryable(err)).To(Equal(retryable), code)
	}
}
