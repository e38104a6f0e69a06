package model

import (
	"bytes"
	"database/sql"
	"log/slog"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/store"
)

// refreshed gives the parameters that a transaction scores by.
func (r *rig) refreshed(t testing.TB, c *Cache) scoring.Params {
	t.Helper()
	NewWithT(t).Expect(r.store.Update(r.ctx, func(tx *store.Tx) error { return c.Refresh(r.ctx, tx, []store.Scope{acme}) })).To(Succeed())
	return c.Params(acme)
}

// TestAModelOfAnotherVersion stores weights that this version does not know: customers are scored by the prior, an engine
// says so once, and the next run puts another model into use.
func TestAModelOfAnotherVersion(t *testing.T) {
	g := NewWithT(t)
	r := newRig(t)
	var log bytes.Buffer
	c := NewCache(slog.New(slog.NewTextHandler(&log, nil)))
	g.Expect(c.Params(acme)).To(Equal(scoring.Prior()), "before any transaction")
	r.settle(t, acme, agreed(1, 1).populate(60))
	f := r.fitter(t, "engine-1")
	g.Expect(r.store.AskModelRun(r.ctx, acme.Workspace)).To(Succeed())
	g.Expect(f.RunDue(r.ctx)).To(BeTrue())
	first := r.refreshed(t, c)
	g.Expect(first.Version).To(Equal("intercept-1"))

	db, err := sql.Open("sqlite", r.path)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = db.Exec(`UPDATE models SET params = '{"intercept":0.5,"weights":{"charm":2}}'`)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(db.Close()).To(Succeed())
	other := NewCache(slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		g.Expect(r.refreshed(t, other)).To(Equal(scoring.Prior()))
	}
	g.Expect(bytes.Count(log.Bytes(), []byte("a model cannot be read"))).To(Equal(1))
	g.Expect(r.refreshed(t, c)).To(Equal(first), "it is known already")

	v, _ := r.model(t)
	g.Expect(v.Current.Version).To(Equal("intercept-1"), "what is known of it is shown")

	g.Expect(r.store.AskModelRun(r.ctx, acme.Workspace)).To(Succeed())
	g.Expect(f.RunDue(r.ctx)).To(BeTrue())
	g.Expect(r.refreshed(t, other)).To(And(HaveField("Version", "intercept-2"), HaveField("Intercept", first.Intercept)))
	g.Expect(r.refreshed(t, c).Version).To(Equal("intercept-2"))
}
