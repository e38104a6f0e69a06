// Package scale_test measures one operator with many connections: a real API server, two real buses, the simulated
// Stripe, and the operator in a process of its own.
package scale_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/config"
	"github.com/kustiq/kustiq/controllers"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/devcluster"
	"github.com/kustiq/kustiq/internal/stripesim"
	"github.com/kustiq/kustiq/internal/vault"
)

const (
	operatorNamespace = "kustiq-system"
	redirectURI       = "https://app.kustiq.example/oauth/callback"
)

var regionNames = []v1alpha1.Region{v1alpha1.RegionEU, v1alpha1.RegionUS}

func tokenOf(region string) string { return strings.ToLower(region) }

// world is what the operator works in.
type world struct {
	b        *testing.B
	k8s      client.WithWatch
	sim      *stripesim.Server
	stripe   *pulse
	simURL   string
	buses    map[v1alpha1.Region]*bus.Bus
	busVault *vault.Vault
	given    operatorConfig
	// platforms is over how many the connections are spread: first EU's live mode, then US's, then their test modes.
	platforms int
	// watch is how long the operator is watched at rest.
	watch time.Duration
}

func newWorld(b *testing.B) *world {
	b.Helper()
	w := &world{b: b, buses: map[v1alpha1.Region]*bus.Bus{}}
	crds, err := config.CRDs()
	w.must(err)
	cluster, err := devcluster.Start(b.Context(), devcluster.Options{Dir: filepath.Join(b.TempDir(), "cluster"), CRDs: crds})
	w.must(err)
	b.Cleanup(func() { _ = cluster.Stop() })
	w.k8s, err = client.NewWithWatch(cluster.Config, client.Options{Scheme: controllers.Scheme()})
	w.must(err)
	w.startStripe()
	w.given = operatorConfig{Kubeconfig: cluster.Kubeconfig, StripeURL: w.simURL, BusToken: "scale", BusURLs: map[string]string{}}
	w.given.TokensKeys, _ = w.newKeys()
	w.given.BusKeys, w.busVault = w.newKeys()
	w.must(w.k8s.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}))
	for _, region := range regionNames {
		w.startRegion(region)
	}
	return w
}

func (w *world) must(err error) {
	w.b.Helper()
	if err != nil {
		w.b.Fatal(err)
	}
}

func (w *world) newKeys() (string, *vault.Vault) {
	keys, err := vault.NewKeyset()
	w.must(err)
	v, err := vault.Open(keys)
	w.must(err)
	return base64.StdEncoding.EncodeToString(keys), v
}

func platformOf(region v1alpha1.Region) stripesim.Platform {
	token := tokenOf(string(region))
	return stripesim.Platform{
		Name: "Kustiq " + string(region), ClientIDLive: "ca_live_" + token, ClientIDTest: "ca_test_" + token,
		SecretKeyLive: "sk_live_platform_" + token, SecretKeyTest: "sk_test_platform_" + token, RedirectURIs: []string{redirectURI},
	}
}

func (w *world) startStripe() {
	var err error
	w.sim, err = stripesim.New(stripesim.Options{Clock: clock.RealClock{}, Seed: 1, Logger: slog.New(slog.DiscardHandler)})
	w.must(err)
	w.stripe = &pulse{next: w.sim, of: map[string]string{}, calls: map[string][]time.Time{}}
	for _, region := range regionNames {
		p := platformOf(region)
		w.sim.AddPlatform(p)
		w.stripe.of[p.SecretKeyLive], w.stripe.of[p.SecretKeyTest] = p.ClientIDLive, p.ClientIDTest
	}
	server := httptest.NewServer(w.stripe)
	w.b.Cleanup(server.Close)
	w.simURL = server.URL
}

func (w *world) startRegion(region v1alpha1.Region) {
	ctx, token, log := w.b.Context(), tokenOf(string(region)), slog.New(slog.DiscardHandler)
	server, err := bus.StartServer(ctx, bus.ServerOptions{
		Dir: filepath.Join(w.b.TempDir(), "bus-"+token), EncryptionKey: bytes.Repeat([]byte{1}, 32), Listen: "127.0.0.1:0", Token: w.given.BusToken, Logger: log,
	})
	w.must(err)
	w.b.Cleanup(func() { _ = server.Close() })
	w.buses[region], err = bus.Open(ctx, bus.Options{Server: server, Region: token, Replicas: 1, Name: "scale", Logger: log})
	w.must(err)
	w.b.Cleanup(w.buses[region].Close)
	w.given.BusURLs[string(region)] = server.ClientURL()
	p := platformOf(region)
	w.must(w.k8s.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kustiq-platform-" + token},
		StringData: map[string]string{
			"client-id-live": p.ClientIDLive, "secret-key-live": p.SecretKeyLive, "client-id-test": p.ClientIDTest, "secret-key-test": p.SecretKeyTest,
		},
	}))
	w.must(w.k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "scale-" + token}}))
	w.must(w.k8s.Create(ctx, &v1alpha1.Workspace{
		ObjectMeta: metav1.ObjectMeta{Namespace: "scale-" + token, Name: "acme"},
		Spec:       v1alpha1.WorkspaceSpec{Plan: v1alpha1.PlanPro, Region: region},
	}))
}

