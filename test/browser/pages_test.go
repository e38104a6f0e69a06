package browser

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// axeFile is fetched by hack/browser.sh.
const axeFile = "../../dashboard/frontend/node_modules/axe-core/axe.min.js"

// pageOf is one page of the showcase.
type pageOf struct {
	name, path string
	// drawn becomes true when all of the page is there.
	drawn string
}

func (s *showcase) pages() []pageOf {
	return []pageOf{
		{"churn", "/dashboard/churn", isLive + ` && document.querySelectorAll(".u-wrap").length === 2`},
		{"customer", "/dashboard/churn/customers/" + s.riskiest() + "?workspace=" + showcaseWorkspace, `document.querySelectorAll(".u-wrap").length === 1 && document.querySelectorAll(".waterfall tbody tr").length > 2`},
		{"model", "/dashboard/model", "true"},
		{"churn-nobody", "/dashboard/churn?workspace=globex/production", "true"},
		{"no-page", "/dashboard/none", "true"},
		{"connect", "/connect/acme/stripe-live", "true"},
		{"integrations", "/dashboard/integrations?workspace=initech/production", "true"},
		{"integrations-none", "/dashboard/integrations?workspace=globex/production", "true"},
		{"matches", "/dashboard/integrations/matches?workspace=acme/production&state=all", "true"},
		{"matches-none", "/dashboard/integrations/matches?workspace=globex/production", "true"},
		{"settings-region", "/dashboard/settings/region?workspace=initech/production", "true"},
		{"settings-data", "/dashboard/settings/data?workspace=acme/production", "true"},
	}
}

// TestEveryPageIsAccessible has axe look at each page, wide and narrow, light and dark.
func TestEveryPageIsAccessible(t *testing.T) {
	w := newWindow(t)
	axe, err := os.ReadFile(axeFile)
	if err != nil {
		t.Skip("there is no axe-core here: hack/browser.sh fetches it where there is npm")
	}
	s := openShowcase(t)
	for _, p := range s.pages() {
		for _, l := range looks {
			t.Run(p.name+" "+l.String(), func(t *testing.T) {
				w := &window{t: t, ctx: w.ctx}
				w.do(as(l))
				w.visit(s.url + p.path)
				w.until(p.drawn)
				w.shoot(p.name+"-"+l.String(), false)
				w.isAccessible(string(axe))
				w.fitsItsWindow()
			})
		}
	}
}

// violation is one rule of axe that a page breaks.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

func (w *window) isAccessible(axe string) {
	w.t.Helper()
	w.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[chromedp.Void](axe)(ctx, t)
		return err
	}))
	found := value[[]violation](w, `axe.run(document).then((r) => r.violations.map((v) => ({ID: v.id, Impact: v.impact, Help: v.help,
		Nodes: v.nodes.map((n) => ({HTML: n.html.slice(0, 300), FailureSummary: n.failureSummary}))})))`)
	for _, v := range found {
		if v.Impact != "serious" && v.Impact != "critical" {
			w.t.Logf("%s (%s): %s", v.ID, v.Impact, v.Help)
			continue
		}
		w.t.Errorf("%s (%s): %s", v.ID, v.Impact, v.Help)
		for _, n := range v.Nodes {
			w.t.Errorf("  %s\n  %s", n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
		}
	}
}

// fitsItsWindow says that nobody has to scroll sideways to read the page.
func (w *window) fitsItsWindow() {
	w.t.Helper()
	if wide := value[int](w, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
		w.t.Errorf("the page is %d pixels wider than its window", wide)
	}
}
