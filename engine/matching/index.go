package matching

import "slices"

// Index finds the profiles that customers match. Make one with NewIndex; it may be used concurrently.
type Index struct {
	ids            map[string]bool
	emails, domain map[string][]string
}

// NewIndex indexes profiles. Of several with one ID the last counts; those without an ID do not.
func NewIndex(profiles []Profile) *Index {
	last := make(map[string]Profile, len(profiles))
	for _, p := range profiles {
		last[p.ID] = p
	}
	delete(last, "")
	x := &Index{ids: make(map[string]bool, len(last)), emails: map[string][]string{}, domain: map[string][]string{}}
	for id, p := range last {
		x.ids[id] = true
		keys := p.Keys()
		if keys.Email != "" {
			x.emails[keys.Email] = append(x.emails[keys.Email], id)
		}
		if keys.Domain != "" {
			x.domain[keys.Domain] = append(x.domain[keys.Domain], id)
		}
	}
	for _, ids := range x.emails {
		slices.Sort(ids)
	}
	for _, ids := range x.domain {
		slices.Sort(ids)
	}
	return x
}

// Match returns the best candidate for the customer.
func (x *Index) Match(c Customer) Match {
	keys := c.Keys()
	f := Found{ByEmail: x.emails[keys.Email], ByDomain: x.domain[keys.Domain]}
	if c.ProfileID != "" && x.ids[c.ProfileID] {
		f.ByID = c.ProfileID
	}
	return Decide(f)
}
