package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
)

// enrol stores a customer at risk with a name and an address.
func (f *fixture) enrol(t testing.TB, key store.CustomerKey, e scoring.Evaluation, term, name, email string) {
	t.Helper()
	f.update(t, func(tx *store.Tx) error {
		if _, err := tx.Workspaces(f.ctx, []store.Scope{key.Scope}); err != nil {
			return err
		}
		records, err := tx.Customers(f.ctx, []store.CustomerKey{key})
		if err != nil {
			return err
		}
		r := records[key]
		if name != "" || email != "" {
			f.enrolled++
			r.Observe(signal.Signal{ID: "evt_1", Kind: signal.CustomerUpdated, Created: f.enrolled, Person: &signal.Person{Name: name, Email: email}})
		}
		e.ModelVersion = "prior-1"
		r.State, r.Evaluation, r.EvaluatedAt, r.TopTerm = []byte(`{}`), e, f.clock.Now(), term
		return tx.SaveCustomers(f.ctx, []*store.CustomerRecord{r})
	})
}

func every(months float64, e scoring.Evaluation) scoring.Evaluation {
	e.IntervalMonths = months
	return e
}

// found lists the ids of all pages of the query, and holds the total against them.
func (f *fixture) found(t testing.TB, workspace string, q store.AtRiskQuery) []string {
	t.Helper()
	g := NewWithT(t)
	all := []string{}
	for {
		page, err := f.AtRisk(f.ctx, workspace, q)
		g.Expect(err).NotTo(HaveOccurred())
		all = append(all, ids(page)...)
		if page.Next == "" {
			g.Expect(page.Total).To(Equal(len(all)), "%+v", q)
			return all
		}
		q.After = page.Next
	}
}

