package dashboard

import (
	"net/url"
	"testing"

	"github.com/kustiq/kustiq/engine/store"
)

func TestAtRiskFilters(t *testing.T) {
	got, err := atRiskQuery(url.Values{
		"limit": {"7"}, "after": {"x"}, "tier": {"Leaving"}, "interval": {"year"}, "reason": {"open_dunning"},
		"min_mrr_minor": {"5000"}, "q": {" nord "},
	})
	want := store.AtRiskQuery{
		Limit: 7, After: "x", Tier: "Leaving", Interval: store.Yearly, Reason: "open_dunning", MinMRR: 5000, Search: "nord",
	}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := atRiskQuery(nil); err != nil || got != (store.AtRiskQuery{Limit: pageSize}) {
		t.Errorf("%+v %v", got, err)
	}
}
