package store_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

func testDossier(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.fill(t, acme, "acme@example.com", 95)
	f.fill(t, acmeTest, "test@example.com", 92)
	f.fill(t, rival, "rival@example.com", 91)
	f.save(t, customer(acmeTest, "cus_2"), atRisk(scoring.Normal, 70, 0))
	g.Expect(f.SetAtRiskThreshold(f.ctx, "acme/prod", 72)).To(Succeed())
	d, err := f.Dossier(f.ctx, "acme/prod", "cus_1")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Scope).To(Equal(acme))
	g.Expect(d.State).To(Equal([]byte(`{}`)))
	g.Expect(d.Signals).To(ConsistOf(HaveField("Created", int64(95))))
	g.Expect(d.Params).To(Equal(scoring.Params{Version: "prior-1", AtRisk: 72}))
	d, err = f.Dossier(f.ctx, "acme/prod", "cus_2")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Scope).To(Equal(acmeTest), "test data is found as for the customer's page")
	for _, who := range [][2]string{{"acme/prod", "cus_9"}, {"nobody/here", "cus_1"}, {"rival/prod", "cus_2"}} {
		_, err = f.Dossier(f.ctx, who[0], who[1])
		g.Expect(err).To(MatchError(store.ErrNotFound))
	}
}