func testFilters(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.enrol(t, customer(acme, "cus_A1"), every(1, atRisk(scoring.Critical, 95, 9900)), "open_dunning", "Nordlicht Söhne GmbH", "Ada@Nord.example")
	f.enrol(t, customer(acme, "cus_A2"), every(12, atRisk(scoring.Normal, 80, 500)), "price_change", "Straßenbau O'Neill", "bob@gmail.com")
	f.enrol(t, customer(acme, "cus_B1"), every(3, atRisk(scoring.Normal, 70, 7000)), "open_dunning", "Li", "")
	f.enrol(t, customer(acme, "cus_B2"), every(0, atRisk(scoring.Leaving, 89, 7000)), "cancel_scheduled", "", "")
	f.enrol(t, customer(rival, "cus_A1"), every(1, atRisk(scoring.Critical, 95, 9900)), "open_dunning", "Nordlicht", "ada@nord.example")
	// Test data has the same data key, and so the same tokens.
	f.enrol(t, customer(acmeTest, "cus_A8"), atRisk(scoring.Critical, 95, 0), "open_dunning", "Nordlicht", "ada@nord.example")
	// One that is not at risk is never found.
	f.enrol(t, customer(acme, "cus_A9"), scoring.Evaluation{Tier: scoring.Normal, Score: 10}, "", "Nordlicht", "ada@nord.example")
	for name, c := range map[string]struct {
		q    store.AtRiskQuery
		want []string
	}{
		"all":                          {store.AtRiskQuery{}, []string{"cus_A1", "cus_B2", "cus_A2", "cus_B1"}},
		"a tier":                       {store.AtRiskQuery{Tier: "Normal"}, []string{"cus_A2", "cus_B1"}},
		"a tier that is never at risk": {store.AtRiskQuery{Tier: "Churned"}, []string{}},
		"monthly":                      {store.AtRiskQuery{Interval: store.Monthly}, []string{"cus_A1", "cus_B2"}},
		"yearly":                       {store.AtRiskQuery{Interval: store.Yearly}, []string{"cus_A2"}},
		"others":                       {store.AtRiskQuery{Interval: store.OtherInterval}, []string{"cus_B1"}},
		"a reason":                     {store.AtRiskQuery{Reason: "open_dunning"}, []string{"cus_A1", "cus_B1"}},
		"a value":                      {store.AtRiskQuery{MinMRR: 7000}, []string{"cus_A1", "cus_B2", "cus_B1"}},
		"a greater value":              {store.AtRiskQuery{MinMRR: 7000.5}, []string{"cus_A1"}},
		"several filters":              {store.AtRiskQuery{Tier: "Normal", MinMRR: 600, Reason: "open_dunning"}, []string{"cus_B1"}},
		"an address":                   {store.AtRiskQuery{Search: " ADA@nord.example"}, []string{"cus_A1"}},
		"half an address":              {store.AtRiskQuery{Search: "@nord.example"}, []string{}},
		"the beginning of an id":       {store.AtRiskQuery{Search: "cus_A"}, []string{"cus_A1", "cus_A2"}},
		"another beginning":            {store.AtRiskQuery{Search: "cus_a"}, []string{}},
		"the beginning of a word":      {store.AtRiskQuery{Search: "NORd"}, []string{"cus_A1"}},
		"words in another order":       {store.AtRiskQuery{Search: "gmbh nordlicht"}, []string{"cus_A1"}},
		"a word without its mark":      {store.AtRiskQuery{Search: "sohne"}, []string{"cus_A1"}},
		"a word with it":               {store.AtRiskQuery{Search: "SÖHNE"}, []string{"cus_A1"}},
		"a sharp s":                    {store.AtRiskQuery{Search: "STRASSE"}, []string{"cus_A2"}},
		"a part of a name":             {store.AtRiskQuery{Search: "neil"}, []string{"cus_A2"}},
		"the end of a word":            {store.AtRiskQuery{Search: "licht"}, []string{}},
		"a short word":                 {store.AtRiskQuery{Search: "li"}, []string{"cus_B1"}},
		"a short beginning":            {store.AtRiskQuery{Search: "no"}, []string{}},
		"one word that fits, one not":  {store.AtRiskQuery{Search: "nord west"}, []string{}},
		"nothing that could be found":  {store.AtRiskQuery{Search: "%_ --"}, []string{}},
	} {
		c.q.Limit = 1 // every page has to lead on
		g.Expect(f.found(t, "acme/prod", c.q)).To(Equal(c.want), name)
	}
	g.Expect(f.found(t, "nobody/here", store.AtRiskQuery{Search: "nord"})).To(BeEmpty())

	page, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Limit: 1, Search: "cus_A"})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Limit: 1, Search: "cus_B", After: page.Next})
	g.Expect(err).To(MatchError(store.ErrCursor), "a page of one query does not lead on in another")
	row := page.Rows[0]
	g.Expect([]any{row.TopTerm, row.Interval}).To(Equal([]any{"open_dunning", store.Monthly}))
}

// testLeastByCurrency asks for 70 a month, whatever its minor units are.
func testLeastByCurrency(t *testing.T, f *fixture) {
	g := NewWithT(t)
	least := store.AtRiskQuery{Limit: 1, MinMRR: 7000, MinMRROf: map[string]float64{"jpy": 70, "kwd": 70_000}}
	for i, amount := range []struct {
		mrr      float64
		currency string
	}{{7000, "eur"}, {6999, "eur"}, {70, "jpy"}, {69, "jpy"}, {70_000, "kwd"}, {69_999, "kwd"}} {
		e := atRisk(scoring.Critical, 95-i, amount.mrr)
		e.Currency = amount.currency
		f.enrol(t, customer(acme, fmt.Sprint("cus_", amount.currency, i)), e, "", "Nordlicht", "")
		if i == 1 {
			g.Expect(f.found(t, "acme/prod", least)).To(Equal([]string{"cus_eur0"}), "nobody pays in another currency")
		}
	}
	page, err := f.AtRisk(f.ctx, "acme/prod", least)
	g.Expect(err).NotTo(HaveOccurred())
	f.enrol(t, customer(acme, "cus_last"), atRisk(scoring.Normal, 60, 7000), "", "Nordlicht", "")
	for _, search := range []string{"", "nordl"} {
		least.Search = search
		g.Expect(f.found(t, "acme/prod", least)).To(Equal([]string{"cus_eur0", "cus_jpy2", "cus_kwd4", "cus_last"}), search)
	}
	first := page.Next
	f.enrol(t, customer(acme, "cus_jpy9"), atRisk(scoring.Normal, 61, 1), "", "", "")
	least.Search, least.After = "", first
	_, err = f.AtRisk(f.ctx, "acme/prod", least)
	g.Expect(err).NotTo(HaveOccurred())
}

