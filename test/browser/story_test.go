package browser

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/test/devrun"
)

// binDir holds kustiq and kubectl-kustiq.
var binDir string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, clean := devrun.Binaries()
		defer clean()
		binDir = dir
		return m.Run()
	}())
}

// story is one window before a running kustiq dev.
type story struct {
	*window
	dev *devrun.Dev
	// victim is the customer to whom things happen.
	victim stripesim.CustomerSummary
	// began is when the chapter did.
	began time.Time
	// axe is what looks at the accessibility of each page; empty where it could not be fetched.
	axe string
}

func (s *story) page(path string) string { return s.dev.Env["DASHBOARD_URL"] + path }

// chapter tells a part of the story; those after a failed one make no sense.
func (s *story) chapter(t *testing.T, name string, tell func()) {
	t.Helper()
	whole := s.t
	ok := t.Run(name, func(t *testing.T) {
		s.t, s.began = t, time.Now()
		tell()
	})
	s.t = whole
	if !ok {
		t.FailNow()
	}
}

// looksAt takes a picture of the page as it stands in the story, and has axe look at it, wide and narrow, light and dark.
func (s *story) looksAt(name string) {
	s.t.Helper()
	for _, l := range looks {
		s.do(as(l))
		s.shoot("story-"+name+"-"+l.String(), false)
		if s.axe != "" {
			s.isAccessible(s.axe)
		}
		s.fitsItsWindow()
	}
	s.do(as(looks[0]))
}

func TestTheStory(t *testing.T) {
	w := newWindow(t)
	s := &story{window: w, dev: devrun.Start(t, binDir, "--scenario", "empty", "--events-per-minute", "0", "--customers", "60")}
	if axe, err := os.ReadFile(axeFile); err == nil {
		s.axe = string(axe)
	}
	w.do(as(look{1280, 900, false}))
	s.chapter(t, "without a workspace the page says what to do", s.beginsEmpty)
	s.chapter(t, "connecting through Stripe's consent page", s.connects)
	s.chapter(t, "history comes in and fills the list", s.fills)
	s.chapter(t, "a failed payment moves a customer to the top of the open page", s.moves)
	s.chapter(t, "the customer's page says why", s.explains)
	s.chapter(t, "filters and search work without leaving the page", s.filters)
	s.chapter(t, "the whole selection as a file", s.exports)
	s.chapter(t, "profiles are imported from a file", s.imports)
	s.chapter(t, "a match is decided on", s.reviews)
	s.chapter(t, "a match that is not sure enough is approved", s.approves)
	s.chapter(t, "the secret is rotated and history read again", s.operates)
	s.chapter(t, "the consent is given again", s.renews)
	s.chapter(t, "a model is asked for", s.fits)
	s.chapter(t, "the account is disconnected, and scores stay", s.disconnects)
	s.chapter(t, "what is kept is erased, and the log says who did what", s.erases)
}

func (s *story) beginsEmpty() {
	s.visit(s.page("/"))
	s.untilText("There is no Workspace in region EU yet")
	s.untilText("developer") // who kustiq dev signs in
	s.dev.Kubectl("apply", "-k", "../../config/samples")
	s.dev.Kubectl("wait", "--for=condition=Ready=False", "strc", "--all", "-n", "kustiq-demo", "--timeout=60s")
	s.visit(s.page("/dashboard/churn"))
	s.untilText("nobody has connected the Stripe account yet")
}

func (s *story) connects() {
	s.visit(s.page("/connect/kustiq-demo/stripe-live"))
	s.until(`document.querySelector("form[action^='/connect/'] button") !== null`)
	s.click(`form[action^="/connect/"] button`)
	s.untilText("asks to read your account")
	s.shoot("story-consent", false)
	s.click(`button[value="connect"]`)
	s.until(`document.querySelector("h1")?.innerText === "Connected"`)
	s.looksAt("connected")
}

func (s *story) fills() {
	s.visit(s.page("/dashboard/churn"))
	s.until(`document.querySelector("[data-live-state=live]") !== null`)
	s.dev.Kubectl("wait", "--for=condition=BackfillComplete", "strc/stripe-live", "-n", "kustiq-demo", "--timeout=120s")
	s.visit(s.page("/dashboard/integrations" + storyWorkspace))
	// How its bar moves is for TestAnUpdateTakesNothingAway: this history is read before a page is there to show it.
	s.until(`[...document.querySelectorAll("#status-stripe-live .backfill")].some((b) => b.innerText.includes("Succeeded") && /[1-9][\d,]* objects, [1-9]/.test(b.innerText))`)
	s.visit(s.page("/dashboard/churn"))
}

func (s *story) moves() {
	s.victim = s.happyCustomer()
	s.until(`document.querySelector("[data-live-state=live]") !== null`)
	value[bool](s.window, `(window.stayed = true)`)
	for range 2 {
		s.act("fail-payment")
	}
	s.until(`document.querySelector("[data-row]")?.dataset.row === ` + strconv.Quote(s.victim.ID))
	s.until(`document.querySelector("[data-row] .pill")?.innerText.includes("Critical")`)
	if !value[bool](s.window, `window.stayed === true`) {
		s.t.Error("the page was loaded anew")
	}
	s.until(`document.querySelector("[data-live-news]").textContent.includes(` + strconv.Quote(s.victim.Name) + `)`) // for screen readers
	s.looksAt("moved")
}

