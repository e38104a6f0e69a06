package matching_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/kustiq/kustiq/engine/matching"
)

var profiles = []matching.Profile{
	{ID: "p-ada", Email: "Ada@Lovelace.example"},
	{ID: "p-bob", Email: "bob@gmail.com"},
	{ID: "p-big-1", Email: "one@big.example"},
	{ID: "p-big-2", Email: "two@big.example"},
	{ID: "p-twin-2", Email: "twin@twins.example"},
	{ID: "p-twin-1", Email: "Twin@twins.example"},
	{ID: "p-named", Domain: "Named.Example."},
	{ID: "p-other", Email: "someone@gmail.com", Domain: "other.example"},
	{ID: "p-elsewhere", Email: "ceo@holding.example", Domain: "daughter.example"},
	{ID: "p-public", Domain: "outlook.com"},
	{ID: "", Email: "nobody@nameless.example"},
}

var none matching.Match

func match(profile string, confidence int, by matching.Evidence) matching.Match {
	return matching.Match{ProfileID: profile, Confidence: confidence, Evidence: by}
}

func TestMatch(t *testing.T) {
	index := matching.NewIndex(profiles)
	for name, c := range map[string]struct {
		email, metadata string
		want            matching.Match
	}{
		"address":                             {"ada@lovelace.example", "", match("p-ada", 100, matching.ByEmail)},
		"address in other letters":            {"  ADA@lovelace.EXAMPLE. ", "", match("p-ada", 100, matching.ByEmail)},
		"address at a public provider":        {"Bob@gmail.com", "", match("p-bob", 100, matching.ByEmail)},
		"another one there":                   {"eve@gmail.com", "", none},
		"a tag makes another address":         {"bob+shop@gmail.com", "", none},
		"domain of one profile":               {"billing@lovelace.example", "", match("p-ada", 80, matching.ByDomain)},
		"domain of two":                       {"billing@big.example", "", none},
		"address among two of a domain":       {"two@big.example", "", match("p-big-2", 100, matching.ByEmail)},
		"address of two":                      {"twin@twins.example", "", match("p-twin-1", 50, matching.BySharedEmail)},
		"domain without an address":           {"x@named.example", "", match("p-named", 80, matching.ByDomain)},
		"domain beside a public address":      {"x@other.example", "", match("p-other", 80, matching.ByDomain)},
		"the named domain replaces the other": {"x@holding.example", "", none},
		"a public domain is never one":        {"x@outlook.com", "", none},
		"a subdomain is another domain":       {"x@mail.lovelace.example", "", none},
		"profiles without an id are none":     {"nobody@nameless.example", "", none},
		"metadata":                            {"", "p-bob", match("p-bob", 100, matching.ByMetadata)},
		"metadata overrides an address":       {"ada@lovelace.example", "p-bob", match("p-bob", 100, matching.ByMetadata)},
		"metadata of no profile":              {"ada@lovelace.example", "p-gone", match("p-ada", 100, matching.ByEmail)},
		"metadata tells letters apart":        {"", "P-Bob", none},
		"nothing":                             {"", "", none},
	} {
		t.Run(name, func(t *testing.T) {
			customer := matching.Customer{Email: c.email, ProfileID: c.metadata}
			NewWithT(t).Expect(index.Match(customer)).To(Equal(c.want))
		})
	}
}

func TestKeys(t *testing.T) {
	for address, want := range map[string]matching.Keys{
		"Ada@Example.com":                  {Email: "ada@example.com", Domain: "example.com"},
		"\tada@example.com.\n":             {Email: "ada@example.com", Domain: "example.com"},
		"ada@gmail.com":                    {Email: "ada@gmail.com"},
		"root@localhost":                   {Email: "root@localhost"},
		"\"odd@part\"@example.com":         {Email: "\"odd@part\"@example.com", Domain: "example.com"},
		"":                                 {},
		"ada":                              {},
		"@example.com":                     {},
		"ada@":                             {},
		"ada@.com":                         {},
		"ada@example.com..":                {},
		"ada@example.com\u00a0.":           {},
		"ada@example..com":                 {},
		"Ada Lovelace <ada@example.com>":   {},
		"ada@https://example.com/@x.com/y": {},
	} {
		g := NewWithT(t)
		g.Expect(matching.Customer{Email: address}.Keys()).To(Equal(want), address)
		g.Expect(matching.IsAddress(address)).To(Equal(want.Email != ""), address)
	}
}

