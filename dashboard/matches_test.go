package dashboard

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/vault"
)

const acmeAPI = "/api/v1/workspaces/ns/acme"

// newMatching is a real store.
func newMatching(t *testing.T, v *vault.Vault, c clock.PassiveClock) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{
		DSN: "sqlite://" + filepath.Join(t.TempDir(), "kustiq.db"), Vault: v, Clock: c, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// send asks the API and reads the answer into a document.
func (d *desk) send(method, path, media, body string, status int, into any) {
	d.t.Helper()
	req := httptest.NewRequest(method, "http://127.0.0.1:8080"+acmeAPI+path, strings.NewReader(body))
	req.RemoteAddr = "127.0.0.1:5000"
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req)
	if w.Code != status {
		d.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			d.t.Fatal(err)
		}
	}
}

// refused asks for something that is refused.
func (d *desk) refused(method, path, media, body string, status int, code string) {
	d.t.Helper()
	var problem report.Problem
	d.send(method, path, media, body, status, &problem)
	if problem.Error.Code != code {
		d.t.Errorf("%s %s: %+v", method, path, problem)
	}
}

// arrive has two profiles and two customers in ns/acme, of which one is in review.
func (d *desk) arrive() {
	d.t.Helper()
	var done report.Import
	d.send("POST", "/profiles", "text/csv", "profile_id,email\nada,ada@lovelace.example\nbob,bob@gmail.com\n", 202, &done)
	if done.Phase != report.ImportApplying || done.Profiles != 2 {
		d.t.Fatalf("%+v", done)
	}
	s := d.dashboard.Matching.(*store.Store)
	for more := true; more; { // as the engine does
		var err error
		if more, err = s.ApplyImports(d.t.Context()); err != nil {
			d.t.Fatal(err)
		}
	}
	d.send("GET", "/imports/"+done.ID, "", "", 200, &done)
	if done.Phase != report.ImportDone || done.Added != 2 {
		d.t.Fatalf("%+v", done)
	}
	scope := store.Scope{Workspace: "ns/acme", Livemode: true}
	err := s.Update(d.t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Workspaces(d.t.Context(), []store.Scope{scope}); err != nil {
			return err
		}
		records, err := tx.Customers(d.t.Context(), []store.CustomerKey{{Scope: scope, Customer: "cus_1"}, {Scope: scope, Customer: "cus_2"}})
		if err != nil {
			return err
		}
		var all []*store.CustomerRecord
		for key, r := range records {
			email := map[string]string{"cus_1": "team@lovelace.example", "cus_2": "bob@gmail.com"}[key.Customer]
			r.Observe(signal.Signal{ID: "evt_1", Kind: signal.CustomerUpdated, Created: 1, Person: &signal.Person{Email: email, Name: "N"}})
			r.Account, r.State, r.Evaluation.ModelVersion = "acct_1", []byte(`{}`), "prior-1"
			all = append(all, r)
		}
		if err := tx.SaveCustomers(d.t.Context(), all); err != nil {
			return err
		}
		_, err = tx.MatchCustomers(d.t.Context(), all, func(store.AccountRef) int { return 90 })
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestMatchesAreListedAndDecidedOn(t *testing.T) {
	d := open(t)
	d.arrive()
	var page report.Matches
	d.send("GET", "/matches?state=review&limit=1", "", "", 200, &page)
	want := report.Match{Customer: "cus_1", Account: "acct_1", Name: "N", Email: "team@lovelace.example", State: "review", Profile: "ada",
		ProfileEmail: "ada@lovelace.example", Confidence: 80, Evidence: "domain"}
	if page.Review != 1 || len(page.Matches) != 1 || page.Matches[0] != want || page.Next != "" {
		t.Errorf("%+v", page)
	}
	var done report.Decided
	d.send("POST", "/matches/cus_1", "application/json", `{"decision":"approve","profile":"ada"}`, 200, &done)
	if done.From.State != "review" || done.To != (report.MatchState{State: "matched", Profile: "ada", Confidence: 100, Evidence: "decision"}) {
		t.Errorf("%+v", done)
	}
	d.send("GET", "/matches", "", "", 200, &page)
	if decision := page.Matches[0].Decision; decision == nil || decision.By != "developer" || decision.Decision != "approve" || !decision.At.Equal(now) {
		t.Errorf("%+v", page.Matches)
	}
	d.send("POST", "/matches/cus_1", "", `{"decision":"reassign","profile":"bob"}`, 200, &done)
	d.send("POST", "/matches/cus_1", "", `{"decision":"withdraw"}`, 200, &done)
	d.send("POST", "/matches/cus_1", "", `{"decision":"reject"}`, 200, &done)
	if done.To.State != "unmatched" || done.To.Evidence != "decision" {
		t.Errorf("%+v", done)
	}
	d.send("GET", "/matches?mode=test", "", "", 200, &page)
	if page.Livemode || len(page.Matches) != 0 {
		t.Errorf("test data: %+v", page)
	}
	d.refused("GET", "/matches?mode=both", "", "", 400, "bad_mode")
	d.refused("POST", "/matches/cus_1?mode=test", "", `{"decision":"approve"}`, 404, "match_not_found")
	d.refused("POST", "/matches/cus_1?mode=both", "", `{"decision":"approve"}`, 400, "bad_mode")
	d.send("POST", "/rematch", "", "", 202, nil)

	var log report.Audit
	d.send("GET", "/audit", "", "", 200, &log)
	var got []string
	for _, a := range log.Actions {
		got = append(got, strings.Join([]string{a.User, a.Action, a.Subjects, a.Detail, a.Outcome}, "|"))
	}
	wanted := []string{
		"developer|rematch|||done", "developer|match.reject|cus_1 ada > -|from review|done", "developer|match.withdraw|cus_1 bob > -|from matched|done",
		"developer|match.reassign|cus_1 ada > bob|from matched|done", "developer|match.approve|cus_1 ada > ada|from review|done",
		"developer|profiles.import||csv|done",
	}
	if strings.Join(got, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

func TestWhatIsNotDecided(t *testing.T) {
	d := open(t)
	d.refused("POST", "/matches/cus_1", "", `{"decision":"approve"}`, 404, "match_not_found")
	d.arrive()
	for body, want := range map[string]struct {
		status int
		code   string
	}{
		`{"decision":"approve","profile":"bob"}`:   {409, "other_candidate"},
		`{"decision":"reassign","profile":"none"}`: {409, "profile_not_found"},
		`{"decision":"reassign"}`:                  {400, "bad_profile"},
		`{"decision":""}`:                          {400, "bad_decision"},
		`{"decision":"maybe"}`:                     {400, "bad_decision"},
		`{"decision":"approve","customer":"x"}`:    {400, "bad_body"},
		`approve`:                                  {400, "bad_body"},
	} {
		d.refused("POST", "/matches/cus_1", "", body, want.status, want.code)
	}
	d.refused("GET", "/matches?state=other", "", "", 400, "bad_state")
	d.refused("GET", "/matches?limit=0", "", "", 400, "bad_limit")
	d.refused("GET", "/matches?after=bad", "", "", 400, "bad_cursor")
	if resp := d.post(acmeAPI+"/matches/cus_1", `{"decision":"approve"}`, "cross-site"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site: %d", resp.StatusCode)
	}
}

func TestProfilesAreListedAndDeleted(t *testing.T) {
	d := open(t)
	d.arrive()
	var page report.Profiles
	d.send("GET", "/profiles?limit=1", "", "", 200, &page)
	if page.Total != 2 || len(page.Profiles) != 1 || page.Profiles[0] != (report.Profile{ID: "ada", Email: "ada@lovelace.example"}) || page.Next == "" {
		t.Errorf("%+v", page)
	}
	d.send("GET", "/profiles?after="+page.Next, "", "", 200, &page)
	if len(page.Profiles) != 1 || page.Profiles[0].ID != "bob" {
		t.Errorf("%+v", page)
	}
	d.refused("GET", "/profiles?after=bad", "", "", 400, "bad_cursor")
	var imports report.Imports
	d.send("GET", "/imports", "", "", 200, &imports)
	if len(imports.Imports) != 1 || imports.Imports[0].Phase != report.ImportDone {
		t.Errorf("%+v", imports)
	}
	d.refused("GET", "/imports/imp_none", "", "", 404, "import_not_found")
	var deleted report.Deleted
	d.send("POST", "/profiles", "application/x-ndjson", `{"profile_id":"a/b c?"}`, 202, nil)
	s := d.dashboard.Matching.(*store.Store)
	if _, err := s.ApplyImports(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.send("DELETE", "/profiles/a%2Fb%20c%3F", "", "", 200, &deleted)
	d.refused("DELETE", "/profiles/none", "", "", 404, "profile_not_found")
	d.refused("DELETE", "/profiles", "", "", 400, "bad_confirm")
	d.send("DELETE", "/profiles?confirm=acme", "", "", 200, &deleted)
	if deleted.Deleted != 2 {
		t.Errorf("%+v", deleted)
	}
}

func TestAFileAtFaultImportsNothing(t *testing.T) {
	d := open(t)
	var problem report.Problem
	d.send("POST", "/profiles", "text/csv; charset=utf-8", "profile_id,email\np1,a@b.example\n,x\np1,\n", 422, &problem)
	want := []report.LineProblem{{Line: 3, Problem: "profile_id is empty"}, {Line: 4, Problem: "profile_id is that of line 2"}}
	if problem.Error.Code != "bad_lines" || len(problem.Error.Lines) != 2 || problem.Error.Lines[0] != want[0] || problem.Error.Lines[1] != want[1] {
		t.Errorf("%+v", problem)
	}
	d.send("POST", "/profiles", "text/csv", "id,mail\n", 422, &problem)
	d.refused("POST", "/profiles", "text/plain", "x", 415, "bad_type")
	d.refused("POST", "/profiles", "", "x", 415, "bad_type")
	var page report.Profiles
	d.send("GET", "/profiles", "", "", 200, &page)
	if page.Total != 0 || len(page.Profiles) != 0 {
		t.Errorf("%+v", page)
	}
}

func TestAnErasureIsAskedForAndReported(t *testing.T) {
	d := open(t)
	var asked report.Erasure
	d.send("POST", "/erase", "", `{"confirm":"acme","account":"acct_1","livemode":true}`, 202, &asked)
	key := asked.ID
	found, revision, err := d.bus.Erasures().Get(t.Context(), key)
	if want := (bus.Erasure{Workspace: "ns/acme", Account: "acct_1", Livemode: true, RequestedAt: now.Unix()}); err != nil || found != want {
		t.Fatalf("%+v %v", found, err)
	}
	d.send("GET", "/erase/"+key, "", "", 200, &asked)
	if !asked.DoneAt.IsZero() {
		t.Errorf("%+v", asked)
	}
	found.DoneAt, found.Customers, found.Signals = now.Unix()+5, 3, 4
	if _, err := d.bus.Erasures().Update(t.Context(), key, found, revision); err != nil {
		t.Fatal(err)
	}
	d.send("GET", "/erase/"+key, "", "", 200, &asked)
	if !asked.DoneAt.Equal(now.Add(5*time.Second)) || asked.Customers != 3 || asked.Signals != 4 || asked.Account != "acct_1" {
		t.Errorf("%+v", asked)
	}
	d.refused("POST", "/erase", "", `{"confirm":"ns/acme"}`, 400, "bad_confirm")
	d.refused("POST", "/erase", "", `{}`, 400, "bad_confirm")
	d.refused("POST", "/erase", "", `{"confirm":"acme","account":"1"}`, 400, "bad_account")
	d.refused("GET", "/erase/erase-none", "", "", 404, "erasure_not_found")
	d.refused("GET", "/erase/uid-1", "", "", 404, "erasure_not_found")
	if resp := d.do("GET", "/api/v1/workspaces/ns/other/erase/"+key, nil); resp.StatusCode != 404 {
		t.Errorf("another workspace's erasure: %d", resp.StatusCode)
	}

	d.clock.Step(91 * 24 * time.Hour)
	d.send("POST", "/erase", "", `{"confirm":"acme"}`, 202, &asked)
	if found, _, err := d.bus.Erasures().Get(t.Context(), asked.ID); err != nil || found.Account != "" || found.Livemode {
		t.Errorf("%+v %v", found, err)
	}
	if _, _, err := d.bus.Erasures().Get(t.Context(), key); err == nil {
		t.Error("a report is kept for ever")
	}
}