func (s *story) explains() {
	s.click(`[data-row] a`)
	s.until(`document.querySelector("h1")?.innerText === ` + strconv.Quote(s.victim.Name))
	s.untilText("2 failed payments")
	s.untilText("If the open invoice is paid now")
	s.untilText("Stripe event")
	s.looksAt("why")
}

func (s *story) filters() {
	s.visit(s.page("/dashboard/churn"))
	value[bool](s.window, `(window.stayed = true)`)
	s.choose("#f-tier", "Critical")
	s.until(`document.querySelectorAll("[data-row]").length === document.querySelectorAll("[data-row] .pill.critical").length`)
	s.until(`location.search.includes("tier=Critical")`)
	s.choose("#f-tier", "")
	word := strings.Fields(s.victim.Name)[0]
	s.fill("#f-q", word)
	s.until(`location.search.includes("q=") && [...document.querySelectorAll("[data-row]")].some((r) => r.dataset.row === ` + strconv.Quote(s.victim.ID) + `)`)
	s.fill("#f-q", "nobody is called so")
	s.untilText("Nobody at risk matches these filters")
	if !value[bool](s.window, `window.stayed === true`) {
		s.t.Error("the page was loaded anew")
	}
	s.click(`.empty a.button`)
	s.until(`!location.search.includes("q=") && document.querySelector("[data-row]") !== null`)
}

func (s *story) exports() {
	address := value[string](s.window, `document.querySelector("a[download]").href`)
	status, text := s.get(http.MethodGet, address)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || status != http.StatusOK || len(rows) < 2 || rows[1][1] != s.victim.ID {
		s.t.Fatalf("%d %v\n%.300s", status, err, text)
	}
}

// approves brings the profile of the victim's company, whose domain alone is no sure match, and says that it is the one.
func (s *story) approves() {
	file := filepath.Join(s.t.TempDir(), "profiles.csv")
	if err := os.WriteFile(file, []byte("profile_id,email,domain\ncompany-7,,"+s.domainOfVictim()+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.visit(s.page("/dashboard/settings/data"))
	s.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{file}))
	s.click(`form[enctype] button`)
	s.untilText("1 profiles, 1 new, 0 updated")
	row := `[...document.querySelectorAll(".matches tbody tr")].find((r) => r.innerText.includes(` + strconv.Quote(s.victim.ID) + `))`
	s.visitUntil("/dashboard/integrations/matches?state=review", row+` !== undefined`)
	s.looksAt("matches")
	value[bool](s.window, row+`.querySelector("button[value=approve]").click() === undefined`)
	s.until(`document.querySelector(".notice.good") !== null`)
	s.visitUntil("/dashboard/integrations/matches?state=matched", row+` !== undefined`)
	s.visitUntil("/dashboard/churn/customers/"+s.victim.ID, `document.body.innerText.includes("Matched with company-7")`)
}

// domainOfVictim is that of the victim's e-mail address, which the table of matches shows.
func (s *story) domainOfVictim() string {
	s.t.Helper()
	_, text := s.get(http.MethodGet, s.page("/api/v1/workspaces/kustiq-demo/acme/matches?limit=200"))
	var page report.Matches
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		s.t.Fatal(err, text)
	}
	for _, m := range page.Matches {
		if _, domain, ok := strings.Cut(m.Email, "@"); ok && m.Customer == s.victim.ID {
			return domain
		}
	}
	s.t.Fatalf("the victim is not among the matches: %s", text)
	return ""
}

// visitUntil opens a page that does not change by itself again and again.
func (s *story) visitUntil(path, expression string) {
	s.t.Helper()
	for s.visit(s.page(path)); !value[bool](s.window, expression); s.visit(s.page(path)) {
		s.patient()
	}
}

// patient fails when a chapter takes too long.
func (s *story) patient() {
	s.t.Helper()
	if time.Since(s.began) > 2*patience {
		s.fail("this takes too long")
	}
}

// fill types into a field what replaces what is there.
func (s *story) fill(selector, text string) {
	s.t.Helper()
	value[bool](s.window, fmt.Sprintf(`((e) => (e.focus(), e.select(), document.execCommand("insertText", false, %q)))(document.querySelector(%q))`, text, selector))
}

// happyCustomer is the live one with the highest MRR whose payments are in order.
func (s *story) happyCustomer() (best stripesim.CustomerSummary) {
	s.t.Helper()
	_, text := s.get(http.MethodGet, s.dev.Env["STRIPE_URL"]+"/_sim/accounts")
	var accounts []struct {
		Livemode  bool                        `json:"livemode"`
		Customers []stripesim.CustomerSummary `json:"customers"`
	}
	if err := json.Unmarshal([]byte(text), &accounts); err != nil {
		s.t.Fatal(err)
	}
	for _, a := range accounts {
		for _, c := range a.Customers {
			if a.Livemode && c.Status == "active" && c.MRR > best.MRR {
				best = c
			}
		}
	}
	return best
}

// act lets something happen to the victim at Stripe.
func (s *story) act(action string) {
	s.t.Helper()
	status, text := s.get(http.MethodPost, s.dev.Env["STRIPE_URL"]+"/_sim/accounts/"+s.dev.Env["ACCOUNT_ID"]+"/customers/"+s.victim.ID+"/"+action)
	if status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", action, status, text)
	}
}

func (s *story) get(method, address string) (status int, text string) {
	s.t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
