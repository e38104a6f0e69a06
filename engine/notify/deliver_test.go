package notify

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/kustiq/kustiq/engine/store"
	"github.com/kustiq/kustiq/internal/vault"
)

var (
	acme     = store.Scope{Workspace: "acme/main", Livemode: true}
	loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
)

// hook is a receiver that remembers what it was sent, and answers with the next of its codes, the last of them for ever.
type hook struct {
	*httptest.Server
	mu    sync.Mutex
	codes []int
	got   []string // "message id body"
	wrong []error
	// hold, when set, is waited for before an answer.
	hold chan struct{}
}

func newHook(t *testing.T, codes ...int) *hook {
	h := &hook{codes: codes}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	key, _ := standardwebhooks.NewWebhook(testSecret)
	h.mu.Lock()
	hold := h.hold
	h.got = append(h.got, r.Header.Get("Webhook-Id")+" "+string(body))
	if err := key.VerifyIgnoringTimestamp(body, r.Header); err != nil {
		h.wrong = append(h.wrong, err)
	}
	code := h.codes[0]
	if len(h.codes) > 1 {
		h.codes = h.codes[1:]
	}
	h.mu.Unlock()
	if hold != nil {
		<-hold
	}
	w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, strings.Repeat("a long answer ", 10_000))
}

func (h *hook) received() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.got...)
}

// receivers by id.
type receivers map[string]Receiver

func (r receivers) Receiver(_, id string) (to Receiver, ok bool) {
	to, ok = r[id]
	return to, ok
}

// post is a deliverer on a real SQLite store, with a clock that the test moves.
type post struct {
	*Deliverer
	store    *store.Store
	clock    *clocktesting.FakeClock
	log      *strings.Builder
	registry *prometheus.Registry
}

func newPost(t *testing.T, to receivers, allowed []netip.Prefix) *post {
	g := NewWithT(t)
	p := &post{clock: clocktesting.NewFakeClock(start), log: &strings.Builder{}}
	keyset, err := vault.NewKeyset()
	g.Expect(err).NotTo(HaveOccurred())
	v, err := vault.Open(keyset)
	g.Expect(err).NotTo(HaveOccurred())
	p.store, err = store.Open(t.Context(), store.Options{DSN: "sqlite://" + filepath.Join(t.TempDir(), "store.db"), Vault: v, Clock: p.clock,
		Logger: slog.New(slog.DiscardHandler)})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = p.store.Close() })
	p.Deliverer, p.registry = p.another(t, to, allowed)
	return p
}

// another is a deliverer beside the first, on the same store.
func (p *post) another(t *testing.T, to receivers, allowed []netip.Prefix) (*Deliverer, *prometheus.Registry) {
	registry := prometheus.NewRegistry()
	d, err := NewDeliverer(Options{Outbox: p.store, Receivers: to, Clock: p.clock, Logger: slog.New(slog.NewTextHandler(p.log, nil)),
		Metrics: registry, AllowedNetworks: allowed})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return d, registry
}

// put enqueues events of a customer for the receivers, one after another.
func (p *post) put(t *testing.T, customer string, endpoints []string, bodies ...string) {
	NewWithT(t).Expect(p.store.Update(t.Context(), func(tx *store.Tx) error {
		if _, err := tx.Workspaces(t.Context(), []store.Scope{acme}); err != nil {
			return err
		}
		var all []store.Delivery
		for _, body := range bodies {
			for _, endpoint := range endpoints {
				all = append(all, store.Delivery{Scope: acme, Account: "acct_1", Customer: customer, Endpoint: endpoint, Host: "hooks.example",
					MessageID: "msg_" + body, EventType: AtRisk, Body: []byte(body)})
			}
		}
		return tx.Enqueue(t.Context(), all)
	})).To(Succeed())
}

