package store_test

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/matching"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

var acmeAccount = store.AccountRef{Scope: acme, Account: "acct_1"}

// arrive saves customers of an account and matches them, as a batch does; a customer without an e-mail has no identity.
func (f *fixture) arrive(t testing.TB, a store.AccountRef, at int64, emails map[string]string) (touched []store.AccountRef) {
	t.Helper()
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{a.Scope}); err != nil {
			return err
		}
		var keys []store.CustomerKey
		for id := range emails {
			keys = append(keys, customer(a.Scope, id))
		}
		loaded, err := tx.Customers(f.ctx, keys)
		if err != nil {
			return err
		}
		var records []*store.CustomerRecord
		for key, r := range loaded {
			if email := emails[key.Customer]; email != "" {
				r.Observe(signal.Signal{ID: fmt.Sprint("evt_", at), Kind: signal.CustomerUpdated, Created: at,
					Person: &signal.Person{Email: email}})
			}
			r.Account, r.State, r.EvaluatedAt, r.Evaluation.ModelVersion = a.Account, []byte(`{}`), f.clock.Now(), "prior-1"
			records = append(records, r)
		}
		if err := tx.SaveCustomers(f.ctx, records); err != nil {
			return err
		}
		touched, err = tx.MatchCustomers(f.ctx, records, func(store.AccountRef) int { return 0 })
		return err
	})
	return touched
}

// rematch walks through all customers in pages of two.
func (f *fixture) rematch(t testing.TB, a store.AccountRef, minimum int) (pages int) {
	t.Helper()
	for after := ""; ; pages++ {
		last, err := f.RematchPage(f.ctx, a, minimum, after, 2)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		if last == "" {
			return pages + 1
		}
		after = last
	}
}

func (f *fixture) matched(t testing.TB, s store.Scope, id string) store.CustomerMatch {
	t.Helper()
	m, err := f.Match(f.ctx, customer(s, id))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return m
}

func decided(profile string, confidence int, by matching.Evidence, state matching.State) store.CustomerMatch {
	return store.CustomerMatch{Match: matching.Match{ProfileID: profile, Confidence: confidence, Evidence: by}, State: state}
}

func testMatching(t *testing.T, f *fixture) {
	g := NewWithT(t)
	g.Expect(f.arrive(t, acmeAccount, 1, map[string]string{"cus_early": "ada@lovelace.example"})).To(BeEmpty())
	_, err := f.Match(f.ctx, customer(acme, "cus_early"))
	g.Expect(err).To(MatchError(store.ErrNotFound), "without profiles there is nothing to decide")
	g.Expect(f.MatchCounts(f.ctx, acmeAccount)).To(Equal(store.MatchCounts{}))

	g.Expect(f.ImportProfiles(f.ctx, "acme/prod", []matching.Profile{
		{ID: "ada", Email: "Ada@Lovelace.example"}, {ID: "bob", Email: "bob@gmail.com"},
	})).To(Equal(store.ImportCounts{Added: 2, Profiles: 2}))
	g.Expect(f.arrive(t, acmeAccount, 1, map[string]string{
		"cus_bob": "BOB@gmail.com", "cus_eve": "eve@gmail.com", "cus_team": "team@lovelace.example", "cus_silent": "",
	})).To(Equal([]store.AccountRef{acmeAccount}))
	g.Expect(f.matched(t, acme, "cus_bob")).To(Equal(decided("bob", 100, matching.ByEmail, matching.Matched)))
	g.Expect(f.matched(t, acme, "cus_team")).To(Equal(decided("ada", 80, matching.ByDomain, matching.Review)))
	g.Expect(f.matched(t, acme, "cus_eve")).To(Equal(decided("", 0, matching.None, matching.Unmatched)))
	g.Expect(f.MatchCounts(f.ctx, acmeAccount)).To(Equal(store.MatchCounts{Profiles: 2, Matched: 1, Review: 1, Unmatched: 2}))
	g.Expect(f.arrive(t, acmeAccount, 1, map[string]string{"cus_bob": ""})).To(BeEmpty(), "nothing new is known of him")

	g.Expect(f.rematch(t, acmeAccount, 90)).To(Equal(3), "five customers, two a page")
	g.Expect(f.matched(t, acme, "cus_early")).To(Equal(decided("ada", 100, matching.ByEmail, matching.Matched)))
	g.Expect(f.MatchCounts(f.ctx, acmeAccount)).To(HaveField("Matched", int64(2)))

	// A newer address decides anew, and so do profiles that change.
	f.arrive(t, acmeAccount, 2, map[string]string{"cus_eve": "ada@lovelace.example"})
	g.Expect(f.matched(t, acme, "cus_eve")).To(Equal(decided("ada", 100, matching.ByEmail, matching.Matched)))
	g.Expect(f.ImportProfiles(f.ctx, "acme/prod", []matching.Profile{
		{ID: "ada", Email: "other@elsewhere.example"}, {ID: "team", Email: "ceo@lovelace.example"},
	})).To(Equal(store.ImportCounts{Added: 1, Updated: 1, Profiles: 3}))
	f.rematch(t, acmeAccount, 90)
	g.Expect(f.matched(t, acme, "cus_eve")).To(Equal(decided("team", 80, matching.ByDomain, matching.Review)))
	g.Expect(f.matched(t, acme, "cus_early").ProfileID).To(Equal("team"))

	// Profiles are one workspace's, matches one account's and one mode's.
	g.Expect(f.arrive(t, store.AccountRef{Scope: rival, Account: "acct_1"}, 1, map[string]string{"cus_r": "bob@gmail.com"})).To(BeEmpty())
	second := store.AccountRef{Scope: acme, Account: "acct_2"}
	f.arrive(t, second, 1, map[string]string{"cus_2": "bob@gmail.com"})
	g.Expect(f.MatchCounts(f.ctx, second)).To(Equal(store.MatchCounts{Profiles: 3, Matched: 1}))
	g.Expect(f.EraseAccount(f.ctx, store.AccountRef{Scope: acme, Account: "acct_1"}, f.clock.Now())).To(HaveField("Customers", 5))
	g.Expect(f.MatchCounts(f.ctx, acmeAccount)).To(Equal(store.MatchCounts{Profiles: 3}))
	g.Expect(f.MatchCounts(f.ctx, second)).To(Equal(store.MatchCounts{Profiles: 3, Matched: 1}))
}

