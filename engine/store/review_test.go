package store_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/store"
)

// decide is a decision that must be possible.
func (f *fixture) decide(t testing.TB, verdict matching.Verdict, customer, profile string) (from, to store.CustomerMatch) {
	t.Helper()
	from, to, err := f.DecideMatch(f.ctx, "acme/prod", store.Ruling{Customer: customer, Verdict: verdict, ProfileID: profile, By: "ada@acme.example"})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return from, to
}

// review makes three profiles, and four customers of which two are in review.
func (f *fixture) review(t testing.TB) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(f.ImportProfiles(f.ctx, "acme/prod", []matching.Profile{
		{ID: "ada", Email: "ada@lovelace.example"}, {ID: "bob", Email: "bob@gmail.com"}, {ID: "org", Domain: "org.example"},
	})).To(HaveField("Profiles", int64(3)))
	f.arrive(t, acmeAccount, 1, map[string]string{
		"cus_bob": "bob@gmail.com", "cus_eve": "eve@gmail.com", "cus_org": "x@org.example", "cus_team": "team@lovelace.example",
	})
}

func testReview(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.review(t)
	candidate := decided("ada", 80, matching.ByDomain, matching.Review)
	approved := decided("ada", 100, matching.ByDecision, matching.Matched)
	from, to := f.decide(t, matching.Approve, "cus_team", "ada")
	g.Expect([]store.CustomerMatch{from, to}).To(Equal([]store.CustomerMatch{candidate, approved}))
	g.Expect(f.MatchCounts(f.ctx, acmeAccount)).To(And(HaveField("Matched", int64(2)), HaveField("Review", int64(1))))

	// It stands over a rematch, a stricter minimum, an import and another address.
	f.rematch(t, acmeAccount, 100)
	g.Expect(f.matched(t, acme, "cus_team")).To(Equal(approved))
	f.arrive(t, acmeAccount, 2, map[string]string{"cus_team": "bob@gmail.com"})
	g.Expect(f.matched(t, acme, "cus_team")).To(Equal(approved))
	_, err := f.ImportProfiles(f.ctx, "acme/prod", []matching.Profile{{ID: "ada", Email: "other@elsewhere.example"}})
	g.Expect(err).NotTo(HaveOccurred())
	f.rematch(t, acmeAccount, 90)
	g.Expect(f.matched(t, acme, "cus_team")).To(Equal(approved))

	// Until the profile disappears: then the evidence decides again, and its return does not bring the decision back.
	g.Expect(f.DeleteProfile(f.ctx, "acme/prod", "ada")).To(Succeed())
	f.rematch(t, acmeAccount, 90)
	g.Expect(f.matched(t, acme, "cus_team")).To(Equal(decided("bob", 100, matching.ByEmail, matching.Matched)))
	_, err = f.ImportProfiles(f.ctx, "acme/prod", []matching.Profile{{ID: "ada", Email: "ada@lovelace.example"}})
	g.Expect(err).NotTo(HaveOccurred())
	f.rematch(t, acmeAccount, 90)
	g.Expect(f.matched(t, acme, "cus_team").ProfileID).To(Equal("bob"))

	_, to = f.decide(t, matching.Reassign, "cus_eve", "bob")
	g.Expect(to).To(Equal(decided("bob", 100, matching.ByDecision, matching.Matched)))
	_, to = f.decide(t, "", "cus_eve", "")
	g.Expect(to).To(Equal(decided("", 0, matching.None, matching.Unmatched)), "a decision can be taken back")
}

func testRejection(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.review(t)
	rejected := decided("", 0, matching.ByDecision, matching.Unmatched)
	_, to := f.decide(t, matching.Reject, "cus_org", "")
	g.Expect(to).To(Equal(rejected))
	f.rematch(t, acmeAccount, 90)
	g.Expect(f.matched(t, acme, "cus_org")).To(Equal(rejected))
	f.arrive(t, acmeAccount, 2, map[string]string{"cus_org": "y@org.example"})
	g.Expect(f.matched(t, acme, "cus_org")).To(Equal(rejected), "it is still the same profile")
	f.arrive(t, acmeAccount, 3, map[string]string{"cus_org": "bob@gmail.com"})
	g.Expect(f.matched(t, acme, "cus_org")).To(Equal(decided("bob", 100, matching.ByEmail, matching.Matched)), "another profile was not rejected")
	// Certain evidence can be rejected, too.
	_, to = f.decide(t, matching.Reject, "cus_bob", "bob")
	g.Expect(to).To(Equal(rejected))
}