// round starts what is due, again and again until nothing is, and waits for all attempts.
func (p *post) round(t *testing.T) {
	for range 50 {
		p.turn(t.Context())
		p.flights.Wait()
		if at, ok, err := p.store.NextDelivery(t.Context()); err != nil || !ok || at.After(p.clock.Now()) {
			return
		}
	}
	t.Fatal("something is due for ever")
}

// logged is the delivery log, oldest first, in a few words each.
func (p *post) logged(t *testing.T) (lines []string) {
	page, err := p.store.Deliveries(t.Context(), acme.Workspace, store.DeliveryQuery{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, d := range page.Deliveries {
		lines = append([]string{fmt.Sprintf("%s %s %d %d%s", d.MessageID, d.Status, d.Attempts, d.ResponseCode, orEmpty(d.Failure))}, lines...)
	}
	return lines
}

func orEmpty(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

func TestDelivery(t *testing.T) {
	g := NewWithT(t)
	h := newHook(t, 204)
	p := newPost(t, receivers{"r1": {URL: h.URL + "/path?token=1", Secrets: []string{"whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3", testSecret}}}, loopback)
	p.put(t, "cus_1", []string{"r1"}, "one", "two", "three")
	p.put(t, "cus_2", []string{"r1"}, "other")
	p.round(t)
	got := h.received()
	g.Expect(got).To(ConsistOf("msg_one one", "msg_two two", "msg_three three", "msg_other other"))
	g.Expect(inOrder(got, "msg_one one", "msg_two two", "msg_three three")).To(BeTrue(), "%v", got)
	g.Expect(h.wrong).To(BeEmpty(), "the second of two secrets is the receiver's")
	g.Expect(p.logged(t)).To(ConsistOf("msg_one delivered 1 204", "msg_two delivered 1 204", "msg_three delivered 1 204", "msg_other delivered 1 204"))
	g.Expect(testutil.ToFloat64(p.metrics.deliveries.WithLabelValues("delivered"))).To(Equal(4.0))
	p.round(t)
	g.Expect(h.received()).To(HaveLen(4), "once")
}

// inOrder says whether some of the things come in this order.
func inOrder(all []string, some ...string) bool {
	for _, s := range all {
		if len(some) > 0 && s == some[0] {
			some = some[1:]
		}
	}
	return len(some) == 0
}

func TestRetries(t *testing.T) {
	g := NewWithT(t)
	h := newHook(t, 500)
	p := newPost(t, receivers{"r1": {URL: h.URL + "/?token=hidden", Secrets: []string{testSecret}}}, loopback)
	p.put(t, "cus_1", []string{"r1"}, "one", "two")
	p.round(t)
	g.Expect(h.received()).To(HaveLen(1))
	for n, pause := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour} {
		p.clock.Step(pause - time.Second)
		p.round(t)
		g.Expect(h.received()).To(HaveLen(n+1), "a second before attempt %d", n+2)
		p.clock.Step(time.Second)
		p.round(t)
		g.Expect(len(h.received())).To(BeNumerically(">=", n+2))
	}
	g.Expect(h.received()[:6]).To(HaveEach("msg_one one"), "what comes later waits")
	g.Expect(p.logged(t)).To(Equal([]string{"msg_one given_up 6 500 status", "msg_two pending 1 500 status"}))
	g.Expect(p.log.String()).To(And(ContainSubstring("failure=status"), Not(Or(ContainSubstring("hidden"), ContainSubstring("127.0.0.1")))))

	h.mu.Lock()
	h.codes = []int{200}
	h.mu.Unlock()
	g.Expect(p.store.Resend(t.Context(), acme.Workspace, 1)).To(Succeed())
	p.round(t)
	g.Expect(p.logged(t)).To(Equal([]string{"msg_one delivered 1 200", "msg_two delivered 2 200"}), "a receiver that answers again is told the rest at once")
	g.Expect(h.received()[len(h.received())-2:]).To(Equal([]string{"msg_one one", "msg_two two"}))
}

func TestAnswers(t *testing.T) {
	g := NewWithT(t)
	hooks := map[string]*hook{"redirect": newHook(t, 307), "gone": newHook(t, 410), "busy": newHook(t, 429)}
	to := receivers{"nobody": {URL: "http://127.0.0.1:1/", Secrets: []string{testSecret}}, "unsigned": {URL: hooks["gone"].URL},
		"plain": {URL: strings.Replace(hooks["gone"].URL, "http:", "https:", 1), Secrets: []string{testSecret}}}
	endpoints := []string{"nobody", "unsigned", "plain", "unknown"}
	for name, h := range hooks {
		to[name] = Receiver{URL: h.URL, Secrets: []string{testSecret}}
		endpoints = append(endpoints, name)
	}
	p := newPost(t, to, loopback)
	for _, endpoint := range endpoints {
		p.put(t, "cus_1", []string{endpoint}, endpoint)
	}
	p.round(t)
	g.Expect(p.logged(t)).To(ConsistOf("msg_redirect pending 1 307 redirect", "msg_gone given_up 1 410 status", "msg_busy pending 1 429 status",
		"msg_nobody pending 1 0 connection", "msg_unsigned pending 1 0 secret", "msg_plain pending 1 0 connection", "msg_unknown pending 1 0 no_receiver"))
	g.Expect(hooks["redirect"].received()).To(HaveLen(1), "it is not followed")
}

func TestNotToLoopbackUnlessAllowed(t *testing.T) {
	g := NewWithT(t)
	h := newHook(t, 200)
	p := newPost(t, receivers{"r1": {URL: h.URL, Secrets: []string{testSecret}}}, nil)
	p.put(t, "cus_1", []string{"r1"}, "one")
	p.round(t)
	g.Expect(h.received()).To(BeEmpty())
	g.Expect(p.logged(t)).To(Equal([]string{"msg_one pending 1 0 address_refused"}))
}

func TestTLS(t *testing.T) {
	g := NewWithT(t)
	h := &hook{codes: []int{200}}
	server := httptest.NewTLSServer(h)
	defer server.Close()
	to := receivers{"r1": {URL: server.URL, Secrets: []string{testSecret}}}
	p := newPost(t, to, loopback)
	p.put(t, "cus_1", []string{"r1"}, "one")
	p.round(t)
	g.Expect(p.logged(t)).To(Equal([]string{"msg_one pending 1 0 tls"}), "nobody vouches for the certificate")
	p.sender = newSender(loopback, nil, server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs)
	p.clock.Step(time.Minute)
	p.round(t)
	g.Expect(p.logged(t)).To(Equal([]string{"msg_one delivered 2 200"}))
	g.Expect(h.received()).To(Equal([]string{"msg_one one"}))
}

// An engine that dies while it delivers loses nothing: another one delivers when the claim is over, and no sooner.
func TestADeadEnginesClaim(t *testing.T) {
	g := NewWithT(t)
	h := newHook(t, 200)
	to := receivers{"r1": {URL: h.URL, Secrets: []string{testSecret}}}
	p := newPost(t, to, loopback)
	p.put(t, "cus_1", []string{"r1"}, "one", "two")
	claimed, _, err := p.store.ClaimDeliveries(t.Context(), 10, lease, nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(claimed).To(HaveLen(1), "two waits for one")
	p.clock.Step(lease - time.Second)
	p.round(t)
	g.Expect(h.received()).To(BeEmpty())
	p.clock.Step(time.Second)
	p.round(t)
	g.Expect(h.received()).To(Equal([]string{"msg_one one", "msg_two two"}))
	claimed[0].Status = store.DeliveryGivenUp
	ok, err := p.store.SettleDelivery(t.Context(), claimed[0])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ok).To(BeFalse(), "the dead one's word comes too late")
	g.Expect(p.logged(t)).To(Equal([]string{"msg_one delivered 2 200", "msg_two delivered 1 200"}))
}

// An attempt that a shutdown cuts short is neither a failure nor done.
func TestShutdownDuringAnAttempt(t *testing.T) {
	g := NewWithT(t)
	h := newHook(t, 200)
	h.hold = make(chan struct{})
	p := newPost(t, receivers{"r1": {URL: h.URL, Secrets: []string{testSecret}}}, loopback)
	p.put(t, "cus_1", []string{"r1"}, "one")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	g.Eventually(h.received).Should(HaveLen(1))
	cancel()
	g.Eventually(ended).Should(Receive(MatchError(context.Canceled)))
	close(h.hold)
	g.Expect(p.logged(t)).To(Equal([]string{"msg_one pending 1 0"}))
	p.clock.Step(lease)
	p.round(t)
	g.Expect(p.logged(t)).To(Equal([]string{"msg_one delivered 2 200"}), "the receiver knows the message again by its id")
	g.Expect(h.received()).To(Equal([]string{"msg_one one", "msg_one one"}))
}

// A receiver that does not answer holds up nobody else, and two deliverers send nothing twice.
func TestSideBySide(t *testing.T) {
	g := NewWithT(t)
	stuck, quick := newHook(t, 200), newHook(t, 200)
	stuck.hold = make(chan struct{})
	to := receivers{"stuck": {URL: stuck.URL, Secrets: []string{testSecret}}, "quick": {URL: quick.URL, Secrets: []string{testSecret}}}
	p := newPost(t, to, loopback)
	for i := range 100 {
		p.put(t, fmt.Sprintf("cus_%d", i), []string{"stuck", "quick"}, fmt.Sprint(i))
	}
	second, _ := p.another(t, to, loopback)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, d := range []*Deliverer{p.Deliverer, second} {
		running.Go(func() { _ = d.Run(ctx) })
	}
	g.Eventually(func() int { p.clock.Step(time.Second / 10); return len(quick.received()) }, "20s", "5ms").Should(Equal(100))
	g.Expect(len(stuck.received())).To(BeNumerically("<=", 2*(2*slotsEach-1)))
	close(stuck.hold)
	g.Eventually(func() int { p.clock.Step(time.Second / 10); return len(stuck.received()) }, "20s", "5ms").Should(Equal(100))
	cancel()
	running.Wait()
	seen := map[string]bool{}
	for _, message := range quick.received() {
		g.Expect(seen[message]).To(BeFalse(), message)
		seen[message] = true
	}
}

func TestErasedWhileItIsSent(t *testing.T) {
	g := NewWithT(t)
	h := newHook(t, 200)
	h.hold = make(chan struct{})
	p := newPost(t, receivers{"r1": {URL: h.URL, Secrets: []string{testSecret}}}, loopback)
	p.put(t, "cus_1", []string{"r1"}, "one", "two")
	p.turn(t.Context())
	g.Eventually(h.received).Should(HaveLen(1))
	_, err := p.store.Erase(t.Context(), acme.Workspace)
	g.Expect(err).NotTo(HaveOccurred())
	close(h.hold)
	p.flights.Wait()
	p.round(t)
	g.Expect(h.received()).To(HaveLen(1))
	g.Expect(p.logged(t)).To(BeEmpty())
	g.Expect(testutil.ToFloat64(p.metrics.deliveries.WithLabelValues("delivered"))).To(BeZero())
}

func TestEventsAreCounted(t *testing.T) {
	g := NewWithT(t)
	p := newPost(t, receivers{}, nil)
	p.Announced(Churned, 3)
	g.Expect(testutil.ToFloat64(p.metrics.events.WithLabelValues(Churned))).To(Equal(3.0))
	g.Expect(testutil.GatherAndLint(p.registry)).To(BeEmpty())
	_, err := NewDeliverer(Options{})
	g.Expect(err).To(HaveOccurred())
}