// testSharedProfiles has many profiles with one address or one domain: several are no answer, however many.
func testSharedProfiles(t *testing.T, f *fixture) {
	g := NewWithT(t)
	var profiles []matching.Profile
	for i := range 700 { // more than one statement takes
		profiles = append(profiles, matching.Profile{ID: fmt.Sprintf("p%03d", i), Email: "office@big.example"})
	}
	profiles = append(profiles, matching.Profile{ID: "meta", Email: "x@y.example", Domain: "named.example"})
	g.Expect(f.ImportProfiles(f.ctx, "acme/prod", profiles)).To(Equal(store.ImportCounts{Added: 701, Profiles: 701}))
	emails := map[string]string{"cus_office": "office@big.example", "cus_domain": "x@big.example", "cus_named": "a@named.example"}
	for i := range 700 {
		emails[fmt.Sprintf("cus_%03d", i)] = fmt.Sprintf("%d@elsewhere.example", i)
	}
	f.arrive(t, acmeAccount, 1, emails)
	g.Expect(f.matched(t, acme, "cus_office")).To(Equal(decided("p000", 50, matching.BySharedEmail, matching.Review)))
	g.Expect(f.matched(t, acme, "cus_domain")).To(Equal(decided("", 0, matching.None, matching.Unmatched)))
	g.Expect(f.matched(t, acme, "cus_named")).To(Equal(decided("meta", 80, matching.ByDomain, matching.Review)))
	g.Expect(f.MatchCounts(f.ctx, acmeAccount)).To(Equal(store.MatchCounts{Profiles: 701, Review: 2, Unmatched: 701}))

	// The merchant's own word decides; what names no profile does not.
	f.save(t, customer(acme, "cus_meta"), atRisk("Normal", 60, 0))
	f.update(t, func(tx *store.Tx) error {
		_, err := tx.Workspaces(f.ctx, []store.Scope{acme})
		g.Expect(err).NotTo(HaveOccurred())
		records, err := tx.Customers(f.ctx, []store.CustomerKey{customer(acme, "cus_meta")})
		g.Expect(err).NotTo(HaveOccurred())
		r := records[customer(acme, "cus_meta")]
		r.Observe(signal.Signal{ID: "evt_1", Kind: signal.CustomerUpdated, Created: 1,
			Person: &signal.Person{Email: "office@big.example", ProfileID: "meta"}})
		g.Expect(tx.SaveCustomers(f.ctx, []*store.CustomerRecord{r})).To(Succeed())
		_, err = tx.MatchCustomers(f.ctx, []*store.CustomerRecord{r}, func(store.AccountRef) int { return 100 })
		return err
	})
	g.Expect(f.matched(t, acme, "cus_meta")).To(Equal(decided("meta", 100, matching.ByMetadata, matching.Matched)))
}

