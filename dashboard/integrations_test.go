package dashboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/bus"
)

const acmePages = "/dashboard/workspaces/ns/acme/"

var stripeLive = client.ObjectKey{Namespace: "ns", Name: "stripe-live"}

// page reads a page that must be there.
func (d *desk) page(path string) string {
	d.t.Helper()
	resp := d.do("GET", path, nil)
	body := html.UnescapeString(text(d.t, resp))
	if resp.StatusCode != http.StatusOK || strings.Contains(body, "style=") {
		d.t.Fatalf("%s: %d\n%s", path, resp.StatusCode, body)
	}
	return body
}

// press sends a form of the page that was last read, and follows where it leads.
func (d *desk) press(path string, fields url.Values) (status int, body string) {
	d.t.Helper()
	found := tokenField.FindStringSubmatch(d.page("/dashboard/integrations?workspace=ns/acme"))
	if found == nil {
		d.t.Fatal("no form")
	}
	form := url.Values{"token": {found[1]}}
	for name, values := range fields {
		form[name] = values
	}
	resp := d.do("POST", path, form)
	if resp.StatusCode == http.StatusSeeOther {
		return http.StatusOK, d.page(strings.SplitN(resp.Header.Get("Location"), "#", 2)[0])
	}
	return resp.StatusCode, html.UnescapeString(text(d.t, resp))
}

func (d *desk) has(body string, wanted ...string) {
	d.t.Helper()
	for _, want := range wanted {
		if !strings.Contains(body, want) {
			d.t.Errorf("no %q in\n%s", want, body)
		}
	}
}

func TestIntegrationsSayWhatToDo(t *testing.T) {
	d := open(t)
	d.has(d.page("/dashboard/integrations?workspace=ns/acme"),
		"stripe-live", "The plan is Free.", "Set the Workspace's plan to Pro", "troubleshooting.md#err_plan_required", `href="/connect/ns/stripe-live"`,
		"Rotate secret", "It does not", "evt_1", "could not be scored in any try")
	d.has(d.page("/dashboard/integrations?workspace=ns/other"), "no Stripe connection", "workspaceRef: {name: other}")
	if resp := d.do("GET", "/dashboard/settings/integrations?workspace=ns/acme", nil); resp.Header.Get("Location") != "/dashboard/integrations?workspace=ns%2Facme" {
		t.Errorf("%s", resp.Header.Get("Location"))
	}
}

