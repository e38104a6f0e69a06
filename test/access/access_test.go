package access_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

func TestAccess(t *testing.T) {
	w := newWorld(t)
	w.tenant("alpha", "acme", "amber")
	w.tenant("beta", "rival", "violet")
	w.bind("alpha", "ada@example.com", "kustiq-view", "kustiq-edit", "kustiq-erase")
	w.bind("alpha", "group:readers", "kustiq-view")
	w.bind("beta", "bob@example.com", "kustiq-view", "kustiq-edit", "kustiq-erase")
	for name, part := range map[string]func(*testing.T, *world){
		"no route shows or changes anything of another workspace": neverAnothers,
		"without sign-in there is nothing":                        nothingUnsigned,
		"rights are Kubernetes' own, and end when they do":        rightsEnd,
		"somebody who may only view changes nothing":              viewersChangeNothing,
		"a token of Kubernetes opens the API and no page":         tokens,
		"a session ends": sessionsEnd,
		"a sign-in leads nowhere else and cannot be planted": signInsAreOnesOwn,
	} {
		t.Run(name, func(t *testing.T) {
			here := *w
			here.t = t
			part(t, &here)
		})
	}
}

// address fills a pattern in with what is of a tenant.
func address(pattern, namespace, workspace, word string) (method, path string) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = http.MethodGet, pattern+"nothing"
	}
	name := workspace
	if strings.HasPrefix(path, "/connect/") {
		name = word + "-live"
	}
	path = strings.NewReplacer("{$}", "", "{namespace}", namespace, "{name}", name, "{customer}", "cus_"+word, "{connection}", word+"-live",
		"{backfill}", word+"-replay", "{event}", "evt_failed"+word).Replace(path)
	return method, path + "?workspace=" + url.QueryEscape(namespace+"/"+workspace)
}

// ask takes a route as a browser of somebody does, with a form and with JSON, and returns all answers.
func (b *browser) ask(pattern, namespace, workspace, word string) (statuses []int, bodies string) {
	b.w.t.Helper()
	method, path := address(pattern, namespace, workspace, word)
	if method == http.MethodGet {
		status, body := b.get(path)
		return []int{status}, body
	}
	for contentType, body := range map[string]string{
		"application/x-www-form-urlencoded": url.Values{"token": {b.token()}, "window": {"30d"}, "confirm": {workspace}, "workspace": {namespace + "/" + workspace}}.Encode(),
		"application/json":                  `{"all":true}`,
	} {
		req, err := http.NewRequestWithContext(b.w.t.Context(), method, b.w.url+path, strings.NewReader(body))
		NewWithT(b.w.t).Expect(err).NotTo(HaveOccurred())
		req.Header.Set("Content-Type", contentType)
		status, answer := b.do(req)
		statuses, bodies = append(statuses, status), bodies+answer
	}
	return statuses, bodies
}

func neverAnothers(t *testing.T, w *world) {
	g := NewWithT(t)
	before := w.state("beta", "rival")
	// Bob sees his own word on many a route: otherwise the test below would prove nothing.
	bob, seen := w.signedIn("bob@example.com"), 0
	for _, route := range w.dash.Routes() {
		if method, _, _ := strings.Cut(route.Pattern, " "); method != http.MethodGet {
			continue
		}
		if _, body := bob.ask(route.Pattern, "beta", "rival", "violet"); strings.Contains(body, "violet") {
			seen++
		}
	}
	g.Expect(seen).To(BeNumerically(">=", 9), "routes on which bob sees what is his")

	ada := w.signedIn("ada@example.com", "readers")
	for _, route := range w.dash.Routes() {
		if route.Pattern == "POST /signout" {
			continue
		}
		statuses, body := ada.ask(route.Pattern, "beta", "rival", "violet")
		g.Expect(body).NotTo(ContainSubstring("violet"), route.Pattern)
		if strings.Contains(route.Pattern, "{namespace}") {
			// 403 is for JSON that is sent to where a form belongs.
			g.Expect(statuses).To(And(ContainElement(http.StatusNotFound), HaveEach(Or(Equal(http.StatusNotFound), Equal(http.StatusForbidden)))), route.Pattern)
		}
	}
	_, page := ada.get("/dashboard/churn")
	g.Expect(page).To(And(ContainSubstring("amber"), Not(ContainSubstring("rival"))))
	g.Expect(w.state("beta", "rival")).To(Equal(before), "something of beta was changed")
}

