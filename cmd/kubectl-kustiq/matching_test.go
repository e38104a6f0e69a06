package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/report"
)

// desk answers as a dashboard does of matches, profiles and erasures, and notes requests and their bodies.
type desk struct {
	url   string
	asked []string
}

func newDesk(t *testing.T) (*desk, []client.Object) {
	t.Helper()
	d := &desk{}
	server := httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d, []client.Object{workspaceAt("acme", server.URL)}
}

func (d *desk) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.RequestURI(), "/api/v1/workspaces/ns/acme/")
	d.asked = append(d.asked, strings.TrimSpace(r.Method+" "+path+" "+string(body)))
	match := report.Match{
		Customer: "cus_1", Name: "Nord", Email: "team@nord.example", State: "review", Profile: "p-1", ProfileEmail: "ada@nord.example",
		Confidence: 80, Evidence: "domain", Decision: &report.MatchDecision{Decision: "reject", Profile: "p-0", By: "ada", At: time.Unix(0, 0)},
	}
	var answer any
	switch {
	case strings.HasPrefix(path, "matches/cus_409"):
		w.WriteHeader(http.StatusConflict)
		answer = report.Problem{Error: report.ProblemDetail{Code: "other_candidate", Message: "the candidate is another one by now"}}
	case strings.HasPrefix(path, "matches/"):
		answer = report.Decided{Customer: "cus_1", From: report.MatchState{State: "review", Profile: "p-1", Confidence: 80, Evidence: "domain"},
			To: report.MatchState{State: "matched", Profile: "p-1", Confidence: 100, Evidence: "decision"}}
	case strings.Contains(path, "after=second"):
		match.Customer = "cus_2"
		answer = report.Matches{Workspace: "ns/acme", AsOf: time.Unix(60, 0), Review: 2, Matches: []report.Match{match}}
	case strings.HasPrefix(path, "matches"):
		answer = report.Matches{Workspace: "ns/acme", AsOf: time.Unix(60, 0), Review: 2, Next: "second", Matches: []report.Match{match}}
	case path == "profiles" && strings.Contains(string(body), "bad"):
		w.WriteHeader(http.StatusUnprocessableEntity)
		answer = report.Problem{Error: report.ProblemDetail{Code: "bad_lines", Message: "nothing was imported",
			Lines: []report.LineProblem{{Line: 2, Problem: "email is no e-mail address"}}}}
	case r.Method == http.MethodPost && path == "profiles":
		w.WriteHeader(http.StatusAccepted)
		answer = report.Import{ID: "imp_1", Phase: report.ImportApplying, Profiles: 2}
	case path == "imports/imp_1":
		answer = report.Import{ID: "imp_1", Phase: report.ImportDone, Profiles: 2, Added: 1, Updated: 1}
	case path == "imports":
		answer = report.Imports{Workspace: "ns/acme", AsOf: time.Unix(60, 0), Imports: []report.Import{{ID: "imp_1", Phase: "done", StartedAt: time.Unix(0, 0)}}}
	case strings.HasPrefix(path, "profiles/"):
		answer = report.Deleted{Deleted: 1}
	case strings.HasPrefix(path, "profiles"):
		answer = report.Profiles{Workspace: "ns/acme", Total: 2, Profiles: []report.Profile{{ID: "p-1", Email: "ada@nord.example"}}, Next: "n"}
	case path == "erase":
		w.WriteHeader(http.StatusAccepted)
		answer = report.Erasure{Workspace: "ns/acme", ID: "erase-1"}
	case path == "erase/erase-1":
		answer = report.Erasure{Workspace: "ns/acme", ID: "erase-1", DoneAt: time.Unix(9, 0), Customers: 3, Identities: 1, Keys: 1}
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func TestMatchesAndProfiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "customers.csv")
	if err := os.WriteFile(file, []byte("profile_id,email\np-1,ada@nord.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ args, input, want, asked string }{
		{"matches", "", "cus_1     Nord  review  p-1      80 %        the domain alone", "GET matches?limit=50&state=review"},
		{"matches", "", "2 matches in review in ns/acme", ""},
		{"matches --test", "", "cus_1", "GET matches?limit=50&mode=test&state=review"},
		{"matches approve cus_1 --test", "", "cus_1: review", `POST matches/cus_1?mode=test {"decision":"approve"}`},
		{"matches -o wide", "", "team@nord.example  ada@nord.example  reject p-0, 1 minute ago by ada", ""},
		{"matches --state matched --limit 7 --all -o json", "", `"customer": "cus_2"`, "GET matches?limit=7&state=matched"},
		{"matches approve cus_1 --profile p-1", "", "cus_1: review p-1 (80 %, the domain alone), now matched p-1 (100 %, a person's decision)",
			`POST matches/cus_1 {"decision":"approve","profile":"p-1"}`},
		{"matches reject cus_1 cus_2", "", "cus_1: review", `POST matches/cus_1 {"decision":"reject"}`},
		{"matches reassign cus_1 p-9", "", "cus_1: review", `POST matches/cus_1 {"decision":"reassign","profile":"p-9"}`},
		{"matches approve cus_1 -o json", "", `{
  "customer": "cus_1",`, `POST matches/cus_1 {"decision":"approve"}`},
		{"matches approve cus_1 cus_2 -o yaml", "", "- customer: cus_1", `POST matches/cus_1 {"decision":"approve"}`},
		{"matches withdraw cus_1", "", "cus_1: review", `POST matches/cus_1 {"decision":"withdraw"}`},
		{"profiles import " + file, "", "imported 2 profiles: 1 new, 1 replaced", "POST profiles profile_id,email\np-1,ada@nord.example"},
		{"profiles import - --format ndjson --wait=false", "{}", "2 profiles are good and being imported (imp_1)", "POST profiles {}"},
		{"profiles import " + file + " -o yaml", "", "added: 1\n", ""},
		{"profiles list", "", "p-1      ada@nord.example  –", "GET profiles?limit=50"},
		{"profiles list --imports", "", "imp_1   done", "GET imports"},
		{"profiles list -o yaml", "", "profile_id: p-1", "GET profiles?limit=50"},
		{"profiles delete a/b", "", "deleted a/b", "DELETE profiles/a%2Fb"},
		{"erase --yes", "", "Erased Workspace ns/acme: 3 customers, 1 identity, 0 signals, 0 daily scores.\nIts data key is destroyed", `POST erase {"confirm":"acme"}`},
		{"erase", "acme\n", "Erased Workspace", `POST erase {"confirm":"acme"}`},
		{"erase --account acct_1 -y -o json", "", `"customers": 3`, `POST erase {"confirm":"acme","account":"acct_1","livemode":true}`},
		{"erase --account acct_1 --test -y", "", "Erased", `POST erase {"confirm":"acme","account":"acct_1"}`},
	} {
		d, acme := newDesk(t)
		out, _, err := typed(t, tc.input, acme, strings.Fields(tc.args)...)
		if err != nil || !strings.Contains(out, tc.want) {
			t.Errorf("%s: %v\n%s", tc.args, err, out)
		}
		if tc.asked != "" && (len(d.asked) == 0 || d.asked[0] != tc.asked) {
			t.Errorf("%s asked %q", tc.args, d.asked)
		}
	}
}