func TestAButtonWritesTheResource(t *testing.T) {
	d := open(t)
	conn := func() *v1alpha1.StripeConnection {
		t.Helper()
		found := &v1alpha1.StripeConnection{}
		if err := d.dashboard.Kube.Get(t.Context(), stripeLive, found); err != nil {
			t.Fatal(err)
		}
		return found
	}
	const at = acmePages + "connections/stripe-live/"
	status, body := d.press(at+"rotate-secret", nil)
	d.has(body, "A new signing secret is being made")
	if status != 200 || conn().Annotations[v1alpha1.RotateSecretAtAnnotation] != "2026-03-01T12:00:00Z" {
		t.Errorf("%d %v", status, conn().Annotations)
	}
	_, body = d.press(at+"suspend", nil)
	d.has(body, "Resume")
	if !conn().Spec.Suspend || d.audit.entries[1].Action != "suspend" || d.audit.entries[1].Outcome != store.AuditDone {
		t.Errorf("%+v %+v", conn().Spec, d.audit.entries)
	}
	for name, tc := range map[string]struct {
		path   string
		fields url.Values
		status int
		want   string
	}{
		"no window":             {at + "replay", nil, 400, "Choose how much history"},
		"no confirmation":       {at + "disconnect", url.Values{"confirm": {"stripe"}}, 400, "type the connection's name: stripe-live"},
		"another workspace's":   {"/dashboard/workspaces/ns/other/connections/stripe-live/check", nil, 404, "There is no such connection"},
		"another region's":      {"/dashboard/workspaces/ns/american/connections/stripe-live/check", nil, 404, "There is no such workspace"},
		"no event":              {acmePages + "failed/redrive", nil, 400, "No event was chosen"},
		"no decision":           {acmePages + "matches/cus_1", url.Values{"decision": {"maybe"}}, 400, "no such decision"},
		"no profile":            {acmePages + "matches/cus_1", url.Values{"decision": {"reassign"}}, 400, "Name the profile"},
		"nothing to decide":     {acmePages + "matches/cus_1", url.Values{"decision": {"approve"}}, 404, "Nothing is matched"},
		"erase unconfirmed":     {acmePages + "erase", url.Values{"confirm": {"other"}}, 400, "type the workspace's name: acme"},
		"erase no account":      {acmePages + "erase", url.Values{"confirm": {"acme"}, "account": {"cus_1"}}, 400, "begins with acct_"},
		"profiles unconfirmed":  {acmePages + "profiles/delete", nil, 400, "type the workspace's name: acme"},
		"a form of nobody's":    {at + "check", url.Values{"token": {"made-up"}}, 403, "not from your session"},
		"an import without one": {acmePages + "profiles", nil, 415, "Choose a file"},
	} {
		if status, body := d.press(tc.path, tc.fields); status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	status, body = d.press(at+"disconnect", url.Values{"confirm": {"stripe-live"}})
	d.has(body, "being disconnected")
	if err := d.dashboard.Kube.Get(t.Context(), stripeLive, &v1alpha1.StripeConnection{}); status != 200 || err == nil {
		t.Errorf("it is still there: %d", status)
	}
}

// status is the part of the card that follows the connection.
func (d *desk) status() string { return d.page(acmePages + "connections/stripe-live/status") }

func TestACardFollowsADisconnect(t *testing.T) {
	d := open(t)
	d.stands(func(c *v1alpha1.StripeConnection) {
		c.Finalizers, c.Spec.Backfill.Window = []string{v1alpha1.Finalizer}, v1alpha1.Window90d
		c.Status.Endpoint.RetiringUntil = &metav1.Time{Time: now.Add(10 * time.Hour)}
		c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "True", Reason: "Ready"}}
	})
	d.has(d.status(), ">Connected<", "<dt>History to read</dt><dd>90 days</dd>", "accepted for 10 hours more", `every 15s`)
	_, body := d.press(acmePages+"connections/stripe-live/disconnect", url.Values{"confirm": {"stripe-live"}})
	d.has(body, ">Disconnecting<", "given back to Stripe", `every 2s`)
	d.stands(func(c *v1alpha1.StripeConnection) {
		c.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "False", Reason: v1alpha1.ReasonDeleting, Message: "Being deleted: again."}}
	})
	d.has(d.status(), ">Disconnecting<", "Being deleted: again.")
	d.stands(func(c *v1alpha1.StripeConnection) { c.Finalizers = nil })
	gone := d.status()
	d.has(gone, `id="status-stripe-live"`, ">Disconnected<")
	if strings.Contains(gone, "hx-get") {
		t.Errorf("it is asked for again:\n%s", gone)
	}
}

func TestARedriveSaysWhatWasAskedFor(t *testing.T) {
	d := open(t)
	for want, fields := range map[string]url.Values{
		"One event is being fetched from Stripe once more. It leaves the list when it becomes a score. One was read from a list": {"all": {"1"}},
		"Nothing is being fetched. 2 are not on the list any more.":                                                              {"event": {"evt_8", "evt_9"}},
	} {
		_, body := d.press(acmePages+"failed/redrive", fields)
		d.has(body, want)
	}
	d.dashboard.Store = listed{d.dashboard.Store}
	page := d.page("/dashboard/integrations?workspace=ns/acme")
	d.has(page, "in_1:paid", "read from a list")
	if strings.Contains(page, "checkbox") {
		t.Error("what cannot be fetched can be chosen")
	}
}

// listed is a store in which something read from a list has failed.
type listed struct{ Scores }