// state is the resource version of everything in a namespace that the dashboard could change, and the audit log.
func (w *world) state(namespace, workspace string) (versions []string) {
	w.t.Helper()
	g := NewWithT(w.t)
	for _, list := range []client.ObjectList{&v1alpha1.StripeConnectionList{}, &v1alpha1.BackfillList{}, &v1alpha1.WorkspaceList{}} {
		g.Expect(w.kube.List(w.t.Context(), list, client.InNamespace(namespace))).To(Succeed())
		switch l := list.(type) {
		case *v1alpha1.StripeConnectionList:
			for _, o := range l.Items {
				versions = append(versions, o.Name+" "+o.ResourceVersion)
			}
		case *v1alpha1.BackfillList:
			for _, o := range l.Items {
				versions = append(versions, o.Name+" "+o.ResourceVersion)
			}
		case *v1alpha1.WorkspaceList:
			for _, o := range l.Items {
				versions = append(versions, o.Name+" "+o.ResourceVersion)
			}
		}
	}
	actions, _, err := w.store.Audit(w.t.Context(), namespace+"/"+workspace, "", 500)
	g.Expect(err).NotTo(HaveOccurred())
	for _, a := range actions {
		if a.Actor != "oidc:bob@example.com" {
			versions = append(versions, a.Actor+" "+a.Action+" "+string(a.Outcome))
		}
	}
	return versions
}

func nothingUnsigned(t *testing.T, w *world) {
	g := NewWithT(t)
	stranger := w.browser()
	stranger.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, route := range w.dash.Routes() {
		method, path := address(route.Pattern, "alpha", "acme", "amber")
		req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(""))
		g.Expect(err).NotTo(HaveOccurred())
		status, body := stranger.do(req)
		g.Expect(body).NotTo(Or(ContainSubstring("Person amber"), ContainSubstring("acct_amber"), ContainSubstring("Access of amber")), route.Pattern)
		switch {
		case route.Need == "anyone":
		case strings.Contains(route.Pattern, "/api/"):
			g.Expect(status).To(Equal(http.StatusUnauthorized), route.Pattern)
			g.Expect(body).To(ContainSubstring("unauthenticated"))
		case method == http.MethodGet:
			g.Expect(status).To(Equal(http.StatusSeeOther), route.Pattern)
		default:
			g.Expect(status).To(Equal(http.StatusUnauthorized), route.Pattern)
		}
	}
}

func rightsEnd(t *testing.T, w *world) {
	g := NewWithT(t)
	eve := w.signedIn("eve@example.com")
	_, page := eve.get("/dashboard/churn")
	g.Expect(page).To(ContainSubstring("There is no workspace for you"))
	w.bind("alpha", "eve@example.com", "kustiq-view")
	w.clock.Step(11 * time.Second)
	_, page = eve.get("/dashboard/churn")
	g.Expect(page).To(ContainSubstring("cus_amber"))
	var bindings rbacv1.RoleBindingList
	g.Expect(w.kube.List(t.Context(), &bindings, client.InNamespace("alpha"))).To(Succeed())
	for _, b := range bindings.Items {
		if b.Subjects[0].Name == "oidc:eve@example.com" {
			g.Expect(w.kube.Delete(t.Context(), &b)).To(Succeed())
		}
	}
	w.granted()
	w.clock.Step(11 * time.Second)
	_, page = eve.get("/dashboard/churn")
	g.Expect(page).NotTo(ContainSubstring("cus_amber"))
}

func viewersChangeNothing(t *testing.T, w *world) {
	g := NewWithT(t)
	before := w.state("alpha", "acme")
	vic := w.signedIn("vic@example.com", "readers")
	for _, route := range w.dash.Routes() {
		method, _, _ := strings.Cut(route.Pattern, " ")
		if method == http.MethodGet || !strings.Contains(route.Pattern, "{namespace}") {
			continue
		}
		statuses, body := vic.ask(route.Pattern, "alpha", "acme", "amber")
		g.Expect(statuses).To(HaveEach(Or(Equal(http.StatusForbidden), Equal(http.StatusUnsupportedMediaType))), route.Pattern)
		g.Expect(body).To(Or(ContainSubstring("ou may not"), ContainSubstring("not from your session")), route.Pattern)
	}
	g.Expect(w.state("alpha", "acme")).To(Equal(before))
	status, page := vic.get("/dashboard/churn")
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(page).To(ContainSubstring("cus_amber"), "the group may view")
}

func tokens(t *testing.T, w *world) {
	g := NewWithT(t)
	token := w.robot("alpha", "robot")
	ask := func(path, bearer string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
		g.Expect(err).NotTo(HaveOccurred())
		req.Header.Set("Authorization", "Bearer "+bearer)
		program := w.browser()
		program.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		return program.do(req)
	}
	const mine, theirs = "/api/v1/workspaces/alpha/acme/at-risk", "/api/v1/workspaces/beta/rival/at-risk"
	status, _ := ask(mine, token)
	g.Expect(status).To(Equal(http.StatusNotFound), "without a right the workspace is not there")
	w.bind("alpha", "account:robot", "kustiq-view")
	w.clock.Step(11 * time.Second)
	status, body := ask(mine, token)
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(body).To(ContainSubstring("cus_amber"))
	status, body = ask(theirs, token)
	g.Expect(status).To(Equal(http.StatusNotFound))
	g.Expect(body).NotTo(ContainSubstring("violet"))
	status, body = ask(mine, token[:len(token)-4]+"AAAA")
	g.Expect(status).To(Equal(http.StatusUnauthorized))
	g.Expect(body).To(ContainSubstring("get a new one"))
	status, _ = ask("/dashboard/churn", token)
	g.Expect(status).To(Equal(http.StatusSeeOther), "a page asks for a session")
}

