package store_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// testChanges looks at the mark of one workspace while things happen to it and to others.
func testChanges(t *testing.T, f *fixture) {
	g := NewWithT(t)
	mark := func() string {
		got, err := f.Changes(f.ctx, "acme/prod")
		g.Expect(err).NotTo(HaveOccurred())
		return got
	}
	last := mark()
	g.Expect(last).To(Equal("none"), "nothing was ever received")
	moved := func(why string) {
		t.Helper()
		g.Expect(mark()).NotTo(Equal(last), why)
		last = mark()
	}
	f.save(t, customer(acmeTest, "cus_1"), atRisk(scoring.Normal, 70, 4900))
	moved("a first customer of the test data, which is shown as long as there is no other")
	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Normal, 70, 4900))
	moved("a first customer of the live data")
	f.save(t, customer(acme, "cus_1"), atRisk(scoring.Normal, 71, 4900))
	moved("another score")

	f.save(t, customer(rival, "cus_1"), atRisk(scoring.Normal, 70, 4900))
	f.save(t, customer(acmeTest, "cus_2"), atRisk(scoring.Normal, 70, 4900))
	g.Expect(mark()).To(Equal(last), "another workspace's, and test data, which is not shown")

	_, err := f.EraseAccount(f.ctx, store.AccountRef{Scope: acme, Account: "acct_1"}, f.clock.Now())
	g.Expect(err).NotTo(HaveOccurred())
	moved("an account was erased")
	_, err = f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	moved("all was erased")
}
