// Package cluster installs the built image with the Helm chart into the cluster of the current KUBECONFIG, and tells the
// story from a connection to scores there: pods are killed, the release is rolled, upgraded and uninstalled, and nothing
// is lost. make e2e runs it; without KUSTIQ_CLUSTER it does nothing.
package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/report"
	"github.com/kustiq/kustiq/internal/stripesim"
)

const (
	// namespace is the operator's, world that of the simulator, tenant that of config/samples.
	namespace = "kustiq-system"
	world     = "kustiq-world"
	tenant    = "kustiq-demo"

	account   = "acct_1KustiqCluster"
	person    = "ada@example.com"
	simulator = "simulator." + world + ".svc"
	// patience is for a step on a busy machine.
	patience = 3 * time.Minute
)

// story is what the steps share.
type story struct {
	*WithT
	shell
	t       *testing.T
	browser *browser
	// token opens the JSON API.
	token string
	// hurt are the customers whose payments have failed twice: exactly these must be critical.
	hurt []string
	// fine are active ones that nothing has happened to.
	fine []string
}

// given is a setting of the run.
func given(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: run make e2e", name)
	}
	return value
}

func TestCluster(t *testing.T) {
	if os.Getenv("KUSTIQ_CLUSTER") == "" {
		t.Skip("KUSTIQ_CLUSTER is not set: make e2e runs this on the cluster of the current KUBECONFIG")
	}
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(500 * time.Millisecond)
	s := &story{WithT: NewWithT(t), t: t, shell: shell{t: t, helm: given(t, "KUSTIQ_HELM")}}
	s.browser = newBrowser(t, s.shell)
	t.Cleanup(s.say)
	for _, chapter := range []struct {
		name string
		tell func()
	}{
		{"the world around it", s.makeWorld},
		{"install the previous chart", func() { s.release("install", given(t, "KUSTIQ_PREVIOUS_CHART"), given(t, "KUSTIQ_PREVIOUS_VERSION")) }},
		{"connect", s.connect},
		{"score", func() { s.fail(1); s.showsWhoIsHurt() }},
		{"upgrade to this chart", func() {
			s.whileEventsComeIn(func() { s.release("upgrade", given(t, "KUSTIQ_CHART"), given(t, "KUSTIQ_VERSION")) })
		}},
		{"memory at rest", s.operatorIsSmall},
		{"kill each pod", s.killEachPod},
		{"roll the release", func() {
			s.whileEventsComeIn(func() {
				s.release("upgrade", given(t, "KUSTIQ_CHART"), given(t, "KUSTIQ_VERSION"),
					"--set", "operator.podAnnotations.rolled=once", "--set", "receiver.podAnnotations.rolled=once", "--set", "worker.podAnnotations.rolled=once",
					"--set", "engine.podAnnotations.rolled=once", "--set", "bus.podAnnotations.rolled=once")
			})
		}},
		{"uninstall, and install again", s.uninstallAndInstallAgain},
		{"leave nothing behind", s.leaveNothing},
	} {
		began := time.Now()
		chapter.tell()
		fmt.Printf("%-30s %5.1f s\n", chapter.name, time.Since(began).Seconds())
	}
}

// say prints what there is when a step has failed.
func (s *story) say() {
	if !s.t.Failed() {
		return
	}
	for _, args := range [][]string{
		{"get", "pods,pvc,strc,bf,ws", "-A", "-o", "wide"},
		{"get", "events", "-n", namespace, "--sort-by=.lastTimestamp", "--field-selector", "type=Warning"},
		{"logs", "-n", namespace, "-l", "app.kubernetes.io/name=kustiq", "--all-containers", "--prefix", "--tail=12"},
	} {
		out, err := s.run("", "kubectl", args...)
		s.t.Log(out, err)
	}
}