func TestMatchingErrorsSayWhatToDo(t *testing.T) {
	for name, tc := range map[string]struct {
		args, input, want string
		asked             int
	}{
		"another candidate":      {"matches approve cus_409", "", "cus_409: the dashboard answered: the candidate is another one by now", 1},
		"a profile of several":   {"matches approve cus_1 cus_2 --profile p", "", "one customer only", 0},
		"lines at fault":         {"profiles import - --format csv", "bad", "line 2: email is no e-mail address", 1},
		"an unknown format":      {"profiles import customers.txt", "", "--format", 0},
		"no such file":           {"profiles import none.csv", "", "no such file", 0},
		"another name typed":     {"erase", "beta\n", "nothing was erased", 0},
		"nothing typed":          {"erase", "", "nothing was erased", 0},
		"test without account":   {"erase --test", "", "give --account", 0},
		"no such connection":     {"rematch none", "", "not found", 0},
		"a connection to rotate": {"rotate-secret", "", "requires at least 1 arg", 0},
	} {
		d, acme := newDesk(t)
		if _, _, err := typed(t, tc.input, acme, strings.Fields(tc.args)...); err == nil || !strings.Contains(err.Error(), tc.want) || len(d.asked) != tc.asked {
			t.Errorf("%s: %v, asked %v", name, err, d.asked)
		}
	}
}