// testRejectionLeavesOthers: of three profiles with one address the first and the last are proposed, one after the other, and
// none of them is surer for what was rejected.
func testRejectionLeavesOthers(t *testing.T, f *fixture) {
	g := NewWithT(t)
	shared := []matching.Profile{{ID: "one", Email: "office@big.example"}, {ID: "two", Email: "office@big.example"}, {ID: "two-b", Email: "office@big.example"}}
	_, err := f.ImportProfiles(f.ctx, "acme/prod", shared)
	g.Expect(err).NotTo(HaveOccurred())
	f.arrive(t, acmeAccount, 1, map[string]string{"cus_office": "office@big.example"})
	last := decided("two-b", 50, matching.BySharedEmail, matching.Review)
	_, to := f.decide(t, matching.Reject, "cus_office", "one")
	g.Expect(to).To(Equal(last))
	f.rematch(t, acmeAccount, 90)
	g.Expect(f.matched(t, acme, "cus_office")).To(Equal(last))
	_, to = f.decide(t, matching.Reject, "cus_office", "two-b")
	g.Expect(to).To(Equal(decided("", 0, matching.ByDecision, matching.Unmatched)), "the first does not come back")
	// With the last rejection's profile goes that rejection alone.
	g.Expect(f.DeleteProfile(f.ctx, "acme/prod", "two-b")).To(Succeed())
	f.rematch(t, acmeAccount, 90)
	g.Expect(f.matched(t, acme, "cus_office")).To(Equal(decided("two", 50, matching.BySharedEmail, matching.Review)))
	// Any other decision forgets them.
	f.decide(t, matching.Reassign, "cus_office", "one")
	g.Expect(f.rows(t, "match_rejections")).To(BeZero())
	_, to = f.decide(t, "", "cus_office", "")
	g.Expect(to.ProfileID).To(Equal("one"))
	f.decide(t, matching.Reject, "cus_office", "one")
	f.decide(t, matching.Reject, "cus_office", "two")
	g.Expect(f.rows(t, "match_rejections")).To(Equal(1))
	f.clock.SetTime(start.Add(time.Minute))
	_, err = f.EraseAccount(f.ctx, acmeAccount, f.clock.Now())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.rows(t, "match_rejections")).To(BeZero())
}

func testRefusedDecisions(t *testing.T, f *fixture) {
	g := NewWithT(t)
	_, _, err := f.DecideMatch(f.ctx, "acme/prod", store.Ruling{Customer: "cus_1", Verdict: matching.Approve})
	g.Expect(err).To(MatchError(store.ErrNotFound), "without profiles there is nothing to decide")
	f.review(t)
	for name, c := range map[string]struct {
		workspace string
		ruling    store.Ruling
		want      error
	}{
		"an unknown customer":    {"acme/prod", store.Ruling{Customer: "cus_none", Verdict: matching.Approve}, store.ErrNotFound},
		"no candidate":           {"acme/prod", store.Ruling{Customer: "cus_eve", Verdict: matching.Approve}, store.ErrOtherCandidate},
		"another candidate":      {"acme/prod", store.Ruling{Customer: "cus_team", Verdict: matching.Approve, ProfileID: "bob"}, store.ErrOtherCandidate},
		"another one to reject":  {"acme/prod", store.Ruling{Customer: "cus_team", Verdict: matching.Reject, ProfileID: "bob"}, store.ErrOtherCandidate},
		"an unknown profile":     {"acme/prod", store.Ruling{Customer: "cus_team", Verdict: matching.Reassign, ProfileID: "none"}, store.ErrNoProfile},
		"no profile":             {"acme/prod", store.Ruling{Customer: "cus_team", Verdict: matching.Reassign}, store.ErrNoProfile},
		"another one's customer": {"rival/prod", store.Ruling{Customer: "cus_team", Verdict: matching.Approve}, store.ErrNotFound},
	} {
		_, _, err := f.DecideMatch(f.ctx, c.workspace, c.ruling)
		g.Expect(err).To(MatchError(c.want), name)
	}
	g.Expect(f.rows(t, "match_decisions")).To(BeZero())
}