func TestDomains(t *testing.T) {
	for name, want := range map[string]bool{"example.com": true, " Gmail.COM. ": true, "": false, "localhost": false,
		"https://example.com": false, "example.com/path": false, "ada@example.com": false, ".com": false, "two words.com": false} {
		NewWithT(t).Expect(matching.IsDomain(name)).To(Equal(want), name)
	}
}

func TestState(t *testing.T) {
	for _, c := range []struct {
		match   matching.Match
		minimum int
		want    matching.State
	}{
		{match("p", 100, matching.ByEmail), 100, matching.Matched},
		{match("p", 90, matching.ByEmail), 90, matching.Matched},
		{match("p", 90, matching.ByEmail), 91, matching.Review},
		{match("p", 80, matching.ByDomain), 0, matching.Review},
		{match("p", 80, matching.ByDomain), 70, matching.Review},
		{match("p", 100, matching.ByEmail), 101, matching.Matched},
		{none, 90, matching.Unmatched},
	} {
		NewWithT(t).Expect(c.match.State(c.minimum)).To(Equal(c.want), "%+v", c)
	}
}

// TestPublicMailboxes holds that the list is in the form in which it is looked up.
func TestPublicMailboxes(t *testing.T) {
	g := NewWithT(t)
	for _, domain := range []string{"gmail.com", "GMAIL.com", "web.de", "hotmail.co.uk", "qq.com"} {
		keys := matching.Customer{Email: "x@" + domain}.Keys()
		g.Expect(keys).To(Equal(matching.Keys{Email: "x@" + strings.ToLower(domain)}))
	}
}

func TestRejections(t *testing.T) {
	gone := match("", 0, matching.ByDecision)
	for name, c := range map[string]struct {
		found    matching.Found
		rejected []string // the last one last
		want     matching.Match
	}{
		"the only one":                 {matching.Found{ByEmail: []string{"a"}, ByDomain: []string{"a"}}, []string{"a"}, gone},
		"another one":                  {matching.Found{ByEmail: []string{"a"}}, []string{"b"}, match("a", 100, matching.ByEmail)},
		"no candidate":                 {matching.Found{}, []string{"a"}, none},
		"the merchant's word":          {matching.Found{ByID: "a", ByEmail: []string{"b"}}, []string{"a"}, match("b", 100, matching.ByEmail)},
		"one of two of an address":     {matching.Found{ByEmail: []string{"a", "b"}}, []string{"a"}, match("b", 50, matching.BySharedEmail)},
		"the other of two":             {matching.Found{ByEmail: []string{"a", "b"}}, []string{"b"}, match("a", 50, matching.BySharedEmail)},
		"both of an address":           {matching.Found{ByEmail: []string{"a", "b"}, ByDomain: []string{"a", "b"}}, []string{"a", "b"}, gone},
		"an address before a domain":   {matching.Found{ByEmail: []string{"a"}, ByDomain: []string{"b"}}, []string{"a"}, match("b", 80, matching.ByDomain)},
		"a domain of two stays no one": {matching.Found{ByEmail: []string{"a"}, ByDomain: []string{"a", "b"}}, []string{"a"}, gone},
	} {
		last := len(c.rejected) - 1
		d := matching.Decision{Verdict: matching.Reject, ProfileID: c.rejected[last], Rejected: c.rejected[:last]}
		NewWithT(t).Expect(d.Decide(c.found)).To(Equal(c.want), name)
	}
}
