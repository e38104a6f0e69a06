package store_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/store"
)

func testAudit(t *testing.T, f *fixture) {
	g := NewWithT(t)
	begin := func(workspace, action, subjects string) int64 {
		id, err := f.BeginAudit(f.ctx, store.AuditEntry{
			Workspace: workspace, Actor: "oidc:marker@example.com", Action: action, Object: "stripeconnection/live", Subjects: subjects, Detail: "30d",
		})
		g.Expect(err).NotTo(HaveOccurred())
		return id
	}
	first := begin("acme/prod", "rotate-secret", "")
	f.clock.SetTime(start.Add(time.Minute))
	second := begin("acme/prod", "approve-match", "cus_marker")
	begin("rival/prod", "erase", "")
	g.Expect(f.EndAudit(f.ctx, first, store.AuditDone)).To(Succeed())
	g.Expect(f.EndAudit(f.ctx, second, store.AuditFailed)).To(Succeed())

	entries, next, err := f.Audit(f.ctx, "acme/prod", "", 1)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(entries).To(Equal([]store.AuditEntry{{
		ID: second, Workspace: "acme/prod", At: start.Add(time.Minute), Actor: "oidc:marker@example.com", Action: "approve-match",
		Object: "stripeconnection/live", Subjects: "cus_marker", Detail: "30d", Outcome: store.AuditFailed,
	}}))
	entries, next, err = f.Audit(f.ctx, "acme/prod", next, 1)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(entries).To(ConsistOf(And(HaveField("ID", first), HaveField("Outcome", store.AuditDone))))
	g.Expect(next).To(BeEmpty())
	_, _, err = f.Audit(f.ctx, "acme/prod", "no cursor", 1)
	g.Expect(err).To(MatchError(store.ErrCursor))
	g.Expect(contains(f.dump(t), "marker@example.com")).To(BeFalse(), "a user's name lies plain on disk")

	begin("acme/prod", "erase", "acct_1")
	_, err = f.EraseAccount(f.ctx, store.AccountRef{Scope: acme, Account: "acct_1"}, f.clock.Now())
	g.Expect(err).NotTo(HaveOccurred())
	entries, _, err = f.Audit(f.ctx, "acme/prod", "", 10)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(entries).To(HaveEach(HaveField("Subjects", Or(BeEmpty(), Equal("acct_1")))), "customers may be of the erased account")
	g.Expect(entries).To(ContainElement(HaveField("Subjects", "acct_1")))

	_, err = f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	entries, _, err = f.Audit(f.ctx, "acme/prod", "", 10)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(entries).To(HaveLen(3), "who did what outlives an erasure")
	g.Expect(entries).To(HaveEach(And(HaveField("Subjects", ""), HaveField("Actor", "oidc:marker@example.com"))))

	f.clock.SetTime(start.Add(401 * 24 * time.Hour))
	begin("acme/prod", "erase", "")
	g.Expect(f.Audit(f.ctx, "acme/prod", "", 10)).To(HaveLen(1), "entries of more than 400 days ago are dropped")
	g.Expect(f.Audit(f.ctx, "rival/prod", "", 10)).To(BeEmpty())
}