func TestRequestsAreAnnotations(t *testing.T) {
	for command, annotation := range map[string]string{"rematch": v1alpha1.RematchAtAnnotation, "rotate-secret": v1alpha1.RotateSecretAtAnnotation} {
		conn := &v1alpha1.StripeConnection{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "stripe-live", Annotations: map[string]string{"a": "b"}}}
		out, kube, err := run(t, []client.Object{conn}, command, "stripe-live")
		var seen v1alpha1.StripeConnection
		if failed := kube.Get(t.Context(), client.ObjectKeyFromObject(conn), &seen); err != nil || failed != nil || !strings.Contains(out, "stripe-live asked") {
			t.Fatal(err, failed, out)
		}
		if _, err := time.Parse(time.RFC3339Nano, seen.Annotations[annotation]); err != nil || seen.Annotations["a"] != "b" {
			t.Errorf("%s: %v", command, seen.Annotations)
		}
	}
}

func TestCompletion(t *testing.T) {
	url, _ := api(t)
	objects := []client.Object{
		workspaceAt("acme", url), workspaceAt("beta", url),
		&v1alpha1.StripeConnection{ObjectMeta: named("stripe-live")}, &v1alpha1.StripeConnection{ObjectMeta: named("stripe-test")},
	}
	for args, want := range map[string]string{
		"rematch stripe-l":            "stripe-live\n:4\n",
		"rematch stripe-live ":        "stripe-test\n:4\n",
		"status ":                     "stripe-live\nstripe-test\n:4\n",
		"replay stripe-t":             "stripe-test\n:4\n",
		"at-risk -w ":                 "acme\nbeta\n:4\n",
		"at-risk -o ":                 "json\nyaml\nwide\n:4\n",
		"explain x -o ":               "json\nyaml\nwide\n:4\n",
		"erase -o ":                   "json\nyaml\n:4\n",
		"connect stripe-live -o ":     "json\nyaml\n:4\n",
		"replay stripe-live -o ":      "json\nyaml\n:4\n",
		"rematch stripe-live -o ":     "json\nyaml\n:4\n",
		"rotate-secret x -o ":         "json\nyaml\n:4\n",
		"redrive evt_1 -o ":           "json\nyaml\n:4\n",
		"replay x --window ":          "30d\n90d\nAllTime\n:4\n",
		"at-risk --tier ":             "Critical\nLeaving\nNormal\n:4\n",
		"matches --state ":            "review\nmatched\nunmatched\n:4\n",
		"profiles import x --format ": "csv\nndjson\n:4\n",
		"explain ":                    ":4\n",
		"profiles import ":            ":0\n",
	} {
		fields := append([]string{"__complete"}, strings.Split(args, " ")...)
		if out, _, err := run(t, objects, fields...); err != nil || out != want {
			t.Errorf("%s: %v\n%s", args, err, out)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out, _, err := run(t, nil, "completion", shell); err != nil || len(out) < 1000 {
			t.Errorf("%s: %v", shell, err)
		}
	}
}

// TestHelpHasExamples holds every command to the same: a sentence, and how it is typed.
func TestHelpHasExamples(t *testing.T) {
	p := &plugin{flags: genericclioptions.NewConfigFlags(true)}
	var check func(parent string, commands []*cobra.Command)
	check = func(parent string, commands []*cobra.Command) {
		for _, c := range commands {
			if c.Short == "" || strings.HasSuffix(c.Short, ".") {
				t.Errorf("%s %s: %q", parent, c.Name(), c.Short)
			}
			if c.Runnable() && !strings.Contains(c.Example, "kubectl kustiq") {
				t.Errorf("%s %s has no example", parent, c.Name())
			}
			check(parent+" "+c.Name(), c.Commands())
		}
	}
	check("kustiq", p.command().Commands())
}
