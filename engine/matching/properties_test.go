package matching_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/kustiq/kustiq/engine/matching"
)

// Few names and domains, so that addresses, domains and ids often meet.
var (
	ids       = rapid.SampledFrom([]string{"p1", "p2", "p3", "p4", ""})
	domains   = rapid.SampledFrom([]string{"a.example", "b.example", "gmail.com", "localhost", ""})
	addresses = rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"ada", "bob", ""}).Draw(t, "name") + "@" + domains.Draw(t, "at")
	})
	anyProfile = rapid.Custom(func(t *rapid.T) matching.Profile {
		return matching.Profile{ID: ids.Draw(t, "id"), Email: addresses.Draw(t, "email"), Domain: domains.Draw(t, "domain")}
	})
	anyCustomer = rapid.Custom(func(t *rapid.T) matching.Customer {
		return matching.Customer{Email: addresses.Draw(t, "email"), ProfileID: ids.Draw(t, "id")}
	})
)

func distinct(t *rapid.T) []matching.Profile {
	return rapid.SliceOfNDistinct(anyProfile, 0, 5, func(p matching.Profile) string { return p.ID }).Draw(t, "profiles")
}

// TestDecision compares the index with the rules spelled out over a plain list.
func TestDecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, c := distinct(t), anyCustomer.Draw(t, "customer")
		byEmail, byDomain := map[string]bool{}, map[string]bool{}
		named := false
		for _, p := range all {
			if p.ID == "" {
				continue
			}
			named = named || p.ID == c.ProfileID
			byEmail[p.ID] = p.Keys().Email != "" && p.Keys().Email == c.Keys().Email
			byDomain[p.ID] = p.Keys().Domain != "" && p.Keys().Domain == c.Keys().Domain
		}
		got := matching.NewIndex(all).Match(c)
		var want bool
		switch got.Evidence {
		case matching.ByMetadata:
			want = named && got.ProfileID == c.ProfileID && got.Confidence == 100
		case matching.ByEmail:
			want = !named && byEmail[got.ProfileID] && count(byEmail) == 1 && got.Confidence == 100
		case matching.BySharedEmail:
			want = !named && byEmail[got.ProfileID] && count(byEmail) > 1 && got.Confidence < 90
		case matching.ByDomain:
			want = !named && count(byEmail) == 0 && byDomain[got.ProfileID] && count(byDomain) == 1 && got.Confidence == 80 &&
				!strings.HasSuffix(c.Email, "@gmail.com")
		case matching.None:
			want = !named && count(byEmail) == 0 && count(byDomain) != 1 && got == matching.Match{}
		}
		if !want {
			t.Fatalf("%+v of %+v", got, all)
		}
	})
}

// TestOrderAndLettersDoNotMatter shuffles the profiles and changes the case of every address.
func TestOrderAndLettersDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, c := distinct(t), anyCustomer.Draw(t, "customer")
		want := matching.NewIndex(all).Match(c)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for i, p := range all {
			all[i] = matching.Profile{ID: p.ID, Email: mixed(random, p.Email), Domain: mixed(random, p.Domain)}
		}
		c.Email = mixed(random, c.Email)
		if got := matching.NewIndex(all).Match(c); got != want {
			t.Fatalf("%+v, but in another order %+v", want, got)
		}
	})
}

// TestKeysAreStable feeds keys back in: what was made comparable is compared as it is.
func TestKeysAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		domain := rapid.StringMatching(`[ .a-zA-ZİſẞK\x{a0}@]{0,9}`).Draw(t, "domain")
		keys := matching.Customer{Email: name + "@" + domain}.Keys()
		if again := (matching.Customer{Email: keys.Email}).Keys(); again != keys {
			t.Fatalf("%+v turned into %+v", keys, again)
		}
	})
}

func count(set map[string]bool) (n int) {
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}

func mixed(random *rand.Rand, s string) string {
	return strings.Map(func(r rune) rune {
		if random.IntN(2) == 0 {
			return unicode.ToUpper(r)
		}
		return r
	}, s)
}