// makeWorld makes the simulated Stripe and identity provider, and what an administrator brings.
func (s *story) makeWorld() {
	certificate, key := selfSigned(s.t, simulator)
	secret := func(namespace, name string, data map[string]string) string {
		object := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": name, "namespace": namespace}, "stringData": data}
		text, err := json.Marshal(object)
		s.Expect(err).NotTo(HaveOccurred())
		return string(text)
	}
	platform := map[string]string{
		"client-id-live": "ca_live", "client-id-test": "ca_test", "secret-key-live": "sk_live_" + rand.Text(), "secret-key-test": "sk_test_" + rand.Text(),
	}
	login := map[string]string{"client-secret": rand.Text()}
	for _, ns := range []string{namespace, world} {
		s.apply(fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}}`, ns))
		s.apply(secret(ns, "kustiq-platform-eu", platform))
		s.apply(secret(ns, "kustiq-oidc", login))
	}
	s.apply(secret(world, "simulator-tls", map[string]string{"tls.crt": certificate, "tls.key": key}))
	ca, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]string{"name": "login-ca", "namespace": namespace},
		"data": map[string]string{"ca.crt": certificate}})
	s.Expect(err).NotTo(HaveOccurred())
	s.apply(string(ca))
	manifest, err := os.ReadFile("testdata/simulator.yaml")
	s.Expect(err).NotTo(HaveOccurred())
	s.apply(strings.NewReplacer("IMAGE", given(s.t, "KUSTIQ_SIMULATOR"), "ACCOUNT", account, "PERSON", person, "DASHBOARD", "https://"+dashboardHost,
		"ISSUER", "https://"+simulator+":8443").Replace(string(manifest)))
	s.kubectl("rollout", "status", "-n", world, "deployment/simulator", "--timeout=2m")
}

func selfSigned(t *testing.T, host string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

// release installs or upgrades, and returns when everything is ready.
func (s *story) release(verb, chart, version string, more ...string) {
	began := time.Now()
	args := append([]string{verb, "kustiq", chart, "-n", namespace, "-f", "testdata/values.yaml", "--set-string", "image.tag=" + version, "--wait", "--timeout", "3m"}, more...)
	s.must(s.run("", s.helm, args...))
	fmt.Printf("  helm %s: ready after %.1f s\n", verb, time.Since(began).Seconds())
}

// connect declares a Workspace and a connection, consents in the browser, and waits for the history.
func (s *story) connect() {
	s.kubectl("apply", "-k", "../../config/samples")
	s.apply(fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: people, namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: %q}
- {kind: ServiceAccount, name: default, namespace: %s}
`, tenant, person, tenant))
	s.token = strings.TrimSpace(s.kubectl("create", "token", "default", "-n", tenant, "--duration=1h"))
	var connection v1alpha1.StripeConnection
	s.Eventually(func() (string, error) {
		err := s.get(&connection, "strc/stripe-live", "-n", tenant)
		return connection.Status.ConnectURL, err
	}).ShouldNot(BeEmpty())
	// The operator may still be preparing the offer.
	s.Eventually(func() error { return s.browser.consent(s.t.Context(), connection.Status.ConnectURL) }).Should(Succeed())
	s.kubectl("wait", "--for=condition=Ready", "strc/stripe-live", "-n", tenant, "--timeout=3m")
	s.kubectl("wait", "--for=condition=BackfillComplete", "strc/stripe-live", "-n", tenant, "--timeout=3m")
	for _, c := range s.customers() {
		if c.Status == "active" && c.MRR > 0 {
			s.fine = append(s.fine, c.ID)
		}
	}
	s.Expect(len(s.fine)).To(BeNumerically(">", 20), "active customers of the simulated account")
}

// ask sends a request to the simulator.
func (s *story) ask(method, path string, into any) error {
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+simulator+path, nil)
	if err != nil {
		return err
	}
	answer, err := s.browser.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s answered %d", method, path, answer.StatusCode)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

func (s *story) customers() []stripesim.CustomerSummary {
	var accounts []struct{ Customers []stripesim.CustomerSummary }
	s.Expect(s.ask(http.MethodGet, "/_sim/accounts", &accounts)).To(Succeed())
	return accounts[0].Customers
}

// fail lets the payments of some more customers fail twice.
func (s *story) fail(n int) {
	for range n {
		customer := s.fine[0]
		s.fine, s.hurt = s.fine[1:], append(s.hurt, customer)
		for range 2 {
			s.Expect(s.ask(http.MethodPost, "/_sim/accounts/"+account+"/customers/"+customer+"/fail-payment", nil)).To(Succeed())
		}
	}
}

// whileEventsComeIn lets payments fail before, during and after something.
func (s *story) whileEventsComeIn(do func()) {
	s.fail(1)
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		case <-time.After(3 * time.Second):
			s.fail(1)
		}
	}
	if s.t.Failed() {
		s.t.FailNow() // it was in another goroutine
	}
	s.fail(1)
	s.showsWhoIsHurt()
}