func sessionsEnd(t *testing.T, w *world) {
	g := NewWithT(t)
	here, err := url.Parse(w.url)
	g.Expect(err).NotTo(HaveOccurred())
	// signedOutNow looks without following the way to the identity provider.
	inside := func(b *browser) bool {
		looking := *b
		copied := *b.Client
		copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		looking.Client = &copied
		status, _ := looking.get("/dashboard/churn")
		return status == http.StatusOK
	}
	ada := w.signedIn("ada@example.com")
	thief := w.browser()
	thief.Jar.SetCookies(here, ada.Jar.Cookies(here))
	g.Expect(inside(thief)).To(BeTrue(), "a copied cookie is as good as the first")
	status, page := ada.post("/signout", url.Values{"token": {ada.token()}})
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(page).To(And(ContainSubstring("You are signed out"), ContainSubstring(w.idp.URL+"/logout")))
	g.Expect(inside(ada)).To(BeFalse())
	g.Expect(inside(thief)).To(BeFalse(), "and ends with it")

	idle := w.signedIn("ada@example.com")
	for range 3 {
		w.clock.Step(50 * time.Minute)
		g.Expect(inside(idle)).To(BeTrue(), "used now and then")
	}
	w.clock.Step(61 * time.Minute)
	g.Expect(inside(idle)).To(BeFalse(), "not used for an hour")

	open := w.signedIn("ada@example.com")
	asksByItself := func(want int) {
		for name, change := range map[string]func(*http.Request){
			"script":    func(r *http.Request) { r.Header.Set("HX-Request", "true"); r.Header.Set("Kustiq-By-Itself", "true") },
			"stream":    func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") },
			"no script": func(r *http.Request) { r.URL.RawQuery = "by=itself" },
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/dashboard/settings/region", nil)
			g.Expect(err).NotTo(HaveOccurred())
			change(req)
			status, _ := open.do(req)
			g.Expect(status).To(Equal(want), name)
		}
	}
	for range 2 {
		w.clock.Step(25 * time.Minute)
		asksByItself(http.StatusOK)
	}
	w.clock.Step(25 * time.Minute)
	asksByItself(http.StatusUnauthorized) // and is not led to the identity provider, which would sign them in again
	g.Expect(inside(open)).To(BeFalse(), "a page that asks by itself is not somebody who uses it")

	busy := w.signedIn("ada@example.com")
	for range 23 {
		w.clock.Step(30 * time.Minute)
		g.Expect(inside(busy)).To(BeTrue())
	}
	w.clock.Step(30*time.Minute + time.Second)
	g.Expect(inside(busy)).To(BeFalse(), "after 12 hours, however busy")

	another := w.signedIn("ada@example.com")
	status, page = another.post("/signout", url.Values{"token": {"made-up"}})
	g.Expect(status).To(Equal(http.StatusForbidden), page)
	g.Expect(inside(another)).To(BeTrue())
}

func signInsAreOnesOwn(t *testing.T, w *world) {
	g := NewWithT(t)
	w.idp.Claims = map[string]any{"email": "ada@example.com", "email_verified": true}
	still := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, next := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "evil", "/signin?next=/", "/dashboard/churn"} {
		b := w.browser()
		last := ""
		b.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
			last = req.URL.String()
			g.Expect(req.URL.Host).To(Or(Equal(strings.TrimPrefix(w.url, "http://")), Equal(strings.TrimPrefix(w.idp.URL, "http://"))), next)
			return nil
		}
		status, _ := b.get("/signin?next=" + url.QueryEscape(next))
		g.Expect(status).To(Equal(http.StatusOK))
		g.Expect(last).To(HavePrefix(w.url + "/dashboard/churn"))
	}

	// A way back from the provider that another browser began signs nobody in.
	attacker := w.browser()
	attacker.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.Path, "/signin/callback") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/signin", nil)
	g.Expect(err).NotTo(HaveOccurred())
	resp, err := attacker.Do(req)
	g.Expect(err).NotTo(HaveOccurred())
	_ = resp.Body.Close()
	planted, err := url.Parse(resp.Header.Get("Location"))
	g.Expect(err).NotTo(HaveOccurred())
	victim := w.browser()
	victim.CheckRedirect = still
	status, page := victim.get(planted.RequestURI())
	g.Expect(status).To(Equal(http.StatusBadRequest))
	g.Expect(page).To(ContainSubstring("not started in this browser"))
	status, _ = victim.get("/dashboard/churn")
	g.Expect(status).To(Equal(http.StatusSeeOther), "still signed out")
}
