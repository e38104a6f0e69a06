package dashboard

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"html/template"
	"net/http"
	"sync"
	"time"

	"github.com/kustiq/kustiq/api/errcode"
	"github.com/kustiq/kustiq/internal/report"
)

// layout is what every page has.
type layout struct {
	Title, Workspace, User string
	Now                    time.Time
	// Token is what each form carries in the field of that name; empty when nobody is signed in.
	Token string
	// SignsOut offers to sign out.
	SignsOut bool
	// Refresh fetches what the page shows anew every so many seconds; 0 never does.
	Refresh int
	// RefreshFrom is where that is asked for; empty is the page's own address.
	RefreshFrom string
	// Again is where a page that no script refreshes loads itself anew.
	Again string
	// Section is the entry of the navigation that the page belongs to, and Deeper says that it is a page below it.
	Section section
	Deeper  bool
	// Workspaces can be chosen from in the bar at the top; with fewer than two there is no choice.
	Workspaces []string
	// Charts loads what draws them.
	Charts bool
}

func (d *Dashboard) layout(r *http.Request, title, workspace string) layout {
	c := callerOf(r)
	l := layout{
		Title: title, Workspace: workspace, User: c.user.Name, Now: d.Clock.Now(), SignsOut: c.session != "" && d.LocalUser == "",
		Again: againPath(r),
	}
	if c.session != "" {
		var err error
		if l.Token, err = d.formToken(c.session); err != nil {
			d.Logger.Error("dashboard: seal a form's token", "error", err) // its forms will be refused
		}
	}
	return l
}

var functions = template.FuncMap{
	"money": report.Money, "percent": report.Percent, "ago": report.Ago, "in": report.In, "signal": report.SignalWords,
	"freshness": report.Freshness, "count": report.Number,
	"moneyMinor":   func(minor int64, currency string) string { return report.Money(float64(minor), currency) },
	"customerPath": customerPath, "tierClass": tierClass, "inWorkspace": inWorkspace,
	"provenance": provenanceWords, "basis": wordsOfBasis, "signed": signed, "utc": utc, "fetchable": fetchable, "accepted": accepted,
	"decimals": decimals, "plain": plainWords, "dateOf": dateOf,
	"kindOfModel":   func(kind string) string { return modelKinds[cmp.Or(kind, report.ModelPrior)] },
	"help":          func(e *errcode.Entry) string { return troubleshooting + e.Anchor },
	"conditionHelp": conditionHelp, "failure": report.FailureWords, "act": actOf, "evidence": wordsOfEvidence, "stateClass": stateClass,
	"count64": func(n int64) string { return report.Number(int(n)) },
}

const (
	// worthPacking is the size in bytes from which a page is sent packed.
	worthPacking = 2 << 10
	// packingLevel is quick: a page of 50 customers takes a millisecond and shrinks to a tenth.
	packingLevel = 4
)

// packers are kept, since a new one allocates more than a page.
var packers sync.Pool

// render writes a page; one that cannot be rendered is answered whole, not by half.
func (d *Dashboard) render(w http.ResponseWriter, r *http.Request, status int, page string, view any) {
	var body bytes.Buffer
	if err := d.pages.ExecuteTemplate(&body, page, view); err != nil {
		d.Logger.Error("dashboard: render a page", "page", page, "error", err)
		http.Error(w, "The page could not be made; the dashboard's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Encoding, HX-Request")
	if body.Len() < worthPacking || !acceptsGzip(r) {
		w.WriteHeader(status)
		_, _ = body.WriteTo(w) // the browser has gone
		return
	}
	// A form's token is sealed anew for each page, so that the length of what is packed gives none away (BREACH).
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	packer, ok := packers.Get().(*gzip.Writer)
	if !ok {
		packer, _ = gzip.NewWriterLevel(w, packingLevel) // the level is a valid one
	}
	defer packers.Put(packer)
	packer.Reset(w)
	_, _ = body.WriteTo(packer)
	_ = packer.Close()
}

type problemView struct {
	layout
	Advice string
}

// problem says what is wrong and what to do.
func (d *Dashboard) problem(w http.ResponseWriter, r *http.Request, status int, what, advice string) {
	d.render(w, r, status, "problem.html", problemView{layout: d.layout(r, what, ""), Advice: advice})
}

// failure logs an unexpected error and says that it is ours.
func (d *Dashboard) failure(w http.ResponseWriter, r *http.Request, what string, err error) {
	d.Logger.Error("dashboard: "+what, "error", err)
	d.problem(w, r, http.StatusInternalServerError, "Something went wrong on our side", "Try again in a moment; the dashboard's log says what happened.")
}
