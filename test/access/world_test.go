// Package access_test has people and programs ask the dashboard for what is theirs and for what is not: a real API
// server decides, an identity provider signs, and bus and store are those of an installation.
package access_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/dashboard"
	"github.com/kustiq/kustiq/engine/explain"
	"github.com/kustiq/kustiq/engine/scoring"
	"github.com/kustiq/kustiq/engine/signal"
	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/devcluster"
	"github.com/kustiq/kustiq/internal/oidctest"
	"github.com/kustiq/kustiq/internal/rbactest"
	"github.com/kustiq/kustiq/internal/signin"
	"github.com/kustiq/kustiq/internal/vault"
)

const system = "kustiq-system"

// world is one installation with two tenants.
type world struct {
	t     *testing.T
	kube  client.Client
	admin *rest.Config
	clock *clocktesting.FakeClock
	idp   *oidctest.Server
	bus   *bus.Bus
	store *store.Store
	dash  *dashboard.Dashboard
	url   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	g := NewWithT(t)
	dir := t.TempDir()
	crds, err := config.CRDs()
	g.Expect(err).NotTo(HaveOccurred())
	cluster, err := devcluster.Start(t.Context(), devcluster.Options{
		Dir: filepath.Join(dir, "cluster"), CRDs: crds, Progress: func(line string) { t.Log(line) },
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(cluster.Stop()).To(Succeed()) })
	w := &world{t: t, clock: clocktesting.NewFakeClock(time.Now()), admin: cluster.Config}
	w.kube, err = client.New(cluster.Config, client.Options{Scheme: controllers.Scheme()})
	g.Expect(err).NotTo(HaveOccurred())
	w.namespace(system)
	w.install("service_accounts.yaml", "dashboard.yaml", "tenant_roles.yaml")
	w.idp = oidctest.Start(t, w.clock)
	w.serve(dir, cluster.Config)
	return w
}

// serve starts the dashboard with the rights of its ServiceAccount and no others.
func (w *world) serve(dir string, admin *rest.Config) {
	w.t.Helper()
	g := NewWithT(w.t)
	quiet := slog.New(slog.DiscardHandler)
	own := rest.CopyConfig(admin)
	own.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + system + ":kustiq-dashboard"}
	own.QPS = -1
	kube, err := client.New(own, client.Options{Scheme: controllers.Scheme()})
	g.Expect(err).NotTo(HaveOccurred())
	rights, err := access.New(kube, w.clock)
	g.Expect(err).NotTo(HaveOccurred())

	busServer, err := bus.StartServer(w.t.Context(), bus.ServerOptions{
		Dir: filepath.Join(dir, "bus"), EncryptionKey: bytes.Repeat([]byte{1}, 32), Logger: quiet,
	})
	g.Expect(err).NotTo(HaveOccurred())
	w.bus, err = bus.Open(w.t.Context(), bus.Options{Server: busServer, Region: "eu", Logger: quiet})
	g.Expect(err).NotTo(HaveOccurred())
	w.store, err = store.Open(w.t.Context(), store.Options{
		DSN: "sqlite://" + filepath.Join(dir, "store.db"), Vault: w.vault(), Clock: w.clock, Logger: quiet,
	})
	g.Expect(err).NotTo(HaveOccurred())
	w.t.Cleanup(func() { w.bus.Close(); _ = busServer.Close(); _ = w.store.Close() })

	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	w.t.Cleanup(server.Close)
	w.url = server.URL
	people, err := signin.New(signin.Options{
		Issuer: w.idp.URL, ClientID: w.idp.ClientID, ClientSecret: w.idp.ClientSecret, RedirectURL: dashboard.SignInCallback(w.url),
		Claims: signin.Claims{Username: "email", UsernamePrefix: "oidc:", Groups: "groups", GroupsPrefix: "oidc:"},
		HTTP:   &http.Client{Timeout: 10 * time.Second}, Clock: w.clock,
	})
	g.Expect(err).NotTo(HaveOccurred())
	explainer, err := explain.New(w.store, w.clock)
	g.Expect(err).NotTo(HaveOccurred())
	w.dash, err = dashboard.New(dashboard.Options{
		Store: w.store, Matching: w.store, Explain: explainer, Audit: w.store, Bus: w.bus, Vault: w.vault(), Kube: kube, Clock: w.clock, Logger: quiet,
		BaseURL: w.url, Region: "EU", SignIn: people, Access: rights,
	})
	g.Expect(err).NotTo(HaveOccurred())
	handler = w.dash.Handler()
	ctx, stop := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.dash.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			w.t.Error(err)
		}
	})
}