// testDecideOnTestData: live data does not put what is in review among the test data out of reach.
func testDecideOnTestData(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.review(t)
	f.arrive(t, store.AccountRef{Scope: acmeTest, Account: "acct_1"}, 1, map[string]string{"cus_team": "a@lovelace.example"})
	g.Expect(f.CurrentMatch(f.ctx, "acme/prod", store.ModeTest, "cus_team")).To(HaveField("State", matching.Review))
	_, to, err := f.DecideMatch(f.ctx, "acme/prod", store.Ruling{Customer: "cus_team", Mode: store.ModeTest, Verdict: matching.Approve})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(to.State).To(Equal(matching.Matched))
	g.Expect(f.CurrentMatch(f.ctx, "acme/prod", store.ModeAuto, "cus_team")).To(HaveField("State", matching.Review), "the live one was not decided on")
}

func testMatchList(t *testing.T, f *fixture) {
	g := NewWithT(t)
	g.Expect(f.Matches(f.ctx, "acme/prod", store.MatchQuery{})).To(Equal(store.MatchPage{Rows: []store.MatchRow{}}))
	f.review(t)
	f.decide(t, matching.Approve, "cus_team", "")
	listed := func(q store.MatchQuery) (ids []string) {
		q.Limit = 1
		for {
			page, err := f.Matches(f.ctx, "acme/prod", q)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(page.Livemode).To(BeTrue())
			g.Expect(page.Review).To(Equal(1))
			for _, row := range page.Rows {
				ids = append(ids, row.Customer)
			}
			if q.After = page.Next; q.After == "" {
				return ids
			}
		}
	}
	g.Expect(listed(store.MatchQuery{})).To(Equal([]string{"cus_bob", "cus_eve", "cus_org", "cus_team"}))
	g.Expect(listed(store.MatchQuery{State: matching.Review})).To(Equal([]string{"cus_org"}))
	g.Expect(listed(store.MatchQuery{State: matching.Matched})).To(Equal([]string{"cus_bob", "cus_team"}))
	g.Expect(listed(store.MatchQuery{State: matching.Unmatched})).To(Equal([]string{"cus_eve"}))
	page, err := f.Matches(f.ctx, "acme/prod", store.MatchQuery{State: matching.Matched})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Rows[1]).To(Equal(store.MatchRow{
		CustomerMatch: decided("ada", 100, matching.ByDecision, matching.Matched), Customer: "cus_team", Account: "acct_1",
		Email: "team@lovelace.example", ProfileEmail: "ada@lovelace.example",
		Decided: &store.MatchDecision{Decision: matching.Decision{Verdict: matching.Approve, ProfileID: "ada"}, By: "ada@acme.example", At: start},
	}))
	g.Expect(page.Rows[0].Decided).To(BeNil())
	_, err = f.Matches(f.ctx, "acme/prod", store.MatchQuery{After: "bad"})
	g.Expect(err).To(MatchError(store.ErrCursor))
	for _, other := range []string{"rival/prod", "acme", "acme/%", ""} {
		g.Expect(f.Matches(f.ctx, other, store.MatchQuery{})).To(HaveField("Rows", BeEmpty()), other)
		g.Expect(f.Profiles(f.ctx, other, "", 0)).To(HaveField("Profiles", BeEmpty()), other)
		g.Expect(f.ProfileImports(f.ctx, other)).To(BeEmpty(), other)
		g.Expect(f.DeleteProfile(f.ctx, other, "ada")).To(MatchError(store.ErrNotFound), other)
	}
	g.Expect(contains(f.dump(t), "ada@acme.example")).To(BeFalse(), "who decided is sealed")

	// An engine learns that counts have changed, and an erasure takes decisions along.
	_, _, decisions, err := f.Rematches(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(decisions).To(Equal(map[store.AccountRef]int64{acmeAccount: 1}))
	f.clock.SetTime(start.Add(time.Minute))
	_, err = f.EraseAccount(f.ctx, acmeAccount, f.clock.Now())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.rows(t, "match_decisions")).To(BeZero())
	g.Expect(f.AskRematch(f.ctx, "acme/prod")).To(Succeed())
	imports, _, _, err := f.Rematches(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(imports).To(Equal(map[string]int64{"acme/prod": 2}))
}
