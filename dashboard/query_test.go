package dashboard

import (
	"net/url"
	"reflect"
	"testing"

	"github.com/kustiq/kustiq/engine/store"
)

func TestAtRiskFilters(t *testing.T) {
	got, err := atRiskQuery(url.Values{
		"limit": {"7"}, "after": {"x"}, "tier": {"Leaving"}, "interval": {"year"}, "reason": {"open_dunning"},
		"min_mrr_minor": {"5000"}, "mode": {"test"}, "q": {" nord "},
	})
	want := store.AtRiskQuery{
		Limit: 7, After: "x", Tier: "Leaving", Interval: store.Yearly, Reason: "open_dunning", MinMRR: 5000, Mode: store.ModeTest, Search: "nord",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	page := (selection{MRR: "49.9"}).query("", pageSize)
	if got, err := atRiskQuery(url.Values{"min_mrr": {"49.9"}}); err != nil || !reflect.DeepEqual(got, page) {
		t.Errorf("the page and the API ask for other customers: %+v %+v %v", page, got, err)
	}
	if got, err := atRiskQuery(nil); err != nil || !reflect.DeepEqual(got, store.AtRiskQuery{Limit: pageSize}) {
		t.Errorf("%+v %v", got, err)
	}
}
