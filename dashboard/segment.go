package dashboard

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/kustiq/kustiq/engine/store"
)

// selection is what somebody chose of the at-risk segment, as the page's address says it.
type selection struct {
	Workspace string
	Tier      string
}

// selectionOf reads the address. Nonsense counts as not chosen: an address is easily cut or mistyped.
func selectionOf(r *http.Request, workspace string) selection {
	query := r.URL.Query()
	s := selection{Workspace: workspace, Tier: query.Get("tier")}
	if !slices.Contains(tiers, s.Tier) {
		s.Tier = ""
	}
	return s
}

// Any says that something was chosen.
func (s selection) Any() bool { return s != selection{Workspace: s.Workspace} }

func (s selection) values() url.Values {
	values := url.Values{"workspace": {s.Workspace}}
	for name, value := range map[string]string{"tier": s.Tier} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
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

func (s selection) query(after string, limit int) store.AtRiskQuery {
	return store.AtRiskQuery{Limit: limit, After: after, Tier: s.Tier}
}
