package dashboard

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestSelectionOf(t *testing.T) {
	for address, want := range map[string]selection{
		"": {},
		"tier=Critical&interval=year&reason=dispute&mrr=99.5&q=+ada+": {Tier: "Critical", Interval: "year", Reason: "dispute", MRR: "99.5", Search: "ada"},
		// An address that was mistyped, or made by somebody else, chooses nothing.
		"tier=critical&interval=decade&reason=whim&mrr=lots": {},
		"mrr=-5":                                {},
		"mrr=NaN":                               {},
		"mrr=Inf":                               {},
		"q=" + strings.Repeat("a", maxSearch+1): {},
	} {
		want.Workspace = "ns/acme"
		if got := selectionOf(httptest.NewRequest("GET", "/dashboard/churn?"+address, nil), "ns/acme"); got != want {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

func TestTheLeastMRRIsInEachCurrencysUnits(t *testing.T) {
	got := (selection{Workspace: "ns/acme", MRR: "99.5"}).query("", 1)
	if got.MinMRR != 9950 || got.MinMRROf["jpy"] != 99.5 || got.MinMRROf["kwd"] != 99500 {
		t.Errorf("%+v", got)
	}
	if got := (selection{}).query("", 1); got.MinMRR != 0 || got.MinMRROf != nil {
		t.Errorf("%+v", got)
	}
}

// The audit log says that somebody searched, and never what for: that may be a name.
func TestTheLogDoesNotKeepWhatWasSearchedFor(t *testing.T) {
	if got := (selection{Workspace: "ns/acme", Tier: "Critical", Search: "Ada"}).told(); got != "q=…&tier=Critical" {
		t.Errorf("%q", got)
	}
}

// What the page offers is what the API takes.
func TestThePagesChoicesAreTheAPIs(t *testing.T) {
	for name, c := range map[string]struct {
		offered []choice
		taken   []string
	}{"reasons": {reasonChoices, reasons}, "intervals": {intervalChoices, intervals}} {
		if len(c.offered) != len(c.taken) {
			t.Errorf("%s: %d are offered and %d taken", name, len(c.offered), len(c.taken))
		}
		for _, taken := range c.taken {
			if !offered(c.offered, taken) {
				t.Errorf("%s: %s is not offered", name, taken)
			}
		}
	}
}
