package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/report"
)

// choice is one option of a filter, with its words.
type choice struct{ Value, Words string }

// intervalChoices and reasonChoices are the filters' options, the reasons by what leads to a loss first.
var (
	intervalChoices = []choice{{string(store.Monthly), "Monthly"}, {string(store.Yearly), "Yearly"}, {string(store.OtherInterval), "Other"}}
	reasonChoices   = []choice{
		{"open_dunning", "Failed payment"}, {"cancel_scheduled", "Cancellation scheduled"}, {"price_change", "Downgrade"},
		{"pause", "Pause"}, {"dispute", "Dispute"}, {"residual", "Paid after failures"}, {"subscription_deleted", "Subscription ended"},
		{"cancel_withdrawn", "Took back a cancellation"}, {"resubscribed", "Came back"},
	}
)

// selection is what somebody chose of the at-risk segment, as the page's address says it.
type selection struct {
	Workspace              string
	Tier, Interval, Reason string
	// MRR is the least of a month in whole units of each customer's own currency, as it was typed.
	MRR string
	// Search is by name, e-mail address or customer id.
	Search string
}

// selectionOf reads the address. Nonsense counts as not chosen: an address is easily cut or mistyped.
func selectionOf(r *http.Request, workspace string) selection {
	query := r.URL.Query()
	s := selection{
		Workspace: workspace, Tier: query.Get("tier"), Interval: query.Get("interval"), Reason: query.Get("reason"),
		MRR: strings.TrimSpace(query.Get("mrr")), Search: strings.TrimSpace(query.Get("q")),
	}
	if !slices.Contains(tiers, s.Tier) {
		s.Tier = ""
	}
	if !offered(intervalChoices, s.Interval) {
		s.Interval = ""
	}
	if !offered(reasonChoices, s.Reason) {
		s.Reason = ""
	}
	if n, err := strconv.ParseFloat(s.MRR, 64); err != nil || !(n > 0 && n < 1e12) {
		s.MRR = ""
	}
	if len(s.Search) > maxSearch {
		s.Search = ""
	}
	return s
}

func offered(choices []choice, value string) bool {
	return slices.ContainsFunc(choices, func(c choice) bool { return c.Value == value })
}

// Any says that something was chosen.
func (s selection) Any() bool { return s != selection{Workspace: s.Workspace} }

func (s selection) values() url.Values {
	values := url.Values{"workspace": {s.Workspace}}
	for name, value := range map[string]string{
		"tier": s.Tier, "interval": s.Interval, "reason": s.Reason, "mrr": s.MRR, "q": s.Search,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// told is the selection for the audit log, which never holds what somebody looked for: that may be a name.
func (s selection) told() string {
	values := s.values()
	values.Del("workspace")
	if s.Search != "" {
		values.Set("q", "…")
	}
	text, _ := url.QueryUnescape(values.Encode())
	return text
}

// Page is the address of the selection's page after a cursor, the first one without.
func (s selection) Page(after string) string {
	values := s.values()
	if after != "" {
		values.Set("after", after)
	}
	return "/dashboard/churn?" + values.Encode()
}

// CSV is the address of the whole selection as a file.
func (s selection) CSV() string { return "/dashboard/churn.csv?" + s.values().Encode() }

// All is the address of the page without a selection.
func (s selection) All() string { return inWorkspace("/dashboard/churn", s.Workspace) }

// query asks the store for it.
func (s selection) query(after string, limit int) store.AtRiskQuery {
	q := store.AtRiskQuery{
		Limit: limit, After: after, Tier: s.Tier, Interval: store.Interval(s.Interval), Reason: s.Reason, Search: s.Search,
	}
	if least, err := strconv.ParseFloat(s.MRR, 64); err == nil {
		q.MinMRR, q.MinMRROf = report.MinorUnits(least)
	}
	return q
}