// operator is a running process.
type operator struct {
	w       *world
	command *exec.Cmd
	url     string
}

func (w *world) startOperator() *operator {
	w.b.Helper()
	given, err := json.Marshal(w.given)
	w.must(err)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), operatorEnv+"="+string(given))
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	w.must(err)
	w.must(command.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	w.must(err)
	o := &operator{w: w, command: command, url: strings.TrimSpace(line)}
	w.b.Cleanup(o.stop)
	return o
}

func (o *operator) stop() {
	if o.command.ProcessState == nil {
		_ = o.command.Process.Signal(syscall.SIGTERM)
		_ = o.command.Wait()
	}
}

// read returns the sum of a metric's series whose labels have all the given values.
func (o *operator) read(name string, labels map[string]string) float64 {
	o.w.b.Helper()
	answer, err := http.Get(o.url + "/metrics")
	o.w.must(err)
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	o.w.must(err)
	sum := 0.0
	for _, m := range families[name].GetMetric() {
		match := 0
		for _, label := range m.GetLabel() {
			if want, ok := labels[label.GetName()]; ok && want == label.GetValue() {
				match++
			}
		}
		if match == len(labels) {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sum
}

// writes counts the operator's writing requests to the API server.
func (o *operator) writes() (n float64) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		n += o.read("rest_client_requests_total", map[string]string{"method": method})
	}
	return n
}

// pulse stands before the simulated Stripe and notes when each platform, itself or for one of its accounts, called.
type pulse struct {
	next http.Handler

	mu    sync.Mutex
	of    map[string]string // platform by key or token
	calls map[string][]time.Time
}

func (p *pulse) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body))
	key := form.Get("client_secret")
	if key == "" {
		key = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	p.mu.Lock()
	platform := p.of[key]
	p.calls[platform] = append(p.calls[platform], time.Now())
	p.mu.Unlock()
	answer := httptest.NewRecorder()
	p.next.ServeHTTP(answer, r)
	var token struct {
		Access string `json:"access_token"`
	}
	if strings.HasSuffix(r.URL.Path, "/oauth/token") && json.Unmarshal(answer.Body.Bytes(), &token) == nil {
		p.mu.Lock()
		p.of[token.Access] = platform
		p.mu.Unlock()
	}
	for name, values := range answer.Header() {
		rw.Header()[name] = values
	}
	rw.WriteHeader(answer.Code)
	_, _ = rw.Write(answer.Body.Bytes())
}

// peak is the most calls of one platform within one second since a moment.
func (p *pulse) peak(since time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	most := 0
	for _, calls := range p.calls {
		first := 0
		for last, at := range calls {
			for calls[first].Before(since) && first < last || at.Sub(calls[first]) >= time.Second {
				first++
			}
			if !at.Before(since) {
				most = max(most, last-first+1)
			}
		}
	}
	return most
}

// declare creates a connection; consent lets its account's owner agree.
func (w *world) declare(ctx context.Context, i int) (*v1alpha1.StripeConnection, error) {
	at := i % w.platforms
	region := regionNames[at%2]
	mode := v1alpha1.ModeLive
	if at/2 == 1 {
		mode = v1alpha1.ModeTest
	}
	c := &v1alpha1.StripeConnection{
		ObjectMeta: metav1.ObjectMeta{Namespace: "scale-" + tokenOf(string(region)), Name: fmt.Sprintf("c-%05d", i)},
		Spec:       v1alpha1.StripeConnectionSpec{WorkspaceRef: v1alpha1.LocalRef{Name: "acme"}, Mode: mode},
	}
	country := map[v1alpha1.Region]string{v1alpha1.RegionEU: "DE", v1alpha1.RegionUS: "US"}[region]
	w.sim.AddAccount(stripesim.Generate(stripesim.GenerateOptions{
		AccountID: accountOf(c), Name: c.Name, Country: country, Currency: "eur", Customers: 1, Years: 0.1, Seed: uint64(i),
		End: time.Now(), Livemode: mode == v1alpha1.ModeLive,
	}))
	return c, w.k8s.Create(ctx, c)
}

func accountOf(c *v1alpha1.StripeConnection) string { return "acct_" + c.Namespace + "_" + c.Name }

func regionOf(c *v1alpha1.StripeConnection) v1alpha1.Region {
	if c.Namespace == "scale-eu" {
		return v1alpha1.RegionEU
	}
	return v1alpha1.RegionUS
}

func (w *world) consent(ctx context.Context, c *v1alpha1.StripeConnection) error {
	p := platformOf(regionOf(c))
	id := p.ClientIDTest
	if c.Spec.Mode == v1alpha1.ModeLive {
		id = p.ClientIDLive
	}
	asked := url.Values{"client_id": {id}, "response_type": {"code"}, "scope": {"read_only"}}
	answer, err := w.sim.Consent("/oauth/authorize?"+asked.Encode(), redirectURI, accountOf(c))
	if err != nil {
		return err
	}
	sealed, err := w.busVault.Seal([]byte(answer.Get("code")), "grant/"+string(c.UID))
	if err != nil {
		return err
	}
	_, err = w.buses[regionOf(c)].Grants().Put(ctx, string(c.UID), bus.Grant{At: time.Now().Unix(), SealedCode: sealed})
	return err
}