// tokens are what the scope's one customer is found by.
func (f *fixture) tokens(t testing.TB, s store.Scope) (tokens string) {
	t.Helper()
	query := fmt.Sprintf(`SELECT tokens FROM search_tokens WHERE workspace = '%s' AND customer = 'cus_1'`, s.Workspace)
	NewWithT(t).Expect(f.raw(t).QueryRow(query).Scan(&tokens)).To(Succeed())
	return tokens
}

// testSearchAtRest holds that what a search looks up says nothing without the data key, and goes with the customer.
func testSearchAtRest(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.enrol(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 0), "", "Marker Person", "marker@marked.example")
	f.enrol(t, customer(rival, "cus_1"), atRisk(scoring.Critical, 95, 0), "", "Marker Person", "marker@marked.example")
	g.Expect(f.tokens(t, acme)).NotTo(BeEmpty())
	for _, token := range strings.Fields(f.tokens(t, acme)) {
		g.Expect(f.tokens(t, rival)).NotTo(ContainSubstring(token), "two workspaces have no token in common")
	}
	for _, plain := range []string{"marker", "marked", "person", "Marker"} {
		g.Expect(contains(f.dump(t), plain)).To(BeFalse(), plain)
	}
	before := f.tokens(t, acme)
	_, err := f.Erase(f.ctx, "acme/prod")
	g.Expect(err).NotTo(HaveOccurred())
	var workspaces string
	g.Expect(f.raw(t).QueryRow(`SELECT MIN(workspace) FROM search_tokens`).Scan(&workspaces)).To(Succeed())
	g.Expect(workspaces).To(Equal("rival/prod"), "what is erased has no tokens, the rest has")
	f.enrol(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 0), "", "Marker Person", "marker@marked.example")
	for _, token := range strings.Fields(f.tokens(t, acme)) {
		g.Expect(before).NotTo(ContainSubstring(token), "a new data key makes other tokens")
	}
	f.enrol(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 0), "", "Renamed", "")
	g.Expect(f.found(t, "acme/prod", store.AtRiskQuery{Search: "marker"})).To(BeEmpty())
	g.Expect(f.found(t, "acme/prod", store.AtRiskQuery{Search: "renam"})).To(Equal([]string{"cus_1"}))
}

