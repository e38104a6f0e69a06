package store_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/test/postgres"
)

// TestPostgres runs the suite on a real server: the one that DATABASE_URL names, or one of its own.
func TestPostgres(t *testing.T) {
	base := postgresURL(t)
	conformance(t, func(t testing.TB) *fixture { return newPostgres(t, base) })
}

func postgresURL(t testing.TB) string {
	if base := os.Getenv("DATABASE_URL"); base != "" {
		return base
	}
	base, why := postgres.Start(t, false)
	if base == "" {
		t.Skipf("skipped: %s; install PostgreSQL (initdb and postgres in PATH) or set DATABASE_URL to run this suite", why)
	}
	return base
}

// newPostgres gives each test a schema of its own.
func newPostgres(t testing.TB, base string) *fixture {
	g := NewWithT(t)
	schema := "kustiq_test_" + strings.ToLower(rand.Text())
	db, err := sql.Open("pgx", base)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = db.ExecContext(t.Context(), "CREATE SCHEMA "+schema)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		_, err := db.Exec("DROP SCHEMA " + schema + " CASCADE")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(db.Close()).To(Succeed())
	})
	u, err := url.Parse(base)
	g.Expect(err).NotTo(HaveOccurred())
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	f := newFixture(t, u.String())
	f.dump = func(t testing.TB) []byte { return dumpTables(t, db, schema) }
	return f
}

// dumpTables returns every row of every table, with binary columns as the bytes they are.
func dumpTables(t testing.TB, db *sql.DB, schema string) []byte {
	g := NewWithT(t)
	var out []byte
	for _, table := range []string{"workspaces", "signals", "events", "customers", "score_history", "failed_events", "totals",
		"account_erasures", "profiles", "matches", "rematches", "match_decisions", "match_rejections", "profile_imports",
		"staged_profiles", "search_tokens"} {
		rows, err := db.QueryContext(t.Context(), fmt.Sprintf("SELECT * FROM %s.%s", schema, table))
		g.Expect(err).NotTo(HaveOccurred())
		columns, err := rows.Columns()
		g.Expect(err).NotTo(HaveOccurred())
		cells := make([]sql.RawBytes, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		for rows.Next() {
			g.Expect(rows.Scan(into...)).To(Succeed())
			for _, cell := range cells {
				out = append(append(out, cell...), '\n')
			}
		}
		g.Expect(rows.Err()).NotTo(HaveOccurred())
		g.Expect(rows.Close()).To(Succeed())
	}
	return out
}