// testProfilesAtRest looks at the files: neither a profile's address nor its domain is there, nor a hash that anybody
// could compute. Erasing the workspace leaves nothing of them.
func testProfilesAtRest(t *testing.T, f *fixture) {
	g := NewWithT(t)
	same := []matching.Profile{{ID: "profile-7", Email: "canary.person@marked.example", Domain: "daughter.example"}}
	for _, workspace := range []string{"acme/prod", "rival/prod"} {
		_, err := f.ImportProfiles(f.ctx, workspace, same)
		g.Expect(err).NotTo(HaveOccurred())
	}
	f.arrive(t, acmeAccount, 1, map[string]string{"cus_1": "canary.person@marked.example"})
	g.Expect(f.matched(t, acme, "cus_1").ProfileID).To(Equal("profile-7"))
	_, err := f.Erase(f.ctx, "nobody/here") // empties SQLite's log
	g.Expect(err).NotTo(HaveOccurred())
	dump := f.dump(t)
	g.Expect(contains(dump, "profile-7")).To(BeTrue())
	for _, secret := range []string{"canary.person", "marked.example", "daughter.example"} {
		g.Expect(contains(dump, secret)).To(BeFalse(), secret)
		g.Expect(contains(dump, base64.RawStdEncoding.EncodeToString([]byte(secret)))).To(BeFalse(), secret)
	}

	f.clock.SetTime(start.Add(time.Minute))
	for _, workspace := range []string{"acme/prod", "rival/prod"} {
		_, err := f.Erase(f.ctx, workspace)
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(contains(f.dump(t), "profile-7")).To(BeFalse())
	g.Expect(f.MatchCounts(f.ctx, acmeAccount)).To(Equal(store.MatchCounts{}))
	g.Expect(f.ImportProfiles(f.ctx, "acme/prod", same)).To(Equal(store.ImportCounts{Added: 1, Profiles: 1}))
}

// testProfileOfRows: who is at risk is listed with the profile, as long as the match is certain and the profile there.
func testProfileOfRows(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.review(t)
	for id, email := range map[string]string{"cus_b": "bob@gmail.com", "cus_t": "team@lovelace.example"} {
		f.enrol(t, customer(acme, id), atRisk(scoring.Critical, 95, 0), "", "", email)
	}
	f.rematch(t, store.AccountRef{Scope: acme}, 90)
	shown := func() map[string]matching.Match {
		page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{})
		g.Expect(err).NotTo(HaveOccurred())
		all := map[string]matching.Match{}
		for _, row := range page.Rows {
			d, err := f.Customer(f.ctx, "acme/prod", row.Customer)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(d.Profile).To(Equal(row.Profile))
			all[row.Customer] = row.Profile
		}
		return all
	}
	g.Expect(shown()).To(Equal(map[string]matching.Match{
		"cus_b": {ProfileID: "bob", Confidence: 100, Evidence: matching.ByEmail}, "cus_t": {},
	}), "what is in review is no profile yet")
	g.Expect(f.DeleteProfiles(f.ctx, "acme/prod")).To(Equal(3))
	g.Expect(shown()).To(Equal(map[string]matching.Match{"cus_b": {}, "cus_t": {}}))
}

func testRematches(t *testing.T, f *fixture) {
	g := NewWithT(t)
	under := store.Rematch{MinimumConfidence: 95, Asked: "2024-03-01", Imports: 1}
	g.Expect(f.Rematched(f.ctx, acmeAccount, store.Rematch{MinimumConfidence: 90})).To(Succeed())
	g.Expect(f.Rematched(f.ctx, acmeAccount, under)).To(Succeed())
	_, err := f.ImportProfiles(f.ctx, "acme/prod", []matching.Profile{{ID: "bob", Email: "bob@gmail.com"}})
	g.Expect(err).NotTo(HaveOccurred())
	imports, last, _, err := f.Rematches(f.ctx)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(imports).To(Equal(map[string]int64{"acme/prod": 1}))
	g.Expect(last).To(Equal(map[store.AccountRef]store.Rematch{acmeAccount: under}))
	g.Expect(f.MatchCounts(f.ctx, acmeAccount)).To(Equal(store.MatchCounts{Profiles: 1, Under: under}))
	g.Expect(f.rematch(t, acmeAccount, 90)).To(Equal(1), "there are no customers")
	page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Livemode).To(BeFalse(), "profiles are no live data")

}