// testSearchOrder holds the pages of words that few and that many have against the whole list, and that a page leads on
// when another customer has made a word one of many.
func testSearchOrder(t *testing.T, f *fixture) {
	g := NewWithT(t)
	random := rand.New(rand.NewPCG(5, 6))
	all := names(store.Rare+1000, "cus_%05d")
	add := func(from, to int) {
		f.saveMany(t, acme, all[from:to], func(i int, r *store.CustomerRecord) {
			name := []string{"Nordlicht Bau", "Nordlicht Energie", "Nordwind Bau"}[random.IntN(3)]
			if i%50 == 0 {
				name += " Zephyr"
			}
			r.Observe(signal.Signal{ID: "evt_1", Kind: signal.CustomerUpdated, Created: 1, Person: &signal.Person{Name: name}})
			r.Evaluation = atRisk([]scoring.Tier{scoring.Critical, scoring.Normal}[random.IntN(2)], 60+random.IntN(30), float64(random.IntN(5)))
			r.Evaluation.Segment = random.IntN(4) == 0
		})
	}
	add(0, store.Rare)
	first, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Search: "nord", Limit: 7})
	g.Expect(err).NotTo(HaveOccurred())
	add(store.Rare, store.Rare+1)
	add(store.Rare+1, store.Rare+1000)

	whole := map[string]string{}
	var order []string
	for q := (store.AtRiskQuery{Limit: 500}); ; {
		page, err := f.AtRisk(f.ctx, "acme/prod", q)
		g.Expect(err).NotTo(HaveOccurred())
		for _, row := range page.Rows {
			whole[row.Customer], order = row.Name, append(order, row.Customer)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	for text, fits := range map[string]func(name string) bool{
		"nord":      func(string) bool { return true },
		"nordlicht": func(name string) bool { return strings.HasPrefix(name, "Nordlicht") },
		"bau":       func(name string) bool { return strings.Contains(name, "Bau") },
		"bau nordl": func(name string) bool { return strings.HasPrefix(name, "Nordlicht Bau") },
		"zephyr":    func(name string) bool { return strings.Contains(name, "Zephyr") },
		"zeph nord": func(name string) bool { return strings.Contains(name, "Zephyr") },
		"nobody":    func(string) bool { return false },
	} {
		want := slices.DeleteFunc(slices.Clone(order), func(id string) bool { return !fits(whole[id]) })
		g.Expect(f.found(t, "acme/prod", store.AtRiskQuery{Search: text, Limit: 7})).To(Equal(want), text)
	}
	second, err := f.AtRisk(f.ctx, "acme/prod", store.AtRiskQuery{Search: "nord", Limit: 7, After: first.Next})
	g.Expect(err).NotTo(HaveOccurred())
	last := slices.Index(order, first.Rows[6].Customer)
	g.Expect(ids(second)).To(Equal(order[last+1 : last+8]))
}

// testUnchangedIdentity holds that a name that Stripe tells once more is not written once more.
func testUnchangedIdentity(t *testing.T, f *fixture) {
	g := NewWithT(t)
	enrol := func(name string) { f.enrol(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 0), "", name, "") }
	enrol("Nordlicht")
	_, err := f.raw(t).Exec(`DELETE FROM search_tokens`)
	g.Expect(err).NotTo(HaveOccurred())
	enrol("Nordlicht")
	g.Expect(f.found(t, "acme/prod", store.AtRiskQuery{Search: "nord"})).To(BeEmpty(), "it would be written again")
	enrol("Nordlichter")
	g.Expect(f.found(t, "acme/prod", store.AtRiskQuery{Search: "nord"})).To(Equal([]string{"cus_1"}))
}

// testSearchOfOlderRows holds that customers are found whom the migration left without bits, and after they were next
// saved those who had no tokens either.
func testSearchOfOlderRows(t *testing.T, f *fixture) {
	g := NewWithT(t)
	f.enrol(t, customer(acme, "cus_1"), atRisk(scoring.Critical, 95, 0), "", "Nordlicht", "")
	f.enrol(t, customer(acme, "cus_2"), atRisk(scoring.Critical, 94, 0), "", "Nordlicht", "")
	f.enrol(t, customer(acme, "cus_3"), atRisk(scoring.Critical, 93, 0), "", "", "")
	_, err := f.raw(t).Exec(`UPDATE customers SET search_bits = -1`)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.found(t, "acme/prod", store.AtRiskQuery{Search: "nord"})).To(Equal([]string{"cus_1", "cus_2"}))
	_, err = f.raw(t).Exec(`DELETE FROM search_tokens WHERE customer = 'cus_1'`)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(f.found(t, "acme/prod", store.AtRiskQuery{Search: "nord"})).To(Equal([]string{"cus_2"}))
	for _, id := range []string{"cus_1", "cus_2", "cus_3"} {
		f.enrol(t, customer(acme, id), atRisk(scoring.Critical, 96, 0), "", "", "")
	}
	g.Expect(f.found(t, "acme/prod", store.AtRiskQuery{Search: "nord"})).To(Equal([]string{"cus_1", "cus_2"}))
	var unmade int
	g.Expect(f.raw(t).QueryRow(`SELECT COUNT(*) FROM customers WHERE search_bits = -1`).Scan(&unmade)).To(Succeed())
	g.Expect(unmade).To(BeZero())
}