func (listed) Failed(context.Context, string, store.FailedQuery) (store.FailedPage, error) {
	return store.FailedPage{Events: []store.FailedEvent{{EventID: "in_1:paid"}}}, nil
}

func TestAConsentIsEntered(t *testing.T) {
	d := open(t)
	d.do("GET", callback(d.begin(), "code=ac_marker"), nil)
	want := store.AuditEntry{ID: 1, Workspace: "ns/acme", At: now, Actor: "developer", Action: "connect", Object: "stripeconnection/stripe-live", Outcome: store.AuditDone}
	if len(d.audit.entries) != 1 || d.audit.entries[0] != want {
		t.Errorf("%+v", d.audit.entries)
	}
}

func TestWhatCannotBeEnteredIsNotDone(t *testing.T) {
	d := open(t)
	d.page("/dashboard/integrations?workspace=ns/acme")
	d.audit.broken = errors.New("the disk is full")
	status, _ := d.press(acmePages+"connections/stripe-live/rotate-secret", nil)
	found := &v1alpha1.StripeConnection{}
	if err := d.dashboard.Kube.Get(t.Context(), stripeLive, found); err != nil || status != 500 || len(found.Annotations) > 0 {
		t.Errorf("%d %v %v", status, found.Annotations, err)
	}
}

// sendFile uploads a file as a browser does.
func (d *desk) sendFile(token, name, content string) (status int, location, body string) {
	d.t.Helper()
	return d.sendParts(acmePages+"profiles", func(parts *multipart.Writer) {
		_ = parts.WriteField("token", token)
		file, err := parts.CreateFormFile("file", name)
		if err != nil {
			d.t.Fatal(err)
		}
		fmt.Fprint(file, content)
	})
}

// sendParts sends a form in parts.
func (d *desk) sendParts(path string, fill func(*multipart.Writer)) (status int, location, body string) {
	d.t.Helper()
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	fill(parts)
	_ = parts.Close()
	req := httptest.NewRequest("POST", "http://127.0.0.1:8080"+path, &form)
	req.RemoteAddr = "127.0.0.1:5000"
	req.Header.Set("Content-Type", parts.FormDataContentType())
	for _, c := range d.cookies {
		req.AddCookie(c)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req)
	return w.Code, w.Header().Get("Location"), html.UnescapeString(w.Body.String())
}

func TestNoFormGetsByWithoutItsToken(t *testing.T) {
	d := open(t)
	d.page("/dashboard/churn?workspace=ns/acme") // begins a session
	values := strings.NewReplacer("{namespace}", "ns", "{name}", "acme", "{connection}", "stripe-live", "{customer}", "cus_1")
	forms := 0
	for _, r := range d.dashboard.Routes() {
		path, isPost := strings.CutPrefix(r.Pattern, "POST ")
		if !isPost || strings.HasPrefix(path, "/api/") {
			continue
		}
		forms++
		path = values.Replace(path)
		if strings.HasPrefix(path, "/connect/") {
			path = "/connect/ns/stripe-live"
		}
		if resp := d.do("POST", path, url.Values{"confirm": {"acme"}}); resp.StatusCode != http.StatusForbidden && r.Pattern != importPattern {
			t.Errorf("%s: %d", r.Pattern, resp.StatusCode)
		}
		status, _, body := d.sendParts(path, func(parts *multipart.Writer) { _ = parts.WriteField("confirm", "acme") })
		if status != http.StatusForbidden || !strings.Contains(body, "not from your session") {
			t.Errorf("%s, sent in parts: %d", r.Pattern, status)
		}
	}
	if forms < 15 || len(d.audit.entries) > 0 {
		t.Errorf("%d forms, done: %+v", forms, d.audit.entries)
	}
}

