package store_test

import (
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/pressly/goose/v3"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// testMigratedSearch holds that who was found before the tokens had a table of their own is found in it.
func testMigratedSearch(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.enrol(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 0), "", "Nordlicht", "ada@nord.example")
	f.enrol(t, customer(acme, "cus_2"), atRisk(scoring.Critical, 94, 0), "", "", "")
	bits := f.bits(t)
	g.Expect(bits).To(BeNumerically(">", 0))
	f.migrateDown(t, 7)
	var search string
	g.Expect(f.raw(t).QueryRow(`SELECT search FROM customers WHERE customer = 'cus_1'`).Scan(&search)).To(Succeed())
	g.Expect(strings.Fields(search)).To(HaveLen(5), "an address and the beginnings of a word")

	reopened := f.open(t)
	defer func() { g.Expect(reopened.Close()).To(Succeed()) }()
	g.Expect(f.bits(t)).To(Equal(bits), "they are made in SQL as they are in Go")
	for _, text := range []string{"nordl", "ada@nord.example"} {
		page, err := reopened.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Search: text})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(ids(page)).To(Equal([]string{"cus_1"}), text)
	}
}

// bits are those that the tokens of cus_1 set.
func (f *fixture) bits(t testing.TB) (bits int64) {
	t.Helper()
	NewWithT(t).Expect(f.raw(t).QueryRow(`SELECT search_bits FROM customers WHERE customer = 'cus_1'`).Scan(&bits)).To(Succeed())
	return bits
}

// migrateDown takes the schema back to a version.
func (f *fixture) migrateDown(t testing.TB, version int64) {
	t.Helper()
	g := NewWithT(t)
	kind, dir := goose.DialectPostgres, "migrations/postgres"
	if strings.HasPrefix(f.dsn, "sqlite://") {
		kind, dir = goose.DialectSQLite3, "migrations/sqlite"
	}
	p, err := goose.NewProvider(kind, f.raw(t), os.DirFS(dir), goose.WithDisableGlobalRegistry(true))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = p.DownTo(f.ctx, version)
	g.Expect(err).NotTo(HaveOccurred())
}