func (w *world) vault() *vault.Vault {
	w.t.Helper()
	keys, err := vault.NewKeyset()
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	v, err := vault.Open(keys)
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	return v
}

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		NewWithT(w.t).Expect(w.kube.Create(w.t.Context(), object)).To(Succeed())
	}
}

func (w *world) namespace(name string) {
	w.t.Helper()
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// install applies files of config/rbac as an administrator does.
func (w *world) install(files ...string) {
	w.t.Helper()
	g := NewWithT(w.t)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("../../config/rbac", file))
		g.Expect(err).NotTo(HaveOccurred())
		for _, document := range strings.Split(string(text), "\n---\n") {
			object := &unstructured.Unstructured{}
			g.Expect(yaml.Unmarshal([]byte(document), &object.Object)).To(Succeed(), file)
			g.Expect(w.kube.Apply(w.t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("test"))).To(Succeed(), file)
		}
	}
	w.granted()
}

// granted waits until the API server grants what was written, and no longer what was deleted.
func (w *world) granted() {
	w.t.Helper()
	NewWithT(w.t).Expect(rbactest.CatchUp(w.t.Context(), w.admin)).To(Succeed())
}

// bind gives a role to a user ("ada@example.com"), a group ("group:cs") or a ServiceAccount ("account:robot").
func (w *world) bind(namespace, who string, roles ...string) {
	w.t.Helper()
	subject := rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "oidc:" + who}
	if kind, name, ok := strings.Cut(who, ":"); ok && kind == "group" {
		subject = rbacv1.Subject{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "oidc:" + name}
	} else if ok {
		subject = rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: name}
	}
	for _, role := range roles {
		w.create(&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: role + "-"}, Subjects: []rbacv1.Subject{subject},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		})
	}
	w.granted()
}

// tenant makes a namespace with a Workspace, a connection with a replay, and everything in store and bus that a page of
// the workspace could show. Its own word is in all of it.
func (w *world) tenant(namespace, workspace, word string) {
	w.t.Helper()
	g := NewWithT(w.t)
	ctx := w.t.Context()
	w.namespace(namespace)
	in := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }
	conn := &v1alpha1.StripeConnection{ObjectMeta: in(word + "-live"), Spec: v1alpha1.StripeConnectionSpec{
		WorkspaceRef: v1alpha1.LocalRef{Name: workspace}, Mode: v1alpha1.ModeLive}}
	replay := &v1alpha1.Backfill{ObjectMeta: in(word + "-replay"), Spec: v1alpha1.BackfillSpec{
		ConnectionRef: v1alpha1.LocalRef{Name: conn.Name}, Window: v1alpha1.Window30d}}
	w.create(&v1alpha1.Workspace{ObjectMeta: in(workspace), Spec: v1alpha1.WorkspaceSpec{Plan: v1alpha1.PlanPro, Region: v1alpha1.RegionEU}}, conn, replay)
	conn.Status.AccountID = "acct_" + word
	conn.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "False", Reason: "ERR_ST_401",
		Message: "Access of " + word + " was withdrawn.", LastTransitionTime: metav1.Now()}}
	g.Expect(w.kube.Status().Update(ctx, conn)).To(Succeed())
	_, err := w.bus.Offers().Put(ctx, string(conn.UID), bus.Offer{AuthorizeURL: "https://connect.example/" + word})
	g.Expect(err).NotTo(HaveOccurred())
	scope := store.Scope{Workspace: namespace + "/" + workspace, Livemode: true}
	g.Expect(w.store.Update(ctx, func(tx *store.Tx) error { return w.fill(ctx, tx, scope, word, string(conn.UID)) })).To(Succeed())
	_, err = w.store.BeginAudit(ctx, store.AuditEntry{Workspace: scope.Workspace, Actor: word + "@example.com", Action: "made-by-" + word})
	g.Expect(err).NotTo(HaveOccurred())
}