func TestProfilesAreImportedByPage(t *testing.T) {
	d := open(t)
	const path = "/dashboard/settings/data?workspace=ns/acme"
	token := tokenField.FindStringSubmatch(d.page(path))[1]
	for name, tc := range map[string]struct {
		token, file, content string
		status               int
		want                 string
	}{
		"lines at fault":   {token, "p.csv", "profile_id,email\na,not-an-address\n,b@b.example\n", 422, "Line 2:"},
		"no such column":   {token, "p.csv", "name\nx\n", 422, "Line 1:"},
		"another's form":   {"made-up", "p.csv", "profile_id,email\na,a@a.example\n", 403, "not from your session"},
		"no file":          {token, "", "", 400, "Choose a file"},
		"NDJSON, no field": {token, "p.ndjson", `{"email":"a@a.example"}` + "\n", 422, "Line 1:"},
	} {
		if status, _, body := d.sendFile(tc.token, tc.file, tc.content); status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for file, content := range map[string]string{
		"p.csv": "profile_id,email\nada,ada@lovelace.example\n", "p.ndjson": `{"profile_id":"bob","email":"bob@b.example"}` + "\n",
	} {
		if status, location, body := d.sendFile(token, file, content); status != http.StatusSeeOther || !strings.HasPrefix(location, "/dashboard/settings/data?") {
			t.Errorf("%s: %d %s %s", file, status, location, body)
		}
	}
	d.has(d.page(path), "profiles are being made", `hx-trigger="every 2s"`)
}

func TestMatchesAreDecidedOnByPage(t *testing.T) {
	d := open(t)
	d.has(d.page("/dashboard/integrations/matches?workspace=ns/acme"), "No profiles are imported")
	d.arrive()
	table := d.page("/dashboard/integrations/matches?workspace=ns/acme")
	d.has(table, "To review (1)", "Approve", "the same domain", "team@lovelace.example")
	customer, _, _ := strings.Cut(strings.SplitN(table, acmePages+"matches/", 2)[1], `"`)
	_, body := d.press(acmePages+"matches/"+customer, url.Values{"decision": {"reassign"}, "profile": {"ada"}, "state": {"review"}})
	d.has(body, "Reassigned", "Nothing waits for a decision")
	d.has(d.page("/dashboard/integrations/matches?workspace=ns/acme&state=matched"), "somebody decided it", "reassign ada by developer", "Take back")
	_, body = d.press(acmePages+"matches/"+customer, url.Values{"decision": {"withdraw"}})
	d.has(body, "Taken back", "To review (1)")
	status, body := d.press(acmePages+"matches/"+customer, url.Values{"decision": {"reassign"}, "profile": {"nobody"}})
	if status != http.StatusConflict || !strings.Contains(body, "There is no such profile") {
		t.Errorf("%d %s", status, body)
	}
}

func TestAnErasureIsAskedForByPage(t *testing.T) {
	d := open(t)
	const path = "/dashboard/settings/data?workspace=ns/acme"
	_, body := d.press(acmePages+"erase", url.Values{"confirm": {"acme"}})
	d.has(body, "The erasure has been asked for", "under way", `hx-select="#erasures" hx-select-oob="#holdings"`, "more than 10,000")
	all, err := d.bus.Erasures().All(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%v %v", all, err)
	}
	for id, e := range all {
		if e.Workspace != "ns/acme" || e.Account != "" {
			t.Errorf("%+v", e)
		}
		e.DoneAt, e.Customers, e.Keys = now.Unix(), 7, 1 // as the engine answers
		if _, err := d.bus.Erasures().Put(t.Context(), id, e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.bus.Erasures().Put(t.Context(), "erase-other", bus.Erasure{Workspace: "ns/other", Customers: 99}); err != nil {
		t.Fatal(err)
	}
	page := d.page(path)
	d.has(page, "erased 7 customers", "and the data key")
	if strings.Contains(page, "99 customers") || strings.Contains(page, "under way") {
		t.Error(page)
	}
}

func TestTheRegionPage(t *testing.T) {
	d := open(t)
	d.has(d.page("/dashboard/settings/region?workspace=ns/acme"), "Frankfurt", "refused", "stripe-live", "not connected yet")
}