// delivered has Stripe repeat, without its pause of minutes and hours, what was refused so far.
func (s *story) delivered() error {
	var deliveries []stripesim.Delivery
	if err := s.ask(http.MethodGet, "/_sim/deliveries", &deliveries); err != nil {
		return err
	}
	accepted := map[string]bool{}
	for _, d := range deliveries {
		accepted[d.Event] = accepted[d.Event] || d.Status/100 == 2
	}
	var refused []string
	for event, ok := range accepted {
		if !ok {
			refused = append(refused, event)
		}
	}
	for _, event := range refused {
		if err := s.ask(http.MethodPost, "/_sim/deliver?event="+event, nil); err != nil {
			return err
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("%d events are not accepted yet", len(refused))
	}
	return nil
}

// showsWhoIsHurt waits until exactly those customers are critical whose payments have failed twice.
func (s *story) showsWhoIsHurt() {
	s.t.Helper()
	s.Eventually(s.delivered).Should(Succeed())
	want := slices.Sorted(slices.Values(s.hurt))
	s.Eventually(func() ([]string, error) {
		var page report.AtRisk
		if err := s.api("/at-risk?limit=100", &page); err != nil {
			return nil, err
		}
		var critical []string
		for _, row := range page.Rows {
			if row.Tier == "Critical" {
				critical = append(critical, row.Customer)
			}
		}
		slices.Sort(critical)
		return critical, nil
	}).Should(Equal(want))
}

// api reads from the JSON API of the workspace.
func (s *story) api(path string, into any) error {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "https://"+dashboardHost+"/api/v1/workspaces/"+tenant+"/acme"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	answer, err := s.browser.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answered %d", answer.StatusCode)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

var resident = regexp.MustCompile(`(?m)^process_resident_memory_bytes (\S+)$`)

// operatorIsSmall reads what the operator says of its memory.
func (s *story) operatorIsSmall() {
	conn := &http.Client{Transport: &http.Transport{DialContext: s.browser.dialer("deployment/kustiq-operator", "9090")}}
	answer, err := conn.Get("http://operator/metrics")
	s.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	s.Expect(err).NotTo(HaveOccurred())
	found := resident.FindSubmatch(text)
	s.Expect(found).NotTo(BeNil())
	bytes, err := strconv.ParseFloat(string(found[1]), 64)
	s.Expect(err).NotTo(HaveOccurred())
	fmt.Printf("  the operator's resident memory: %.0f MiB\n", bytes/(1<<20))
	s.Expect(bytes).To(BeNumerically("<", 100<<20))
}

// pods are those of the release that are to stay.
func (s *story) pods() []corev1.Pod {
	var list corev1.PodList
	s.Expect(s.get(&list, "pods", "-n", namespace, "-l", "app.kubernetes.io/instance=kustiq")).To(Succeed())
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
		return p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	})
}

// killEachPod ends every pod at once and without notice, one after another, while events come in.
func (s *story) killEachPod() {
	for _, pod := range s.pods() {
		s.fail(1)
		s.kubectl("delete", "pod", "-n", namespace, pod.Name, "--force", "--grace-period=0")
		s.fail(1)
		s.Eventually(func() error {
			for _, p := range s.pods() {
				if !slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
					return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
				}) {
					return fmt.Errorf("%s is not ready", p.Name)
				}
			}
			return nil
		}).Should(Succeed())
	}
	s.showsWhoIsHurt()
}

// uninstallAndInstallAgain checks what an uninstall keeps, and that it is all that is needed.
func (s *story) uninstallAndInstallAgain() {
	s.must(s.run("", s.helm, "uninstall", "kustiq", "-n", namespace, "--wait"))
	s.Eventually(s.pods).Should(BeEmpty())
	s.Expect(s.left("pvc")).To(ConsistOf("data-kustiq-bus-eu-0", "scores-kustiq-engine-eu-0"))
	s.Expect(s.left("secrets")).To(ContainElements("kustiq-keys", "kustiq-platform-eu"))
	s.Expect(s.left("deployments,statefulsets,services,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets,roles,rolebindings")).
		To(ConsistOf("kube-root-ca.crt", "login-ca", "default"))
	s.release("install", given(s.t, "KUSTIQ_CHART"), given(s.t, "KUSTIQ_VERSION"))
	s.showsWhoIsHurt()
	s.fail(1)
	s.showsWhoIsHurt()
	s.kubectl("wait", "--for=condition=Ready", "strc/stripe-live", "-n", tenant, "--timeout=2m")
}

// left are the names of what is in the installation's namespace.
func (s *story) left(kinds string) []string {
	out := s.kubectl("get", kinds, "-n", namespace, "-o", `jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}`)
	return strings.Fields(out)
}

// leaveNothing removes everything, as docs/install.md tells.
func (s *story) leaveNothing() {
	s.kubectl("delete", "namespace", tenant, "--timeout=2m") // while the operator runs: it takes leave of Stripe
	s.must(s.run("", s.helm, "uninstall", "kustiq", "-n", namespace, "--wait"))
	s.kubectl("delete", "crd", "workspaces.integrations.kustiq.io", "stripeconnections.integrations.kustiq.io", "backfills.integrations.kustiq.io")
	s.kubectl("delete", "namespace", namespace, world, "--timeout=2m")
	everything := s.kubectl("get", "crd,clusterroles,clusterrolebindings,namespaces", "-o", "name")
	for line := range strings.Lines(everything) {
		if strings.Contains(line, "kustiq") {
			s.t.Errorf("left behind: %s", line)
		}
	}
}