func (w *world) fill(ctx context.Context, tx *store.Tx, scope store.Scope, word, connection string) error {
	if _, err := tx.Workspaces(ctx, []store.Scope{scope}); err != nil {
		return err
	}
	key := store.CustomerKey{Scope: scope, Customer: "cus_" + word}
	who := signal.Signal{ID: "evt_" + word, EventID: "evt_" + word, Kind: signal.CustomerUpdated, Created: w.clock.Now().Unix(),
		Provenance: signal.FromEvent, Customer: key.Customer, Person: &signal.Person{Email: word + "@customer.example", Name: "Person " + word}}
	if _, err := tx.InsertSignals(ctx, []store.ScopedSignal{{Scope: scope, Signal: who}}); err != nil {
		return err
	}
	err := tx.RecordFailed(ctx, scope.Workspace, []store.FailedEvent{{EventID: "evt_failed" + word, EventType: "invoice.paid", Connection: connection,
		Livemode: true, Account: "acct_" + word, Reason: "processing", Attempts: 6, Created: w.clock.Now(), FailedAt: w.clock.Now()}})
	if err != nil {
		return err
	}
	records, err := tx.Customers(ctx, []store.CustomerKey{key})
	if err != nil {
		return err
	}
	r := records[key]
	r.Observe(who)
	r.Account, r.State, r.EvaluatedAt = "acct_"+word, []byte(`{}`), w.clock.Now()
	r.Evaluation = scoring.Evaluation{Tier: scoring.Critical, Score: 95, P30: .7, MRR: 4900, Currency: "eur", Segment: true, ModelVersion: "prior-1",
		Terms: []scoring.Term{{Name: "open_dunning", Label: "Because of " + word, LogOdds: 2, Evidence: []string{"evt_" + word}}}}
	return tx.SaveCustomers(ctx, []*store.CustomerRecord{r})
}

// browser keeps cookies and follows redirects.
type browser struct {
	w *world
	*http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	NewWithT(w.t).Expect(err).NotTo(HaveOccurred())
	return &browser{w: w, Client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

// signedIn is the browser of somebody after the identity provider has vouched for them.
func (w *world) signedIn(email string, groups ...string) *browser {
	w.t.Helper()
	w.idp.Claims = map[string]any{"email": email, "email_verified": true, "groups": groups}
	b := w.browser()
	status, page := b.get("/")
	NewWithT(w.t).Expect(status).To(Equal(http.StatusOK), page)
	NewWithT(w.t).Expect(page).To(ContainSubstring("oidc:"+email), "signed in")
	return b
}

func (b *browser) get(path string) (status int, body string) {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodGet, b.w.url+path, nil)
	NewWithT(b.w.t).Expect(err).NotTo(HaveOccurred())
	return b.do(req)
}

func (b *browser) do(req *http.Request) (status int, body string) {
	b.w.t.Helper()
	resp, err := b.Do(req)
	NewWithT(b.w.t).Expect(err).NotTo(HaveOccurred())
	defer func() { _ = resp.Body.Close() }()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return resp.StatusCode, "" // it goes on
	}
	text, err := io.ReadAll(resp.Body)
	NewWithT(b.w.t).Expect(err).NotTo(HaveOccurred())
	return resp.StatusCode, string(text)
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// token is what forms of this browser's session carry.
func (b *browser) token() string {
	b.w.t.Helper()
	_, page := b.get("/no-such-page")
	found := tokenField.FindStringSubmatch(page)
	NewWithT(b.w.t).Expect(found).NotTo(BeNil(), page)
	return found[1]
}

func (b *browser) post(path string, fields url.Values) (status int, body string) {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), http.MethodPost, b.w.url+path, strings.NewReader(fields.Encode()))
	NewWithT(b.w.t).Expect(err).NotTo(HaveOccurred())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

// robot makes a ServiceAccount and returns a token for it.
func (w *world) robot(namespace, name string) string {
	w.t.Helper()
	w.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
	return w.token(namespace, name)
}

// token is one for a ServiceAccount, as kubectl create token makes it.
func (w *world) token(namespace, name string) string {
	w.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	request := &authenticationv1.TokenRequest{}
	NewWithT(w.t).Expect(w.kube.SubResource("token").Create(w.t.Context(), account, request)).To(Succeed())
	return request.Status.Token
}