// testTotals holds the running totals against a count of the rows, while customers come, move and go.
func testTotals(t *testing.T, f *fixture) {
	g := NewWithT(t)
	random := rand.New(rand.NewPCG(3, 4))
	tiers := []scoring.Tier{scoring.Critical, scoring.Leaving, scoring.Normal, scoring.Churned}
	for round := range 40 {
		key := customer(acme, fmt.Sprintf("cus_%d", random.IntN(8)))
		e := atRisk(tiers[random.IntN(len(tiers))], 60+random.IntN(38), 0)
		e.Segment = e.Tier != scoring.Churned && random.IntN(3) > 0
		f.update(t, func(tx *store.Tx) error {
			if _, err := tx.Workspaces(f.ctx, []store.Scope{acme}); err != nil {
				return err
			}
			records, err := tx.Customers(f.ctx, []store.CustomerKey{key})
			if err != nil {
				return err
			}
			r := records[key]
			r.Account, r.State, r.Evaluation, r.EvaluatedAt = "acct_"+key.Customer, []byte(`{}`), e, f.clock.Now()
			r.Evaluation.ModelVersion = "prior-1"
			return tx.SaveCustomers(f.ctx, []*store.CustomerRecord{r})
		})
		if round%10 == 9 {
			_, err := f.EraseAccount(f.ctx, store.AccountRef{Scope: acme, Account: "acct_cus_" + fmt.Sprint(random.IntN(8))}, f.clock.Now())
			g.Expect(err).NotTo(HaveOccurred())
		}
		counts, err := f.Counts(f.ctx, "acme/prod")
		g.Expect(err).NotTo(HaveOccurred())
		var rows int
		g.Expect(f.raw(t).QueryRow(`SELECT COUNT(*) FROM customers WHERE segment = 1`).Scan(&rows)).To(Succeed())
		critical := f.found(t, "acme/prod", store.AtRiskQuery{Tier: "Critical"})
		all := f.found(t, "acme/prod", store.AtRiskQuery{})
		leaving := f.found(t, "acme/prod", store.AtRiskQuery{Tier: "Leaving"})
		normal := f.found(t, "acme/prod", store.AtRiskQuery{Tier: "Normal"})
		g.Expect(append(slices.Concat(critical, leaving, normal), "")).To(Equal(append(all, "")))
		g.Expect([]int{counts.AtRisk, counts.Critical, rows}).To(Equal([]int{len(all), len(critical), len(all)}))
	}
}

// testBoundedCount filters more than are counted.
func testBoundedCount(t *testing.T, f *fixture) {
	g := NewWithT(t)
	const all = store.CountedAmong + 3
	f.saveMany(t, acme, names(all, "cus_%06d"), func(_ int, r *store.CustomerRecord) { r.Evaluation = atRisk(scoring.Normal, 70, 4900) })
	for _, c := range []struct {
		q     store.AtRiskQuery
		total int
		more  bool
	}{
		{store.AtRiskQuery{}, all, false},
		{store.AtRiskQuery{Tier: "Normal"}, all, false},
		{store.AtRiskQuery{MinMRR: 4900}, store.CountedTo, true},
		{store.AtRiskQuery{MinMRR: 4900, Search: "cus_0000"}, 100, true}, // among the riskiest
		{store.AtRiskQuery{Search: "cus_00000"}, 10, false},              // seen whole, on one page
	} {
		page, err := f.AtRisk(f.ctx, "acme/prod", c.q)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(page.Total).To(Equal(c.total), "%+v", c.q)
		g.Expect(page.More).To(Equal(c.more), "%+v", c.q)
	}
}
